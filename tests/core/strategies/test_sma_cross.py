from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.candles.bars import Bars
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import load


def bars_of(closes):
    prices = pl.Series(closes, dtype=pl.Float64)
    opened_at = pl.Series(range(len(closes)), dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    return Bars.from_frame(pl.DataFrame({"opened_at": opened_at, **columns}), Timeframe.H1.length)


def slow_decisions(closes, fast, slow):
    """Averages as exact fractions of the decimals that were traded, bar by bar."""
    prices = [Fraction(str(close)) for close in closes]

    def gap(end):
        return sum(prices[end - fast + 1 : end + 1]) / fast - sum(prices[end - slow + 1 : end + 1]) / slow

    decisions = [0] * len(prices)
    for bar in range(slow, len(prices)):
        if gap(bar - 1) <= 0 < gap(bar):
            decisions[bar] = 1
        elif gap(bar) < 0 <= gap(bar - 1):
            decisions[bar] = -1
    return decisions


def float_decisions(closes, fast, slow):
    """What running sums of floats make of it."""
    total = np.cumsum(closes)

    def running(window):
        return total - np.concatenate([np.zeros(window), total[:-window]])

    gap = running(fast) / fast - running(slow) / slow
    decisions = np.zeros(len(closes), dtype=np.int8)
    decisions[slow:][(gap[slow - 1 : -1] <= 0) & (gap[slow:] > 0)] = 1
    decisions[slow:][(gap[slow - 1 : -1] >= 0) & (gap[slow:] < 0)] = -1
    return decisions.tolist()


tick_prices = st.integers(0, 8).flatmap(
    lambda places: st.lists(st.integers(100, 104).map(lambda ticks: float(f"{ticks}e-{places}")), max_size=60)
)


@given(tick_prices, st.integers(1, 5), st.integers(1, 8))
def test_decisions_are_those_of_exact_averages(closes, fast, more):
    """Few prices close together, so that averages tie all the time, at any tick."""
    slow = fast + more
    found = load("sma_cross", fast=fast, slow=slow).decide(bars_of(closes))
    assert found.dtype == np.int8
    assert found.tolist() == slow_decisions(closes, fast, slow)


def test_floats_would_invent_crossings():
    """Prices that repeat tie for ever; running sums of floats see them cross, exact ones do not."""
    closes = [0.1, 0.2, 0.3] * 200
    assert any(float_decisions(closes, 3, 6))
    assert not load("sma_cross", fast=3, slow=6).decide(bars_of(closes)).any()


def test_both_averages_must_be_complete_on_both_bars():
    """The first decision can stand on the bar after the slow average has filled."""
    falling_then_up = [10.0, 9.0, 8.0, 7.0, 20.0]
    assert load("sma_cross", fast=1, slow=4).decide(bars_of(falling_then_up)).tolist() == [0, 0, 0, 0, 1]
    assert not load("sma_cross", fast=1, slow=5).decide(bars_of(falling_then_up)).any()
    assert load("sma_cross").decide(bars_of([])).tolist() == []


def test_touching_is_not_crossing():
    """From below to equal nothing happens; from equal upwards it enters, from equal downwards it leaves."""
    closes = [2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0]
    assert load("sma_cross", fast=1, slow=2).decide(bars_of(closes)).tolist() == [0, 0, 0, 1, 0, 0, -1, 0, 0, -1]


@pytest.mark.parametrize("price", [150_000_000.0, 4.2, 0.0007, 0.00000001])
def test_the_widest_windows_stay_exact(price):
    """A thousand and five thousand bars of any coin still fit 64 bits."""
    closes = ([price] * 3 + [price * 2]) * 1_500
    assert not load("sma_cross", fast=1_000, slow=5_000).decide(bars_of(closes)).any()
