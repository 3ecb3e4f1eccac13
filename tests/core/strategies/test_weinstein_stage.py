import numpy as np

from coinhts_core.markets import Timeframe
from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of, noise, standing_still

SHORT = {"window": 20, "slope_window": 5}


def stages_by_hand(closes, window, slope_window, steep):
    """Each day's stage and confidence, 1 below an average that does not fall, 4 below one that does."""
    stages = {}
    for place in range(window + slope_window - 1, len(closes)):
        average = np.mean(closes[place - window + 1 : place + 1])
        slope = 100 * (average / np.mean(closes[place - slope_window - window + 1 : place - slope_window + 1]) - 1)
        if closes[place] > average:
            stages[place] = (2, 0.8 if slope > steep else 0.6) if slope > 0 else (3, 0.4)
        else:
            stages[place] = (4, 0.7) if slope < -steep else (1, 0.6)
    return stages


def test_it_enters_the_advance_and_leaves_the_top_or_the_decline():
    """On the day the stage turns, of whichever confidence."""
    strategy, bars = load("weinstein_stage", **SHORT), noise(600, 5)
    stages, decisions = stages_by_hand(bars.close, 20, 5, 0.5), strategy.decide(bars)
    assert not decisions[: strategy.warmup].any()
    for place in range(strategy.warmup, len(bars)):
        before, now = stages[place - 1][0], stages[place][0]
        assert decisions[place] == int(before != 2 and now == 2) - int(before < 3 <= now), place
    assert {-1, 1} <= set(decisions.tolist())
    rows = np.arange(strategy.warmup, len(bars))
    said = strategy.explain(bars, rows)
    assert list(zip(said["stage"], said["confidence"], strict=True)) == [stages[place] for place in rows.tolist()]


def test_a_market_comes_and_goes():
    """Flat, up, down: one way in, one out."""
    closes = np.concatenate([np.full(250, 100.0), np.linspace(100, 200, 150), np.linspace(200, 50, 150)])
    decisions = load("weinstein_stage").decide(bars_of(closes, timeframe=Timeframe.D1))
    assert decisions[decisions != 0].tolist() == [1, -1]


def test_an_average_that_stands_is_no_advance():
    """Above it is a top, below it a base."""
    bars = bars_of([99.0, 101.0] * 20)
    said = load("weinstein_stage", window=10, slope_window=2).explain(bars, np.arange(30, 34))
    assert (said["stage"], said["slope_pct"]) == ([1, 3, 1, 3], [0.0] * 4)


def test_it_looks_at_days_of_a_year():
    """Days, two hundred of them and twenty for the slope; fewer or flat ones decide nothing."""
    strategy = load("weinstein_stage")
    assert (strategy.timeframe, strategy.warmup) == (Timeframe.D1, 220)
    for bars in (standing_still(300, 0.1), noise(220, 1), bars_of([1.0]), bars_of([])):
        assert strategy.decide(bars).tolist() == [0] * len(bars)
