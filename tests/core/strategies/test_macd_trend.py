import numpy as np
import pytest

from coinhts_core.errors import BadParameterError
from coinhts_core.indicators import macd
from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of, noise, standing_still

QUICK = {"fast": 3, "slow": 6, "signal": 4}


def test_it_follows_the_crossings_of_the_line():
    """From at or below the signal to above it, and the other way."""
    strategy, bars = load("macd_trend", **QUICK), noise(400, 3)
    line, signal = macd(bars.close, 3, 6, 4)
    gap, decisions = line - signal, strategy.decide(bars)
    assert not decisions[: strategy.warmup].any()
    for place in range(strategy.warmup, len(bars)):
        expected = int(gap[place - 1] <= 0 < gap[place]) - int(gap[place] < 0 <= gap[place - 1])
        assert decisions[place] == expected, place
    assert {-1, 1} <= set(decisions.tolist())


def test_a_standstill_is_no_crossing():
    """Long after a move both lines meet at nothing; until then no rounding makes them cross."""
    closes = np.concatenate([np.full(400, 0.3), np.linspace(0.3, 0.7, 30), np.full(900, 0.7)])
    decisions = load("macd_trend").decide(bars_of(closes))
    assert np.flatnonzero(decisions).tolist()[0] == 401
    assert len(np.flatnonzero(decisions)) == 2
    for bars in (standing_still(500, 0.1), noise(300, 1), bars_of([1.0]), bars_of([])):
        assert not load("macd_trend").decide(bars).any()


def test_what_it_says():
    """Both lines."""
    bars = noise(300, 3)
    line, signal = macd(bars.close, 3, 6, 4)
    assert load("macd_trend", **QUICK).explain(bars, np.array([299])) == {"line": [line[299]], "signal": [signal[299]]}


def test_fast_is_faster():
    """Else the line would stand on its head."""
    with pytest.raises(BadParameterError, match="fast must be below slow, which is 12"):
        load("macd_trend", slow=12)
