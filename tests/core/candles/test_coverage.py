from datetime import date

import pytest

from coinhts_core.candles.coverage import Answer, State, day_state, days_missing
from coinhts_core.candles.registry import Registered
from coinhts_core.markets import Market

DAY = date(2026, 1, 10)
STMX = Registered(
    Market("KRW-STMX"),
    first_day=date(2025, 2, 3),
    anchor=date(2026, 1, 5),
    delisted_on=date(2026, 1, 20),
    is_active=True,
)
COMPLETE, QUIET, DOWN = Answer("complete", 1_200), Answer("complete", 0), Answer("unavailable")


@pytest.mark.parametrize(
    ("answer", "stored_rows", "state"),
    [
        (None, 0, State.NOT_FETCHED),
        (DOWN, 0, State.UNAVAILABLE),
        (QUIET, 0, State.NO_TRADE),
        (COMPLETE, 1_200, State.TRADED),
        (COMPLETE, 0, State.NOT_FETCHED),
        (COMPLETE, 1_199, State.NOT_FETCHED),
        (None, 1_200, State.NOT_FETCHED),
    ],
)
def test_no_bars_mean_different_things(answer, stored_rows, state):
    """What was answered decides, and an answer counts only while its rows are stored."""
    assert day_state(DAY, STMX, answer, stored_rows) == state


@pytest.mark.parametrize(
    ("day", "listed"),
    [
        (date(2026, 1, 4), False),
        (date(2026, 1, 5), True),
        (date(2026, 1, 20), True),
        (date(2026, 1, 21), False),
    ],
)
def test_before_the_anchor_and_after_the_delisting_nothing_is_listed(day, listed):
    """Both ends belong to the listing, and outside no answer matters."""
    assert (day_state(day, STMX, None, 0) != State.NOT_LISTED) == listed
    assert (day_state(day, STMX, COMPLETE, 1_200) != State.NOT_LISTED) == listed


def test_what_is_missing_is_what_asking_again_could_bring():
    """Unasked, unanswered and lost days; not the quiet ones, nor those that are not listed."""
    days = [date(2026, 1, day) for day in range(3, 12)]
    answers = {days[3]: COMPLETE, days[4]: QUIET, days[5]: DOWN, days[6]: COMPLETE}
    assert days_missing(days, STMX, answers, {days[3]: 1_200}) == [days[2], *days[5:]]
