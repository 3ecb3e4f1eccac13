"""What of the kept results may go, and why each stays or goes.

What lives here: the rule, as a report; nothing is removed here. What to add: a reason to stay. What stays out: the
removal (`shelf`), and whoever decides that it happens.

A question's newest answer stays for ever, and so does whatever somebody pinned. An older answer, of other candles or
other code, stays for as many days after the next one came as the policy says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT_FOR_DAYS = 30


@dataclass(frozen=True)
class Answer:
    """A result, and which question it answers."""

    id: str
    question: str
    strategy: str
    kept_at: datetime
    is_pinned: bool


@dataclass(frozen=True)
class Verdict:
    """What becomes of an answer, and why."""

    answer: Answer
    goes: bool
    why: str

    @property
    def facts(self) -> dict[str, str | bool]:
        return {"id": self.answer.id, "strategy": self.answer.strategy, "goes": self.goes, "why": self.why}


def judged(answers: Sequence[Answer], moment: datetime, kept_for: timedelta) -> list[Verdict]:
    """A verdict for each, the oldest first."""
    in_order = sorted(answers, key=lambda of: (of.kept_at, of.id))
    after: dict[str, Answer] = {}
    verdicts = []
    for answer in reversed(in_order):
        verdicts.append(_verdict(answer, after.get(answer.question), moment, kept_for))
        after[answer.question] = answer
    return verdicts[::-1]


def _verdict(answer: Answer, following: Answer | None, moment: datetime, kept_for: timedelta) -> Verdict:
    if answer.is_pinned:
        return Verdict(answer, goes=False, why="it is pinned")
    if following is None:
        return Verdict(answer, goes=False, why="nothing newer answers its question")
    newer = f"{following.id[:12]} of {following.kept_at:%Y-%m-%d} answers the same question"
    if moment - following.kept_at < kept_for:
        return Verdict(answer, goes=False, why=f"{newer}, and that is not {kept_for.days} days ago")
    return Verdict(answer, goes=True, why=f"{newer}, since {kept_for.days} days or more")
