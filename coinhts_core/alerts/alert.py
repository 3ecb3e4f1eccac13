"""An alert: a key, a level, a title and a body.

What lives here: what an alert is, and its words: times as people in Korea read them, nothing that cannot be printed.
What stays out: keeping alerts (`outbox`) and sending them (`delivery`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal, get_args

from coinhts_core.wording import clipped

Level = Literal["info", "warning", "error", "critical"]
LEVELS: tuple[Level, ...] = get_args(Level)
_KST = timezone(timedelta(hours=9), "KST")
_LONGEST_TITLE = 150
_LONGEST_BODY = 3_000


@dataclass(frozen=True)
class Alert:
    """What is to be told; alerts of one key tell of one thing, again and again."""

    key: str
    level: Level
    title: str
    body: str = ""


@dataclass(frozen=True)
class Letter:
    """An alert as it is sent: numbered, dated, and with how often it was raised again meanwhile."""

    number: int
    key: str
    level: Level
    title: str
    body: str
    raised_at: datetime
    repeats: int = 0

    @property
    def lines(self) -> list[str]:
        """What stands below the title."""
        again = [f"raised {self.repeats} times more since"] if self.repeats > 1 else []
        once = ["raised once more since"] if self.repeats == 1 else []
        return [*self.body.splitlines(), *again, *once, f"{moment(self.raised_at)}, alert {self.number}"]


def at_least(level: Level) -> list[Level]:
    return list(LEVELS[LEVELS.index(level) :])


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC ({at.astimezone(_KST):%m-%d %H:%M} KST)"


def title_of(text: str) -> str:
    """One printable line."""
    return clipped(" ".join(text.split()), _LONGEST_TITLE)[: _LONGEST_TITLE + 60]


def body_of(text: str) -> str:
    """Printable lines, not too many."""
    lines = "\n".join(clipped(line, _LONGEST_BODY) for line in text.strip().splitlines())
    return lines if len(lines) <= _LONGEST_BODY else f"{lines[:_LONGEST_BODY]}… ({len(lines)} characters)"
