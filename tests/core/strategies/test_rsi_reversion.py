import numpy as np
import pytest

from coinhts_core.errors import BadParameterError
from coinhts_core.indicators import rsi
from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of, noise, standing_still


def test_it_trades_the_way_back():
    """Enters where the index rises to the line from below, leaves where it sinks to the other from above."""
    strategy, bars = load("rsi_reversion", period=5, oversold=40, overbought=60), noise(600, 1)
    index = rsi(bars.close, 5)
    decisions = strategy.decide(bars)
    assert not decisions[: strategy.warmup].any()
    for place in range(strategy.warmup, len(bars)):
        before, now = index[place - 1], index[place]
        expected = int(before < 40 <= now) - int(before > 60 >= now)
        assert decisions[place] == expected, place
    assert {-1, 0, 1} == set(decisions.tolist())


def test_a_fall_and_a_rise():
    """Down for long, then up: in on the way back, out when the rise ends."""
    closes = np.concatenate([np.full(300, 100.0), 100.0 - np.arange(20), 81.0 + np.arange(30), 110.0 - np.arange(6)])
    decisions = load("rsi_reversion").decide(bars_of(closes))
    assert decisions[decisions != 0].tolist() == [1, -1]
    assert np.flatnonzero(decisions)[0] in range(320, 330)
    assert np.flatnonzero(decisions)[1] >= 350


def test_where_nothing_moves_nothing_is_decided():
    """Nor where there are too few bars."""
    strategy = load("rsi_reversion", period=3)
    for bars in (standing_still(400), noise(50, 1), bars_of([1.0]), bars_of([])):
        assert strategy.decide(bars).tolist() == [0] * len(bars)


def test_what_it_says():
    """The index itself."""
    strategy, bars = load("rsi_reversion", period=5), noise(300, 1)
    assert strategy.explain(bars, np.array([250, 299]))["rsi"] == rsi(bars.close, 5)[[250, 299]].tolist()


def test_the_lines_do_not_cross():
    """Below is below."""
    with pytest.raises(BadParameterError, match=r"oversold must be below overbought, which is 60\.0"):
        load("rsi_reversion", oversold=60, overbought=60)
