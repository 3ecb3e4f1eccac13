from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coinhts_core.days import DayRange, last_complete_day, parse_day
from coinhts_core.errors import BadTimeRangeError, FutureRangeError

EARLIEST, LATEST = date(2026, 1, 1), date(2026, 3, 31)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC), date(2025, 12, 31)),
        (datetime(2026, 1, 2, 8, 59, tzinfo=timezone(timedelta(hours=9))), date(2025, 12, 31)),
        (datetime(2026, 1, 2, 9, tzinfo=timezone(timedelta(hours=9))), date(2026, 1, 1)),
    ],
)
def test_a_day_is_over_at_nine_in_seoul(moment, day):
    """Midnight UTC, wherever the clock stands."""
    assert last_complete_day(moment) == day


@pytest.mark.parametrize("text", ["20260102", "2026-01-02", " 20260102\n"])
def test_a_day_is_eight_digits_or_iso(text):
    """Both are the same day."""
    assert parse_day(text) == date(2026, 1, 2)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-1-2", "20260230", "00000101", "\uff12\uff10\uff12\uff160101", "2026/01/02", "9" * 10_000]
)
def test_anything_else_is_no_day(text):
    """Nor is a day the calendar does not have."""
    with pytest.raises(BadTimeRangeError, match="is not a range of days"):
        parse_day(text)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("20260110-20260120", date(2026, 1, 10), date(2026, 1, 20)),
        ("2026-01-10-2026-01-20", date(2026, 1, 10), date(2026, 1, 20)),
        ("2026-01-10..20260120", date(2026, 1, 10), date(2026, 1, 20)),
        ("2026-01-10:2026-01-20", date(2026, 1, 10), date(2026, 1, 20)),
        (" 20260110 - 20260120 ", date(2026, 1, 10), date(2026, 1, 20)),
        ("20260110", date(2026, 1, 10), date(2026, 1, 10)),
        ("2026-01-10", date(2026, 1, 10), date(2026, 1, 10)),
        ("20260110-", date(2026, 1, 10), LATEST),
        ("-20260120", EARLIEST, date(2026, 1, 20)),
    ],
)
def test_ranges_are_read_as_people_write_them(text, first, last):
    """Both ends included; an open end is the earliest or the latest day."""
    assert DayRange.parse(text, EARLIEST, LATEST) == DayRange(first, last)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("20260120-20260110", "ends before it begins"),
        ("-20251231", "ends before it begins"),
        ("-", "one with an open end"),
        ("", "one with an open end"),
        ("last week", "one with an open end"),
        ("20260101-20260102-20260103", "one with an open end"),
        ("20260101 20260102", "one with an open end"),
        ("20260101-20260230", "no such day"),
    ],
)
def test_reversed_and_nonsense_ranges_are_refused(text, reason):
    """The sentence says what is wrong with it."""
    with pytest.raises(BadTimeRangeError, match=reason):
        DayRange.parse(text, EARLIEST, LATEST)


@pytest.mark.parametrize("text", ["20260401", "20260301-20260401", "20260401-", "20270101-20260101"])
def test_a_day_that_is_not_over_is_refused(text):
    """The last complete day is named."""
    with pytest.raises(FutureRangeError, match="the last complete day is 2026-03-31"):
        DayRange.parse(text, EARLIEST, LATEST)


@given(st.text(max_size=30))
@example("20260101-" + " " * 10_000)
def test_parsing_ends_with_a_range_or_a_refusal(text):
    """There is no third way out."""
    try:
        days = DayRange.parse(text, EARLIEST, LATEST)
    except (BadTimeRangeError, FutureRangeError):
        return
    assert days.first <= days.last <= LATEST


@given(st.dates(), st.integers(-5, 400))
def test_a_range_is_its_days(first, length):
    """Iterated, counted and asked, it tells the same; reversed, it holds nothing."""
    last = min(first.toordinal() + length - 1, date.max.toordinal())
    days = DayRange(first, date.fromordinal(max(last, 1)))
    listed = list(days)
    assert len(days) == len(listed)
    assert listed == sorted(set(listed))
    assert all(day in days for day in listed)
    assert first - timedelta(1) not in days if first > date.min else True
    assert (first in days) == bool(listed)
    assert "2026-01-01" not in days
