"""What happened when in a month of operation, as a table; and what should have happened and did not.

What lives here: the diary, its lines and totals, and what must be so in the end. What
stays out: what happens (`month`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import psycopg

from coinhts_core.alerts.alert import LEVELS
from coinhts_core.alerts.outbox import Listed, Outbox
from coinhts_core.backups.history import age_of_drill
from coinhts_core.backups.manifest import Drilled
from coinhts_core.backups.retention import judged
from coinhts_core.backups.shelf import BackupShelf, Kept
from coinhts_core.backups.take import addresses
from coinhts_core.candles.coverage import State
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.inventory import take_inventory
from coinhts_pipeline.health import work
from coinhts_pipeline.installation import Installation
from tests.benchmarks.daemon_hand import Note, spent

KST = timedelta(hours=9)
COLUMNS = {
    "day, from 09:00 KST": 19,
    "asked": 6,
    "looked": 7,
    "runs": 5,
    "failed": 7,
    "backups": 10,
    "drills": 14,
    "alerts": 12,
    "newest day": 11,
    "waited": 8,
}
_A_DAY = timedelta(days=1)
_WEEKS = timedelta(days=15)
_WELL = {State.TRADED, State.NO_TRADE, State.NOT_LISTED}
_MOST_ALERTS = 10_000
_SHOWN_COSTS = 12


@dataclass
class Day:
    """What was noted of a day, and how things stood at its end."""

    begins: datetime
    notes: list[Note] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    drilled: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    kept: int = 0
    newest: date | None = None
    oldest_wait: timedelta = timedelta()

    def count(self, kind: str, *outcomes: str) -> int:
        return sum(of.kind == kind and (not outcomes or of.outcome in outcomes) for of in self.notes)


class Diary:
    """Notes day by day, and what the house itself can tell."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.days: list[Day] = []
        self.before: list[Note] = []
        self._known: dict[str, Kept] = {}
        self._files: set[Path] = set()

    def begin(self, midnight: datetime) -> None:
        """A new page."""
        self.days.append(Day(midnight))

    def note(self, of: Note) -> None:
        (self.days[-1].notes if self.days else self.before).append(of)

    def look(self, at: datetime) -> None:
        """At backups that came and went, and at how long the newest day that is there has been waited for."""
        files = set(Path(self._installation.settings.backups_url).glob("[!o]*/*"))  # the shared objects are many
        if files != self._files:
            self._files = files
            self._look_at_backups(self.days[-1])
        self._look_at_days(self.days[-1], at)

    def _look_at_backups(self, day: Day) -> None:
        found = {of.name: of for of in BackupShelf.open(self._installation.settings).listed()}
        was = self._known
        day.taken += sorted(found.keys() - was.keys())
        day.removed += sorted(was.keys() - found.keys())
        for name, of in found.items():
            before = was.get(name)
            if of.drilled_at and (before is None or before.drilled_at != of.drilled_at):
                day.drilled.append(name)
            if not of.is_whole and (before is None or before.is_whole):
                day.damaged.append(name)
        self._known = found

    def _look_at_days(self, day: Day, at: datetime) -> None:
        day.kept = len(self._known)
        listed = [of for of in work.followed(self._installation.rooms.ledger) if of.is_listed_on(last_complete_day(at))]
        answered = [of.answered for of in listed if of.answered]
        if answered:
            day.newest = min(answered)
            day.oldest_wait = max(day.oldest_wait, at - datetime.combine(day.newest + _A_DAY, time(), UTC))

    @property
    def notes(self) -> list[Note]:
        return [*self.before, *(note for day in self.days for note in day.notes)]

    @property
    def alerts(self) -> list[Listed]:
        """All that were raised, the oldest first."""
        outbox = Outbox.open(self._installation.rooms.ledger, self._installation.settings)
        return sorted(outbox.latest(_MOST_ALERTS), key=lambda of: of.letter.number)

    def alerts_of(self, day: Day) -> list[Listed]:
        return [of for of in self.alerts if day.begins <= of.letter.raised_at < day.begins + _A_DAY]


def sizes(installation: Installation) -> dict[str, int]:
    """Bytes: of the databases as PostgreSQL tells, of folders as their files are long."""
    found = {}
    for name, url in addresses(installation.settings).items():
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        found[name] = row[0] if row else 0
    for name, place in (("lake", installation.settings.lake_url), ("backups", installation.settings.backups_url)):
        files = (of for of in Path(place).rglob("*") if of.is_file())
        found[name] = sum(of.stat().st_size for of in files)
    return found


def page(day: Day, alerts: Sequence[Listed]) -> str:
    """A line of the table, and below it whatever is worth a line of its own."""
    return "".join(f"{line}\n" for line in (_line(day, alerts), *sorted(_notable(day, alerts))))


def totals(diary: Diary, before: Mapping[str, int], after: Mapping[str, int]) -> str:
    return "\n" + "".join(f"{line}\n" for line in _totals(diary, before, after))


def moment(at: datetime) -> str:
    return f"{at:%m-%d %H:%M} UTC ({at + KST:%H:%M} KST)"


def head() -> str:
    return _row(COLUMNS) + "\n"


def _row(cells: Iterable[object]) -> str:
    return " ".join(f"{cell!s:>{width}}" for cell, width in zip(cells, COLUMNS.values(), strict=True))


def _line(day: Day, alerts: Sequence[Listed]) -> str:
    levels = Counter(of.letter.level for of in alerts)
    came, went = (f" {sign}{len(names)}" if names else "" for sign, names in (("+", day.taken), ("-", day.removed)))
    bad = f", {len(day.damaged)} bad" if day.damaged else ""
    cells = (
        f"{day.begins:%Y-%m-%d %a} UTC",
        day.count("schedule", "asked"),
        day.count("sensor"),
        day.count("run"),
        day.count("run", "failed") or "-",
        f"{day.kept}{came}{went}",
        f"{len(day.drilled)} good{bad}",
        " ".join(f"{levels[level]}{level[0]}" for level in LEVELS if levels[level]) or "-",
        day.newest or "-",
        f"{day.oldest_wait / timedelta(hours=1):.1f} h",
    )
    return _row(cells)


def _notable(day: Day, alerts: Sequence[Listed]) -> Iterator[str]:
    for of in day.notes:
        if of.kind == "event":
            yield f"    {moment(of.at)}  * {of.name}"
        elif of.outcome == "failed":
            yield f"    {moment(of.at)}  {of.kind} {of.name} failed: {of.said[:140]}"
    for of in alerts:
        letter, again = of.letter, f" (and {of.letter.repeats} times more)" if of.letter.repeats else ""
        if letter.level != "info":
            yield f"    {moment(letter.raised_at)}  {letter.level}: {letter.title}{again}"
    ends = day.begins + timedelta(hours=23, minutes=59)
    for name in day.damaged:
        yield f"    {moment(ends)}  backup {name} is damaged"
    if day.removed:
        yield f"    {moment(ends)}  removed by policy: {', '.join(day.removed)}"


def _totals(diary: Diary, before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    days, notes = diary.days, diary.notes
    counts = Counter((of.kind, of.outcome) for of in notes)
    kinds = Counter((of.letter.level, _kind(of)) for of in diary.alerts)
    worst = max(days, key=lambda day: day.oldest_wait)
    taken, removed, good, bad = (
        sum(len(getattr(day, name)) for day in days) for name in ("taken", "removed", "drilled", "damaged")
    )
    asked, skipped, failed = (counts["schedule", outcome] for outcome in ("asked", "skipped", "failed"))
    looked, broke = (sum(counts["sensor", of] for of in outcomes) for outcomes in (("asked", "skipped"), ("failed",)))
    yield f"schedules asked for runs {asked} times, skipped {skipped}, failed {failed}"
    yield f"sensors looked {looked} times, failed {broke}"
    yield f"runs: {counts['run', 'ok']} ok, {counts['run', 'failed']} failed"
    yield f"backups: {taken} taken, {days[-1].kept} kept, {removed} removed by policy"
    yield f"drills: {good} good, {bad} bad"
    yield "alerts: " + ", ".join(f"{count} {level} ({what})" for (level, what), count in sorted(kinds.items()))
    yield f"longest wait for a day: {worst.oldest_wait.total_seconds() / 3_600:.1f} h, on {worst.begins:%Y-%m-%d}"
    yield "sizes: " + ", ".join(f"{name} {before[name] / 1e6:,.1f} to {after[name] / 1e6:,.1f} MB" for name in after)
    costs = spent(notes).most_common(_SHOWN_COSTS)
    yield "real seconds: " + ", ".join(f"{what} {seconds:,.0f}" for what, seconds in costs)


def _kind(of: Listed) -> str:
    """What alerts of the same thing have in common."""
    first, *others = of.letter.key.split()
    return first if first in {"signals", "drawdown"} else " ".join([first, *others])


@dataclass(frozen=True)
class Expected:
    """What befell the house: when, what alert must tell of it, and for how long runs may fail after it."""

    at: datetime
    what: str
    tells: str = ""
    trouble: timedelta = timedelta()


def wanting(installation: Installation, diary: Diary, befallen: Sequence[Expected]) -> list[str]:
    """What must be so in the end and is not, in words."""
    at, shelf = diary.days[-1].begins + _A_DAY, BackupShelf.open(installation.settings)
    return [
        *_days_with_holes(installation, at),
        *(f"no alert told that {of.what}" for of in befallen if of.tells and not _is_told(diary, of)),
        *_failures_of_no_reason(diary, befallen),
        *_silent_days(diary),
        *_unsent(diary),
        *_untidy(shelf.listed(), at, diary),
        *_unproved(shelf),
    ]


def _days_with_holes(installation: Installation, at: datetime) -> Iterator[str]:
    rooms, last = installation.rooms, last_complete_day(at - _A_DAY)
    for of in rooms.active:
        states = take_inventory(rooms.lake, rooms.ledger, of, DayRange(of.anchor, last)).states
        yield from (f"{day} of {of.symbol} is {state}" for day, state in states.items() if state not in _WELL)
        folded = rooms.lake.heads("backtests/sma_cross", of.symbol)
        yield from (f"{day} of {of.symbol} is not folded" for day in states if day not in folded)


def _is_told(diary: Diary, of: Expected) -> bool:
    raised = (alert.letter.raised_at for alert in diary.alerts if alert.letter.key.startswith(of.tells))
    return any(of.at <= at < of.at + max(of.trouble, _A_DAY) for at in raised)


def _failures_of_no_reason(diary: Diary, befallen: Sequence[Expected]) -> Iterator[str]:
    for note in diary.notes:
        has_reason = any(of.at <= note.at < of.at + of.trouble for of in befallen)
        if note.outcome == "failed" and not has_reason:
            yield f"{note.kind} {note.name} failed at {moment(note.at)} although nothing had befallen the house"


def _silent_days(diary: Diary) -> Iterator[str]:
    beats = {of.letter.raised_at.date() for of in diary.alerts if of.letter.key == "heartbeat"}
    yield from (f"no sign of life on {day.begins:%Y-%m-%d}" for day in diary.days if day.begins.date() not in beats)


def _unsent(diary: Diary) -> Iterator[str]:
    """Those of the last day may be on their way."""
    for of in diary.alerts:
        late = [sink for sink, by in of.deliveries.items() if by.state != "sent"]
        if late and of.letter.raised_at < diary.days[-1].begins:
            yield f"alert {of.letter.number} ({of.letter.title}) did not reach {', '.join(late)}"


def _untidy(kept: Sequence[Kept], at: datetime, diary: Diary) -> Iterator[str]:
    """A good backup of each day stays, what no rule keeps is gone within a week or two, and the newest was tried."""
    report = judged(kept, at)
    yield from (f"retention refuses to remove anything: {reason}" for reason in report.refusals)
    yield from (
        f"no rule keeps {of.name}, and it is still there" for of in report.obsolete if of.taken_at < at - _WEEKS
    )
    damaged = {name[:8] for day in diary.days for name in day.damaged}
    wanted = {f"{day.begins:%Y%m%d}" for day in diary.days} - damaged
    yield from (f"no backup of {day} is kept" for day in sorted(wanted - {of.name[:8] for of in kept if of.is_whole}))
    drill = age_of_drill(kept, at)
    if not drill.is_young_enough:
        yield f"the last drill was not good: {drill.told}"


def _unproved(shelf: BackupShelf) -> Iterator[str]:
    """The kept backtest came out again as it was kept, in the newest drill of all."""
    drills = (of for kept in shelf.listed() for of in shelf.noted(kept.name, Drilled))
    newest = max(drills, key=lambda of: of.drilled_at, default=None)
    if newest is None or not any(of.endswith("to the same rows") for of in newest.proved):
        yield "the newest drill worked no backtest out again"
