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
COMPLETE, QUIET, DOWN = Answer("complete", 1_200, "a"), Answer("complete", 0, "empty"), Answer("unavailable")
PARTIAL = Answer("partial", 1_199, "b")


@pytest.mark.parametrize(
    ("answer", "stored_hash", "state"),
    [
        (None, None, State.NOT_FETCHED),
        (DOWN, None, State.UNAVAILABLE),
        (QUIET, "empty", State.NO_TRADE),
        (COMPLETE, "a", State.TRADED),
        (PARTIAL, "b", State.BAD_BARS),
        (QUIET, None, State.NOT_FETCHED),
        (COMPLETE, None, State.NOT_FETCHED),
        (COMPLETE, "b", State.NOT_FETCHED),
        (PARTIAL, "a", State.NOT_FETCHED),
        (None, "a", State.NOT_FETCHED),
    ],
)
def test_no_bars_mean_different_things(answer, stored_hash, state):
    """What was answered decides, and an answer counts only while its very rows are stored."""
    assert day_state(DAY, STMX, answer, stored_hash) == state


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
    assert (day_state(day, STMX, None, None) != State.NOT_LISTED) == listed
    assert (day_state(day, STMX, COMPLETE, "a") != State.NOT_LISTED) == listed


def test_what_is_missing_is_what_asking_again_could_bring():
    """Unasked, unanswered and lost days, and those with bad bars; not the quiet ones, nor those not listed."""
    days = [date(2026, 1, day) for day in range(3, 13)]
    answers = dict(zip(days[3:8], (COMPLETE, QUIET, DOWN, COMPLETE, PARTIAL), strict=True))
    stored = {days[3]: "a", days[4]: "empty", days[7]: "b"}
    assert days_missing(days, STMX, answers, stored) == [days[2], *days[5:]]
