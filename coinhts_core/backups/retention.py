"""Which backups stay, and why; what may go waits for a report, and often for more than that.

What lives here: the policy, its verdicts and the refusals, all of it pure. What to add: a rule that keeps, or a reason
to remove none this time. What stays out: the removal (`pruning`), and what a backup is (`manifest`, `shelf`).

The rules are ORed: every backup of the last 48 hours, and the best of each of the last 30 days, 8 weeks and 12 months
that have one. Spans are counted back from the newest backup, not from the clock, which may be wrong. The best is the
newest that was proved good; one that was found damaged is never the best.

None goes at all while any of these holds, for then something else is wrong:
    the policy keeps nothing · fewer than three were proved good · the newest proved one is older than 26 hours ·
    the newest that was looked at is damaged · the clock stands more than a day beside what it wrote
And never more than a fifth of them goes at once, the oldest first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from coinhts_core.backups.shelf import Kept

FLOOR = 3
YOUNG_ENOUGH = timedelta(hours=26)
_A_DAY = timedelta(days=1)
_PART_AT_ONCE = 5

State = Literal["kept", "obsolete", "refused"]


@dataclass(frozen=True)
class Policy:
    """For how long every backup stays, and for how many days, weeks and months one of each."""

    hours: int = 48
    days: int = 30
    weeks: int = 8
    months: int = 12

    @property
    def is_empty(self) -> bool:
        return not any(span > 0 for span in (self.hours, self.days, self.weeks, self.months))


@dataclass(frozen=True)
class Verdict:
    """What becomes of a backup, and why."""

    backup: Kept
    state: State
    why: str

    @property
    def goes(self) -> bool:
        return self.state == "obsolete"

    @property
    def facts(self) -> dict[str, str | int]:
        return {"name": self.backup.name, "size": self.backup.size, "state": self.state, "why": self.why}


@dataclass(frozen=True)
class Report:
    """A verdict for each, the oldest first; `refusals` say why none of them goes this time."""

    verdicts: tuple[Verdict, ...]
    refusals: tuple[str, ...]

    @property
    def obsolete(self) -> list[Kept]:
        return [of.backup for of in self.verdicts if of.goes]


SHIPPED = Policy()


def judged(
    backups: Sequence[Kept], moment: datetime, policy: Policy = SHIPPED, written_at: datetime | None = None
) -> Report:
    """What may go, and what stays; nothing is removed here.

    `written_at` is when the newest was written by its place's own clock, where that is known.
    """
    in_order = sorted(backups, key=lambda of: of.taken_at)
    reasons = dict(_reasons(in_order, policy))
    refusals = tuple(_refusals(in_order, moment, policy, written_at))
    may_go = [of.name for of in in_order if of.name not in reasons][: len(in_order) // _PART_AT_ONCE]
    verdicts = [_verdict(of, reasons.get(of.name), refusals, is_in_turn=of.name in may_go) for of in in_order]
    return Report(tuple(verdicts), refusals)


def _verdict(backup: Kept, why: str | None, refusals: Sequence[str], *, is_in_turn: bool) -> Verdict:
    if why:
        return Verdict(backup, "kept", why)
    if refusals:
        return Verdict(backup, "refused", refusals[0])
    if not is_in_turn:
        return Verdict(backup, "refused", "only a fifth of all goes at once, the oldest first")
    return Verdict(backup, "obsolete", "no rule keeps it")


def _reasons(in_order: Sequence[Kept], policy: Policy) -> Iterator[tuple[str, str]]:
    """Why each that stays does; of several reasons the last one told counts."""
    worthy = [of for of in in_order if of.is_whole]
    for span, key, what in (
        (policy.months, _month, "month"),
        (policy.weeks, _week, "week"),
        (policy.days, datetime.date, "day"),
    ):
        yield from ((of.name, f"the best of its {what}") for of in _best(worthy, span, key))
    hours = timedelta(hours=policy.hours)
    newest = in_order[-1:]
    yield from (
        (of.name, f"not {policy.hours} hours older than the newest")
        for of in in_order
        if newest[0].taken_at - of.taken_at < hours
    )
    yield from ((of.name, f"one of the {FLOOR} newest that were proved good") for of in _proved(in_order)[-FLOOR:])
    yield from ((of.name, "the newest") for of in newest)


def _month(at: datetime) -> object:
    return at.year, at.month


def _week(at: datetime) -> object:
    return at.isocalendar()[:2]


def _best(worthy: Sequence[Kept], span: int, key: Callable[[datetime], object]) -> list[Kept]:
    """Of each of the last so many spans that have one: the newest proved good, or else the newest."""
    spans: dict[object, Kept] = {}
    for of in worthy:
        held = spans.get(key(of.taken_at))
        if held is None or of.verdict == "verified" or held.verdict != "verified":
            spans[key(of.taken_at)] = of
    return list(spans.values())[-span:] if span > 0 else []


def _proved(in_order: Sequence[Kept]) -> list[Kept]:
    return [of for of in in_order if of.verdict == "verified"]


def _refusals(in_order: Sequence[Kept], moment: datetime, policy: Policy, written_at: datetime | None) -> Iterator[str]:
    if policy.is_empty:
        yield "the policy is empty: it would keep nothing"
    proved, looked_at = _proved(in_order), [of for of in in_order if of.verdict != "unverified"]
    if len(proved) < FLOOR:
        yield f"only {len(proved)} of them were proved good, and {FLOOR} must be"
    elif moment - proved[-1].taken_at > YOUNG_ENOUGH:
        hours = int(YOUNG_ENOUGH.total_seconds() // 3600)
        yield f"the newest that was proved good, {proved[-1].name}, is older than {hours} hours"
    if looked_at and not looked_at[-1].is_whole:
        yield f"{looked_at[-1].name} is damaged, and none taken since was proved good"
    if in_order and _is_far(in_order[-1].taken_at, moment, written_at):
        yield f"the clock jumped by more than a day: {in_order[-1].name} was not written when it says"


def _is_far(taken_at: datetime, moment: datetime, written_at: datetime | None) -> bool:
    is_of_tomorrow = taken_at - moment > _A_DAY
    return is_of_tomorrow or (written_at is not None and abs(written_at - taken_at) > _A_DAY)
