"""What is known about a day: traded, quiet, told with bad bars, not fetched, venue down, or not listed.

What lives here: the answers to "was it asked, and what was said?", as pure functions. What to add: nothing; a
new kind of answer is a migration. What stays out: the table that keeps the answers (`ledger`) and asking
(`collection`).

A minute without a trade has no bar at the venue, so a missing bar alone says nothing. Only with the answer
beside it do "nobody traded", "nobody asked" and "the venue was down" become three things.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Literal, Protocol


class State(StrEnum):
    """All there is to know about a day of one symbol."""

    TRADED = "traded"
    NO_TRADE = "no trade"
    BAD_BARS = "bad bars"
    NOT_FETCHED = "not fetched"
    UNAVAILABLE = "exchange down"
    NOT_LISTED = "not listed"


class Listed(Protocol):
    """A symbol that knows from its anchor to which day it is listed."""

    def is_listed_on(self, day: date) -> bool: ...


@dataclass(frozen=True)
class Answer:
    """What the venue said when it was asked for one day, and the hash of the rows that were kept of it."""

    kind: Literal["complete", "partial", "unavailable"]
    row_count: int = 0
    content_hash: str | None = field(default=None, compare=False)
    reason: str = field(default="", compare=False)


def day_state(day: date, symbol: Listed, answer: Answer | None, stored_hash: str | None) -> State:
    """Count an answer only while its very rows are there: lost or exchanged rows are to be fetched again."""
    if not symbol.is_listed_on(day):
        return State.NOT_LISTED
    if answer is None:
        return State.NOT_FETCHED
    if answer.kind == "unavailable":
        return State.UNAVAILABLE
    if answer.content_hash != stored_hash:
        return State.NOT_FETCHED
    if answer.kind == "partial":
        return State.BAD_BARS
    return State.TRADED if answer.row_count else State.NO_TRADE


def days_missing(
    days: Iterable[date], symbol: Listed, answers: Mapping[date, Answer], stored_hashes: Mapping[date, str]
) -> list[date]:
    """Days worth asking the venue for: never asked, not answered completely, or answered and lost."""
    worth_asking = {State.NOT_FETCHED, State.UNAVAILABLE, State.BAD_BARS}
    states = {day: day_state(day, symbol, answers.get(day), stored_hashes.get(day)) for day in days}
    return [day for day, state in states.items() if state in worth_asking]
