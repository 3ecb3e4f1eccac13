from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.benchmarks import Coin, buy_and_hold, cash_alone, equal_weight
from coinhts_core.candles.bars import Bars

DAY = 86_400_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
prices = st.floats(0.01, 1e9)


def test_a_coin_is_bought_once_for_a_fee():
    """Before that there is cash; there is no fee for leaving, since nobody leaves."""
    coin = Coin(200.0, 1, np.array([1.0, 250.0, 100.0]))
    assert buy_and_hold(1_001.0, coin, 0.001).tolist() == pytest.approx([1_001.0, 1_001.0, 1_250.0, 500.0])


def test_equal_parts_are_not_rebalanced():
    """The coin that doubled stays twice as heavy; the one not bought yet is cash."""
    doubling, waiting = Coin(1.0, 0, np.array([2.0, 4.0])), Coin(1.0, 2, np.ones(2))
    assert equal_weight(100.0, [doubling, waiting], 0.0).tolist() == [100.0, 150.0, 250.0]


@given(st.lists(prices, min_size=1, max_size=20), st.integers(1, 5), prices)
def test_equal_parts_of_one_coin_are_that_coin(closes, coins, entry):
    """However often it is named."""
    coin = Coin(entry, 0, np.array(closes))
    alone = buy_and_hold(1e7, coin, 0.0005)
    assert equal_weight(1e7, [coin] * coins, 0.0005) == pytest.approx(alone, rel=1e-12)
    assert alone[0] == 1e7


def test_a_coin_is_marked_at_its_last_close():
    """Bought at the open of the first bar one may buy at; a day without a bar keeps the price."""
    hours = [20, 22, 26, 80]  # of two days; the third has none
    bars = _bars(hours, closes=[10.0, 11.0, 12.0, 13.0], opens=[9.0, 10.5, 11.5, 12.5])
    day_ends = _day_ends(4)
    coin = Coin.from_bars(bars, 1, day_ends)
    assert (coin.entry_price, coin.bought_on, coin.closes.tolist()) == (10.5, 0, [11.0, 12.0, 12.0, 13.0])
    later = Coin.from_bars(bars, 2, day_ends)
    assert (later.entry_price, later.bought_on, later.closes[1:].tolist()) == (11.5, 1, [12.0, 12.0, 13.0])


def test_a_bar_at_midnight_is_bought_on_the_day_that_begins():
    """The day that just ended had cash at its end."""
    assert Coin.from_bars(_bars([0, 24], closes=[1.0, 2.0], opens=[1.0, 2.0]), 1, _day_ends(2)).bought_on == 1


def test_a_bar_longer_than_a_day_is_marked_when_it_closes():
    """Until then by what was paid, never by a close from before."""
    bars = _bars([0, 72], closes=[5.0, 8.0], opens=[4.0, 6.0], length=timedelta(hours=72))
    coin = Coin.from_bars(bars, 1, _day_ends(6))
    assert (coin.bought_on, coin.closes[3:].tolist()) == (3, [6.0, 6.0, 8.0])


def test_a_coin_without_a_bar_to_buy_at_is_cash():
    """As is cash itself."""
    coin = Coin.from_bars(_bars([0], closes=[5.0], opens=[4.0]), 1, _day_ends(2))
    assert buy_and_hold(7.0, coin, 0.1).tolist() == cash_alone(7.0, 2).tolist() == [7.0] * 3


def _bars(hours, closes, opens, length=timedelta(hours=1)):
    moments = pl.Series([START + timedelta(hours=hour) for hour in hours]).cast(pl.Datetime("us", "UTC"))
    columns = {"opened_at": moments, "open": opens, "high": closes, "low": opens, "close": closes, "volume": closes}
    return Bars.from_frame(pl.DataFrame(columns), length)


def _day_ends(days):
    start = (START - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return start + DAY * np.arange(1, days + 1)
