import numpy as np

from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of, noise, standing_still, without_volume


def test_it_enters_at_new_highs_with_volume():
    """Above the highs of all bars before, on more than twice the average volume."""
    strategy, bars = load("donchian_breakout", window=5, vol_window=4, vol_multiplier=1.2), noise(500, 4)
    expected = [0] * 5 + [
        int(bars.close[place] > max(bars.high[place - 5 : place]) and bars.volume[place] > 1.2 * usual)
        for place in range(5, 500)
        for usual in [np.mean(bars.volume[place - 3 : place + 1])]
    ]
    assert strategy.decide(bars).tolist() == expected
    assert sum(expected) > 10


def test_equal_is_not_above():
    """The highest high again, or exactly twice the volume, is not enough."""
    high, volume = [10.0] * 20, [1.0] * 19
    more = 40.0
    assert load("donchian_breakout").decide(bars_of([9.0] * 20 + [11.0], volume=[*volume, 1.0, more])).any()
    assert not load("donchian_breakout").decide(bars_of([*high, 10.0], volume=[*volume, 1.0, more])).any()
    assert (
        not load("donchian_breakout", vol_window=2)
        .decide(bars_of([9.0] * 20 + [11.0], volume=[0.0] * 20 + [1.0]))
        .any()
    )


def test_the_rule_of_the_comparison_is_the_default():
    """Twenty bars, twice the volume, sixty bars to go; both windows must stand."""
    strategy = load("donchian_breakout")
    assert strategy.parameters() == {
        "timeframe": "1h", "window": 20, "vol_window": 20, "vol_multiplier": 2.0, "hold_period_bars": 60
    }  # fmt: skip
    assert (strategy.hold_bars, strategy.warmup, load("donchian_breakout", vol_window=50).warmup) == (60, 20, 49)


def test_without_volume_or_bars_nothing_is_decided():
    """Nor where prices stand still."""
    strategy = load("donchian_breakout")
    for bars in (standing_still(), without_volume(noise(100, 1)), noise(20, 1), bars_of([])):
        assert strategy.decide(bars).tolist() == [0] * len(bars)


def test_what_it_says():
    """The volume in averages."""
    bars = bars_of([1.0] * 20, volume=[1.0] * 19 + [21.0])
    assert load("donchian_breakout").explain(bars, np.array([19])) == {"volume_ratio": [10.5]}
