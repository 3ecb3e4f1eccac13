"""Windows tile the days to their end, and nothing unseen is ever among what is chosen in."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.windows import windows_over
from coinhts_core.days import DayRange
from coinhts_core.errors import RefusedError

FIRST = date(2026, 1, 1)
DAY = timedelta(days=1)


def days(count):
    return DayRange(FIRST, FIRST + timedelta(days=count - 1))


def spans(windows):
    return [
        tuple((day - FIRST).days for of in (each.seen, each.unseen) for day in (of.first, of.last)) for each in windows
    ]


def test_rolling_and_anchored_by_hand():
    """Of 17 days at 3 to 1, three windows have 2 unseen days each; what is left over is chosen in."""
    assert spans(windows_over(days(17), 3)) == [(0, 10, 11, 12), (2, 12, 13, 14), (4, 14, 15, 16)]
    assert spans(windows_over(days(17), 3, is_anchored=True)) == [(0, 10, 11, 12), (0, 12, 13, 14), (0, 14, 15, 16)]


@given(st.integers(1, 900), st.integers(1, 40), st.floats(0.5, 8.0), st.booleans())
def test_laws_of_windows(count, folds, ratio, is_anchored):
    """Unseen days follow one another to the last day, right behind days of at least the ratio; or it is refused."""
    try:
        windows = windows_over(days(count), folds, ratio, is_anchored=is_anchored)
    except RefusedError:
        assert count < 2 * (folds + ratio + 1)
        return
    assert [of.number for of in windows] == list(range(1, folds + 1))
    assert windows[-1].unseen.last == days(count).last
    for earlier, later in pairwise(windows):
        assert later.unseen.first == earlier.unseen.last + DAY
        assert len(later.unseen) == len(earlier.unseen)
    for of in windows:
        assert of.seen.last + DAY == of.unseen.first
        assert len(of.seen) >= min(ratio * len(of.unseen), len(windows[0].seen))
        assert of.seen.first == FIRST if is_anchored else len(of.seen) == len(windows[0].seen)


@pytest.mark.parametrize(("count", "folds", "ratio"), [(3, 5, 3.0), (30, 0, 3.0), (30, 5, 0.0), (2, 1, 0.5)])
def test_what_cannot_be_cut_is_refused(count, folds, ratio):
    """Too few days, no window, or nothing to choose in."""
    with pytest.raises(RefusedError, match="ask for"):
        windows_over(days(count), folds, ratio)
