import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadParameterError
from coinhts_core.signals import decide
from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of, published_bars, standing_still, without_volume

candles = st.lists(
    st.tuples(st.integers(95, 105), st.integers(0, 5), st.integers(0, 5), st.integers(95, 105), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)


def bars_out_of(rows):
    opened, above, below, close, volume = np.array(rows, dtype=np.float64).T
    high, low = np.maximum(opened, close) + above, np.minimum(opened, close) - below
    return bars_of(close, open=opened, high=high, low=low, volume=volume)


def decided_by_hand(bars, window, multiplier, part):
    """The rule, bar by bar, with partial windows."""
    decisions = []
    for place in range(len(bars)):
        opened, high, low, close = (getattr(bars, name)[place] for name in ("open", "high", "low", "close"))
        seen = bars.volume[max(0, place - window + 1) : place + 1]
        surges = seen[-1] > 0 and seen[-1] >= sum(seen) / len(seen) * multiplier
        wicks = max(high - close, 0.0) / opened, max(opened - low, 0.0) / opened
        decisions.append(int(surges and (close - opened) / opened >= part and max(wicks) < 2 * part))
    return decisions


@given(candles, st.integers(1, 6), st.sampled_from([1.0, 1.5, 2.0]), st.sampled_from([0.01, 0.02]))
def test_it_enters_at_long_rising_bars_in_a_surge(rows, window, multiplier, part):
    """Bar by bar as the rule says, from the very first one on."""
    bars = bars_out_of(rows)
    strategy = load("volume_long_candle", vol_ma_window=window, vol_multiplier=multiplier, body_pct=part)
    assert strategy.decide(bars).tolist() == decided_by_hand(bars, window, multiplier, part)
    assert decide(strategy, bars, 0, len(bars)).tolist() == strategy.decide(bars).tolist()


def test_partial_windows_count():
    """A first bar of the usual volume is a surge of one time the usual."""
    first = bars_of([103.0], open=[100.0], volume=[5.0])
    assert load("volume_long_candle", vol_multiplier=1).decide(first).tolist() == [1]
    assert load("volume_long_candle").decide(first).tolist() == [0]


@pytest.mark.parametrize(("low", "high", "decision"), [(96.1, 106.9, 1), (95.9, 103.0, 0), (100.0, 107.1, 0)])
def test_wicks_are_shorter_than_two_bodies_wanted(low, high, decision):
    """Below the open and above the close, in parts of the open."""
    bars = bars_of([103.0], open=[100.0], high=[high], low=[low])
    assert load("volume_long_candle", vol_multiplier=1).decide(bars).tolist() == [decision]


def test_without_volume_nothing_is_a_surge():
    """Not even where all bars are long and nothing was traded at all."""
    assert not load("volume_long_candle").decide(without_volume(published_bars(300))).any()
    assert not load("volume_long_candle", vol_multiplier=1).decide(standing_still()).any()
    assert load("volume_long_candle").decide(bars_of([])).tolist() == []


def test_a_multiplier_above_the_window_is_out_of_reach():
    """The surge is part of its own average."""
    volume = [1.0] * 9 + [1e9]
    bars = bars_of([103.0] * 10, open=[100.0] * 10, volume=volume)
    assert load("volume_long_candle", vol_ma_window=2, vol_multiplier=1.9).decide(bars)[-1] == 1
    assert not load("volume_long_candle", vol_ma_window=2, vol_multiplier=2.1).decide(bars).any()


def test_what_it_says():
    """The volume in averages, the body as a part of the open, and how long an account holds."""
    strategy = load("volume_long_candle", vol_ma_window=3, hold_period_bars=7)
    bars = bars_of([100.0, 100.0, 104.0], open=[100.0] * 3, volume=[1.0, 1.0, 4.0])
    assert strategy.decide(bars).tolist() == [0, 0, 1]
    assert strategy.explain(bars, np.array([2])) == {"volume_ratio": [2.0], "body": [0.04]}
    assert (strategy.hold_bars, strategy.warmup, strategy.ready_after) == (7, 2, 0)


def test_the_defaults_are_those_of_coin_hts():
    """As its code has them, not its documents."""
    facts = {"vol_ma_window": 20, "vol_multiplier": 1.5, "body_pct": 0.02, "hold_period_bars": 1, "timeframe": "1h"}
    strategy = load("volume_long_candle")
    assert strategy.parameters() == facts
    assert strategy.enabled


@pytest.mark.parametrize(
    "parameters", [{"vol_ma_window": 501}, {"vol_multiplier": 0.9}, {"body_pct": 0.2}, {"hold_period_bars": 0}]
)
def test_bounds(parameters):
    """What cannot be meant is refused."""
    with pytest.raises(BadParameterError):
        load("volume_long_candle", **parameters)
