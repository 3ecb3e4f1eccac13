"""UTC days and ranges of them, as people write them.

What lives here: `parse_day`, `DayRange` and when a day is over. What stays out: now (`clock`) and bars
(`candles`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from coinhts_core.errors import BadTimeRangeError, FutureRangeError

_DAY = r"\d{8}|\d{4}-\d{2}-\d{2}"
_RANGE = re.compile(rf"({_DAY})?\s*(?:-|\.\.|:)\s*({_DAY})?", re.ASCII)


def last_complete_day(moment: datetime) -> date:
    """A day is over at 00:00 UTC (09:00 KST), the boundary of Upbit's own day bars."""
    return moment.astimezone(UTC).date() - timedelta(days=1)


def parse_day(text: str) -> date:
    word = text.strip()
    if not re.fullmatch(_DAY, word, re.ASCII):
        raise BadTimeRangeError(text=text, reason="a day is eight digits or an ISO date")
    try:
        return date.fromisoformat(word)
    except ValueError as error:
        raise BadTimeRangeError(text=text, reason="the calendar has no such day") from error


@dataclass(frozen=True)
class DayRange:
    """Days from first to last, both included; none when the last is before the first."""

    first: date
    last: date

    @classmethod
    def parse(cls, text: str, earliest: date, latest: date) -> Self:
        """`20260101-20260131`, ISO days, one day, or an open end; never reversed, never beyond `latest`."""
        word = text.strip()
        if re.fullmatch(_DAY, word, re.ASCII):
            first = last = parse_day(word)
        else:
            match = _RANGE.fullmatch(word)
            if match is None or not (match[1] or match[2]):
                raise BadTimeRangeError(text=text, reason="two days, or one with an open end, are wanted")
            first = parse_day(match[1]) if match[1] else earliest
            last = parse_day(match[2]) if match[2] else latest
        if (beyond := max(first, last)) > latest:
            raise FutureRangeError(day=beyond, last=latest)
        if first > last:
            raise BadTimeRangeError(text=text, reason="it ends before it begins")
        return cls(first, last)

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=offset) for offset in range(len(self)))

    def __len__(self) -> int:
        return max((self.last - self.first).days + 1, 0)

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"
