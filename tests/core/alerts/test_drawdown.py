import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.alerts.alert import LEVELS
from coinhts_core.alerts.drawdown import fallen, level_of, newly_fallen, still_fallen
from coinhts_core.governance import Governance

RULES = Governance()
LEVEL = st.sampled_from([None, "warning", "error", "critical"])


@pytest.mark.parametrize(
    ("equity", "fall"),
    [([], 0.0), ([100.0], 0.0), ([100.0, 120.0, 90.0], 0.25), ([100.0, 50.0, 100.0], 0.0), ([0.0, 0.0], 0.0)],
)
def test_a_fall_is_from_the_highest_to_now(equity, fall):
    """What has recovered has not fallen."""
    assert fallen(equity) == pytest.approx(fall)


@pytest.mark.parametrize(
    ("fall", "level"),
    [(0.0499, None), (0.05, "warning"), (1 - 0.95, "warning"), (0.08, "error"), (0.15, "critical"), (1.0, "critical")],
)
def test_thresholds_are_five_eight_and_fifteen_percent(fall, level):
    """Unless they are set otherwise."""
    assert level_of(fall, RULES) == level
    assert level_of(fall, RULES.model_copy(update={"drawdown_warning_pct": 0.0})) == (level or "warning")


@given(st.lists(LEVEL, max_size=30))
def test_each_fall_is_told_once_and_again_only_after_it_recovered(course):
    """However it moves between the thresholds meanwhile."""
    told, news = {}, []
    for level in course:
        levels = {"sma_cross KRW-BTC": level}
        new = newly_fallen(levels, told)
        told = still_fallen(levels, told)
        news += [*new.values()]
        if level is None:
            assert told == {}
            news = []
        assert news == sorted(set(news), key=LEVELS.index)
        assert level is None or LEVELS.index(level) <= LEVELS.index(told["sma_cross KRW-BTC"])
