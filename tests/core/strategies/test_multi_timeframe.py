from dataclasses import replace

import numpy as np
import pytest

from coinhts_core.errors import BadParameterError
from coinhts_core.markets import Timeframe
from coinhts_core.signals import decide
from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of

QUICK = {"window": 6, "hours": 3, "days": 2}
A_DAY = 288


def walk(seed, days=8):
    random = np.random.RandomState(seed)
    closes = np.rint(1_000 * np.exp(np.cumsum(0.003 * random.standard_normal(days * A_DAY))))
    return bars_of(closes, timeframe=Timeframe.M5, beside=(Timeframe.H1, Timeframe.D1))


def mean_of_last(closes, end, count):
    return np.mean(closes[end - count : end])


def test_it_trades_with_the_hour_and_the_day():
    """Upward crossings while the last closed hour and day are above their averages, downward ones while it is not."""
    strategy, bars = load("multi_timeframe", **QUICK), walk(1)
    decisions = decide(strategy, bars, 0, len(bars))
    hours, days = bars.close[11::12], bars.close[A_DAY - 1 :: A_DAY]
    for place in range(2 * A_DAY, len(bars)):
        hour, day = (place + 1) // 12, (place + 1) // A_DAY
        hour_is_up = hours[hour - 1] > mean_of_last(hours, hour, 3)
        day_is_up = days[day - 1] > mean_of_last(days, day, 2)
        before = bars.close[place - 1] - mean_of_last(bars.close, place, 6)
        now = bars.close[place] - mean_of_last(bars.close, place + 1, 6)
        rises, falls = before <= 0 < now, now < 0 <= before
        assert decisions[place] == int(rises and hour_is_up and day_is_up) - int(falls and not hour_is_up), place
    assert {-1, 1} <= set(decisions.tolist())


def test_days_that_are_not_over_do_not_count():
    """What the day will have been changes nothing before its close."""
    strategy, bars = load("multi_timeframe", **QUICK), walk(2)
    days = bars.longer[Timeframe.D1]
    last = days.close.copy()
    last[-1] *= 2.0
    other = replace(bars, longer={**bars.longer, Timeframe.D1: replace(days, close=last)})
    assert strategy.decide(bars)[:-1].tolist() == strategy.decide(other)[:-1].tolist()


def test_before_two_days_nothing_is_decided():
    """A market without closed hours or days beside it is not above anything."""
    strategy = load("multi_timeframe", **QUICK)
    assert not decide(strategy, walk(3, days=1), 0, A_DAY).any()
    for count in (0, 1, 5, 100):
        bars = bars_of(np.arange(count) + 100.0, timeframe=Timeframe.M5, beside=(Timeframe.H1, Timeframe.D1))
        assert strategy.decide(bars).tolist() == [0] * count


def test_its_bars_are_shorter_than_the_longer_ones():
    """An hour cannot stand beside a day's bars."""
    with pytest.raises(BadParameterError, match=r"multi_timeframe does not take .*timeframe must be below 1h"):
        load("multi_timeframe", timeframe="1h")
