import numpy as np

from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of, noise, standing_still


def test_it_enters_above_the_band_and_leaves_below_the_average():
    """Each on the bar that crosses, by bands worked out one window after another."""
    strategy, bars = load("bollinger_breakout", window=12, deviations=1.5), noise(400, 2)
    windows = np.lib.stride_tricks.sliding_window_view(bars.close, 12)
    middle, spread = windows.mean(axis=1), windows.std(axis=1)
    is_above, is_below = bars.close[11:] > middle + 1.5 * spread, bars.close[11:] < middle
    expected = (is_above[1:] & ~is_above[:-1]).astype(int) - (is_below[1:] & ~is_below[:-1])
    assert strategy.decide(bars).tolist() == [0] * 12 + expected.tolist()
    assert {-1, 1} <= set(expected.tolist())


def test_a_jump_out_of_calm():
    """Nothing while the price stands still at any decimal, in at the jump, out when it is over."""
    bars = bars_of([0.1] * 30 + [0.2] + [0.1] * 10)
    decisions = load("bollinger_breakout").decide(bars)
    assert np.flatnonzero(decisions).tolist() == [30, 31]
    assert decisions[30:32].tolist() == [1, -1]
    for calm in (standing_still(price=0.1), standing_still(price=1 / 3), bars_of([1.0]), bars_of([])):
        assert not load("bollinger_breakout").decide(calm).any()


def test_what_it_says():
    """The three lines."""
    said = load("bollinger_breakout", window=2, deviations=1.0).explain(bars_of([1.0, 3.0]), np.array([1]))
    assert said == {"lower": [1.0], "middle": [2.0], "upper": [3.0]}
