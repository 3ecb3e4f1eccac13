from datetime import date

import pytest

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.sources import Source, asked_by, identity, sources
from coinhts_core.errors import BadFrameError, RefusedError
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk

CROSS = load("sma_cross")


def test_candles_are_taken_as_they_come_or_joined():
    """The finer ones stay beside joined bars, and each length is made once."""
    source = Source(candles(walk(600), minutes=5), None, None)
    plain, hours = source.seen(CROSS, None, None), source.seen(CROSS, Timeframe.H1, None)
    assert (plain.timeframe, len(plain.bars), plain.minutes) == ("5m", 600, None)
    assert (hours.timeframe, len(hours.bars), len(hours.minutes)) == ("1h", 50, 600)
    assert source.seen(CROSS, Timeframe.H1, None).bars.close is hours.bars.close


def test_days_are_the_coins_own_where_they_are_known():
    """Else the candles make them."""
    days = candles(walk(5, seed=3), minutes=1_440)
    of_minutes = Source(candles(walk(96)), None, None).seen(CROSS, Timeframe.D1, None)
    own = Source(candles(walk(96)), days, None).seen(CROSS, Timeframe.D1, None)
    assert own.bars.close.tolist() == days["close"].to_list()
    assert len(of_minutes.bars) == 4


def test_bars_before_the_first_day_are_seen_and_not_traded():
    """And so are their parts of the account."""
    seen = Source(candles(walk(72)), None, None).seen(CROSS, None, date(2026, 1, 2))
    assert (seen.first, len(seen.bars), len(seen.traded)) == (24, 72, 48)
    assert seen.parts(Account(), slice(0, 5)).tolist() == [1.0]
    wild = Account(sizing="volatility", target_volatility=0.1, volatility_bars=3)
    assert seen.parts(wild, slice(2, 5)).tolist() == wild.fractions(seen.bars)[26:29].tolist()


def test_an_identity_is_that_of_the_values():
    """Other bars, or other minutes inside them, are another question."""
    one, same = (Source(candles(walk(60), minutes=5), None, None).seen(CROSS, Timeframe.H1, None) for _ in range(2))
    other = Source(candles(walk(60), minutes=5, spread=0.002), None, None).seen(CROSS, Timeframe.H1, None)
    assert one.identities() == same.identities()
    assert len({*one.identities(), *other.identities()}) == 4
    assert identity(one.bars) == one.identities()[0]


def test_coins_have_names_or_there_is_one():
    """Nothing at all is refused; bad candles are, once they are looked at."""
    assert list(sources(candles(walk(5)), None, None)) == [""]
    assert list(sources({"KRW-BTC": candles(walk(5))}, None, None)) == ["KRW-BTC"]
    with pytest.raises(RefusedError, match="there are no candles"):
        sources({}, None, None)
    with pytest.raises(BadFrameError):
        sources(candles(walk(5)).reverse(), None, None)[""].seen(CROSS, None, None)


def test_a_timeframe_is_asked_for_when_it_was_set():
    """One that everybody has who sets none asks for nothing, unless longer bars stand beside it."""
    assert asked_by(CROSS) is None
    assert asked_by(load("sma_cross", timeframe="1h")) == Timeframe.H1
    assert asked_by(load("multi_timeframe")) == Timeframe.M5
