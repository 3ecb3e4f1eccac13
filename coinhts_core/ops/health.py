"""Health: what the facts about a part of the house mean, and what the parts together mean.

What lives here: states, limits, and a judgement for each component that has limits. What to add: a judgement, which is
handed its facts and the moment. What stays out: finding facts, in time (`coinhts_pipeline.health`), and telling.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from coinhts_core.days import last_complete_day

WORK_BEGINS_AFTER = timedelta(minutes=10)  # after midnight UTC, by the schedule of the day's work
_TIME_TO_WORK = timedelta(hours=1)
_A_DAY_LATE = _TIME_TO_WORK + timedelta(days=1)

_GIB = 2**30
_LEAST_FREE, _ROOM_ENOUGH = 1 * _GIB, 5 * _GIB
_NAMES_ENOUGH = 10_000

_CLOCKS_AGREE, _CLOCKS_MISLEAD = timedelta(seconds=5), timedelta(minutes=5)

_LONGEST_SILENCE = timedelta(minutes=3)
_LONGEST_WITHOUT_TICK = timedelta(minutes=5)

_VERIFIED_DAILY, _VERIFIED_ENOUGH = timedelta(hours=26), timedelta(hours=36)
_DRILLED_ENOUGH = timedelta(hours=36)
_SHOWN = 5
_VITAL = ("ledger", "scheduler")


class Status(StrEnum):
    """How a component does, the best first."""

    HEALTHY = "healthy"
    WARNING = "warning"
    UNHEALTHY = "unhealthy"

    @property
    def gravity(self) -> int:
        return list(Status).index(self)


class Overall(StrEnum):
    """How the house does: what is vital is unhealthy, or anything at all is not healthy, or neither."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class Judged:
    """What facts mean: a sentence without its end, which is what to do."""

    status: Status
    reason: str
    to_do: str = ""


@dataclass(frozen=True)
class Component:
    """A part of the house: how it does, how long it took to tell, why, and what to do."""

    name: str
    status: Status
    latency_ms: float
    reason: str
    to_do: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.reason}; {self.to_do}" if self.to_do else self.reason


@dataclass(frozen=True)
class Health:
    """All components that were looked at, and when."""

    looked_at: datetime
    components: tuple[Component, ...]

    @property
    def overall(self) -> Overall:
        return overall({of.name: of.status for of in self.components})

    @property
    def worst(self) -> Component:
        """The first that explains why the house does as it does."""
        return max(self.components, key=lambda of: (of.status.gravity, of.name in _VITAL))

    @property
    def facts(self) -> dict[str, Any]:
        components = [{**vars(of), "status": of.status.value} for of in self.components]
        return {"status": self.overall.value, "looked_at": self.looked_at.isoformat(), "components": components}


def overall(statuses: Mapping[str, Status]) -> Overall:
    if any(statuses.get(name) is Status.UNHEALTHY for name in _VITAL):
        return Overall.UNHEALTHY
    return Overall.HEALTHY if set(statuses.values()) <= {Status.HEALTHY} else Overall.DEGRADED


@dataclass(frozen=True)
class Room:
    """What is free on the disk of a place: bytes, and names of files where their number is limited."""

    place: str
    free: int
    names: int | None = None


def disk(rooms: Collection[Room]) -> Judged:
    """The fullest tells."""
    tightest = min(rooms, key=lambda room: room.free)
    what = f"{tightest.free / _GIB:,.1f} GiB free below {tightest.place}"
    to_do = "make room, or move COINHTS_HOME to a larger disk"
    if tightest.free < _ROOM_ENOUGH:
        return Judged(Status.UNHEALTHY if tightest.free < _LEAST_FREE else Status.WARNING, what, to_do)
    crowded = [room for room in rooms if room.names is not None and room.names < _NAMES_ENOUGH]
    if crowded:
        return Judged(Status.WARNING, f"only {crowded[0].names:,} more files fit below {crowded[0].place}", to_do)
    return Judged(Status.HEALTHY, what)


def clock(apart: Mapping[str, timedelta]) -> Judged:
    """How far this machine's clock is from those of others, by their names."""
    if not apart:
        return Judged(Status.WARNING, "nobody else's clock could be read", "see what the ledger says")
    whose = max(apart, key=lambda name: apart[name])
    if apart[whose] <= _CLOCKS_AGREE:
        theirs = " and ".join(f"{name}'s" for name in apart)
        return Judged(Status.HEALTHY, f"this machine's is {theirs}")
    status = Status.UNHEALTHY if apart[whose] > _CLOCKS_MISLEAD else Status.WARNING
    what = f"this machine's clock and {whose}'s differ by {apart[whose].total_seconds():,.0f} s"
    return Judged(status, what, "set this machine's clock and PostgreSQL's by NTP: days end by the clock")


@dataclass(frozen=True)
class Work:
    """What is done day by day: the first and last day it is wanted for, and the newest before which all is done."""

    of: str
    first: date
    last: date | None
    done: date | None

    def overdue(self, moment: datetime) -> timedelta | None:
        """Since when the first missing day is due; None when none is missing."""
        wanted = min(last_complete_day(moment), self.last or date.max)
        missing = self.first if self.done is None else max(self.first, self.done + timedelta(days=1))
        if missing > wanted:
            return None
        return moment - (datetime.combine(missing + timedelta(days=1), time(), UTC) + WORK_BEGINS_AFTER)


def candles(works: Collection[Work], moment: datetime) -> Judged:
    to_do = "`coinhts backfill` collects them, and `coinhts data gaps` says why they are missing"
    return _done_in_time(works, moment, "no coin is followed", "collected", to_do)


def signals(works: Collection[Work], moment: datetime) -> Judged:
    to_do = "look at the failed runs in the UI, then `coinhts backfill` decides"
    return _done_in_time(works, moment, "no strategy is enabled, or no coin followed", "decided", to_do)


def _done_in_time(works: Collection[Work], moment: datetime, nothing: str, done: str, to_do: str) -> Judged:
    """An hour after its time work is late; a day later it is no delay any more. What never began is not broken."""
    overdue = {work: since for work in works if (since := work.overdue(moment)) is not None and since > _TIME_TO_WORK}
    late = {work.of: since for work, since in overdue.items() if work.done is not None}
    if late:
        longest = max(late.values())
        what = f"{len(late)} of {len(works)} not {done} for {_words(longest)}: {_named(late)}"
        return Judged(Status.UNHEALTHY if longest > _A_DAY_LATE else Status.WARNING, what, to_do)
    if overdue:
        return Judged(Status.WARNING, f"never {done} yet: {_named(work.of for work in overdue)}", to_do)
    days = [work.done for work in works if work.done]
    return Judged(Status.HEALTHY, f"{done} up to {max(days)}" if days else nothing)


@dataclass(frozen=True)
class Heard:
    """What was heard of the scheduler: since when it is on, its last beat, its last tick, and what failed."""

    was_ever_up: bool
    up_since: datetime | None
    beat_at: datetime | None
    ticked_at: datetime | None
    complaining: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def scheduler(heard: Heard, moment: datetime, logs: str) -> Judged:
    if heard.up_since is None:
        if not heard.was_ever_up:
            return Judged(Status.WARNING, "`coinhts up` was never started here, so no schedule runs", "start it")
        return Judged(Status.UNHEALTHY, "`coinhts up` is not on, so no schedule and no sensor runs", "start it")
    silent = moment - max(heard.up_since, heard.beat_at or heard.up_since)
    if silent > _LONGEST_SILENCE:
        what = f"the daemon is silent for {_words(silent)} although `coinhts up` is on"
        return Judged(Status.UNHEALTHY, what, f"look into daemon.log in {logs}, then start `coinhts up` again")
    idle = moment - max(heard.up_since, heard.ticked_at or heard.up_since)
    if idle > _LONGEST_WITHOUT_TICK:
        what = f"no schedule and no sensor was looked at for {_words(idle)}: the code location does not answer"
        return Judged(Status.UNHEALTHY, what, f"look into code.log in {logs}, then start `coinhts up` again")
    if heard.complaining or heard.failed:
        what = f"in trouble: {_named([*heard.complaining, *heard.failed])}"
        return Judged(Status.WARNING, what, "the UI's page Automation tells why, that of daemons (Deployment), too")
    return Judged(Status.HEALTHY, f"heard of {max(silent.total_seconds(), 0):.0f} s ago")


@dataclass(frozen=True)
class Copies:
    """What is known of the backups: of when the oldest and the newest verified are, the last drill, what is damaged."""

    first_at: datetime | None
    verified_at: datetime | None
    drilled_at: datetime | None
    damaged: tuple[str, ...] = ()
    is_newest_damaged: bool = False


def backups(copies: Copies, moment: datetime) -> Judged:
    if copies.first_at is None:
        return Judged(Status.WARNING, "none was ever taken", "`coinhts backup run` takes one, and `coinhts up` daily")
    judged = [_verified(copies, moment - (copies.verified_at or copies.first_at))]
    judged.append(_drilled(copies, moment - (copies.drilled_at or copies.first_at)))
    if copies.damaged:
        status = Status.UNHEALTHY if copies.is_newest_damaged else Status.WARNING
        to_do = "`coinhts backup verify` tells what is wrong, and `coinhts backup run` takes another"
        judged.append(Judged(status, f"damaged: {_named(copies.damaged)}", to_do))
    return max(judged, key=lambda of: of.status.gravity)


def _verified(copies: Copies, age: timedelta) -> Judged:
    what = f"the newest that was verified is of {_words(age)} ago" if copies.verified_at else "none was verified yet"
    if age <= _VERIFIED_DAILY:
        return Judged(Status.HEALTHY, what)
    status = Status.UNHEALTHY if age > _VERIFIED_ENOUGH else Status.WARNING
    return Judged(status, what, "`coinhts backup run` takes one and verifies it")


def _drilled(copies: Copies, age: timedelta) -> Judged:
    if age <= _DRILLED_ENOUGH:
        return Judged(Status.HEALTHY, "one was restored to try it")
    what = f"none was restored to try it {f'for {_words(age)}' if copies.drilled_at else 'yet'}"
    return Judged(Status.UNHEALTHY, what, "`coinhts backup drill` does it")


def _named(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{', '.join(listed[:_SHOWN])}{more}"


def _words(span: timedelta) -> str:
    minutes = int(max(span, timedelta()).total_seconds() // 60)
    if minutes < 2 * 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 3 * 24 * 60 else f"{minutes // (24 * 60)} days"
