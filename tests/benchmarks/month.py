"""A month of operation under a moving clock: `make month`.

What lives here: a house in a home of its own, what befalls it, and what must have come of it in the end. What stays
out: the moving clock and the hand that does what is due (`daemon_hand`), and how it is told (`month_told`).

The venue is the stand-in for Upbit, the ledger a server of its own, and each schedule and sensor that runs by default
does. Nobody helps: whatever happens is to be noticed, told and mended by the house alone.
"""

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit, setrlimit
from tempfile import TemporaryDirectory

from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import take
from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.exchanges import upbit
from coinhts_core.ledger import places
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.lineup import read_lineup
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import read_settings
from coinhts_pipeline.backtests import asked_for, run_on_lake, shelve
from coinhts_pipeline.code import collect_seldom
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.health import components
from coinhts_pipeline.installation import Installation, open_installation
from coinhts_pipeline.only_one import only_one
from tests.benchmarks.contestants import without_settings
from tests.benchmarks.daemon_hand import Hand, Note, Stamps, moved_clock
from tests.benchmarks.month_told import Day, Diary, Expected, head, page, sizes, totals, wanting
from tests.faults.conftest import QUICK
from tests.faults.stand_in.process import StandIn

FIRST = date(2025, 3, 1)
DAYS = 31
BEFORE = timedelta(days=14)
ROUNDS = timedelta(hours=8)
GOAL_S = 180.0
_MIDNIGHT = datetime.combine(FIRST, datetime.min.time(), UTC)
_LIMITS = {"per_second": 1_000}
_SILENT = {"route": "/", "faults": [{"kind": "status", "status": 503}]}
_FULL_DISK_BYTES = 4_096
_MEMORY, _ROOM = Path("/dev/shm"), 8 * 2**30  # noqa: S108 - a folder of its own is made there
_GONE = "KRW-XRP"

Befall = Callable[["World"], None]


@dataclass
class World:
    """A house at work, and the venue that it asks."""

    installation: Installation
    hand: Hand
    venue: StandIn
    stamps: Stamps
    diary: Diary
    calls: Path
    is_silent: bool = False
    gone: dict[str, str] = field(default_factory=dict)

    def look_at(self, at: datetime) -> None:
        """The venue's clock goes with ours; nobody asks what it was called for."""
        self.calls.write_text("")
        rules = [_SILENT] if self.is_silent else []
        self.venue.set_up(*rules, now=at.isoformat(), delisted=self.gone, limits=_LIMITS)

    def go_silent(self) -> None:
        self.is_silent = True

    def answer_again(self) -> None:
        self.is_silent = False

    def delist(self) -> None:
        self.gone[_GONE] = str(now().date() - timedelta(days=1))

    def fill_disk(self) -> None:
        """What this process writes is cut short, as on a disk that has no more room."""
        setrlimit(RLIMIT_FSIZE, (_FULL_DISK_BYTES, getrlimit(RLIMIT_FSIZE)[1]))

    def free_disk(self) -> None:
        setrlimit(RLIMIT_FSIZE, (RLIM_INFINITY, getrlimit(RLIMIT_FSIZE)[1]))

    def keep_backtest(self) -> None:
        """Of all days there are; drills work it out again."""
        rooms, settings = self.installation.rooms, self.installation.settings
        days = DayRange(settings.start_date, last_complete_day(now()))
        strategy, account = asked_for(settings, "sma_cross", {}, {})
        result = run_on_lake(rooms.lake, rooms.active[:1], days, strategy, account, mode="account")
        span = {"start_date": days.first, "end_date": days.last}
        shelve(Shelf(rooms.ledger, rooms.lake), settings, result.id, result, span)

    def back_up_by_hand(self) -> None:
        take(self.installation.settings, self.shelf, now())

    def damage_newest_backup(self) -> None:
        """A byte in the middle of a dump is another."""
        newest = self.shelf.listed()[0]
        file = Path(self.shelf.place) / newest.name / "ledger.dump"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.chmod(0o600)
        file.write_bytes(content)

    @property
    def shelf(self) -> BackupShelf:
        return BackupShelf.open(self.installation.settings)


@dataclass(frozen=True)
class Event:
    """What befalls the house, how long after the first day begins."""

    after: timedelta
    what: str
    befall: Befall
    tells: str = ""
    trouble: timedelta = timedelta()

    @property
    def expected(self) -> Expected:
        return Expected(_MIDNIGHT + self.after, self.what, self.tells, self.trouble)


def _at(moment: str, what: str, befall: Befall, **expected: object) -> Event:
    """A day of the month, and the time of it."""
    at = datetime.strptime(f"{FIRST:%Y-%m}-{moment}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Event(at - _MIDNIGHT, what, befall, **expected)


EVENTS = (
    _at("01 12:00", "somebody asks for a backtest, which is kept", World.keep_backtest),
    *(_at(f"03 {of}:30", "somebody takes one more backup", World.back_up_by_hand) for of in ("09", "13", "17", "21")),
    _at(
        "05 02:00",
        "the exchange does not answer any more",
        World.go_silent,
        tells="check candles/minute days_are_complete",
        trouble=timedelta(days=2, hours=2),
    ),
    _at("07 02:00", "the exchange answers again", World.answer_again),
    _at("09 00:09", "the disk is full", World.fill_disk, tells="run rehearse_days", trouble=timedelta(minutes=30)),
    _at("09 00:15", "there is room on the disk again", World.free_disk),
    _at("11 00:01", f"{_GONE} is delisted", World.delist, tells="check markets followed_symbols_are_listed"),
    _at(
        "18 04:15",
        "a byte of the newest backup flips on the disk",
        World.damage_newest_backup,
        tells="check backups/drill proved_what_it_must",
    ),
)


def live(world: World, days: int, events: tuple[Event, ...]) -> Iterator[Day]:
    """Every moment in its order, and what befalls the house between them; each day when it is over."""
    for number in range(days):
        first, last = (_MIDNIGHT + timedelta(days=number + more) for more in (0, 1))
        befalling = ((of.expected.at, of) for of in events if first <= of.expected.at < last)
        world.diary.begin(first)
        for at, due in merge(world.hand.moments(first, last, ROUNDS), befalling, key=lambda of: of[0]):
            _happen(world, at, due)
        yield world.diary.days[-1]


def _happen(world: World, at: datetime, due: Event | str) -> None:
    if isinstance(due, Event):
        world.hand.clock.move_to(max(at, now()))
        due.befall(world)
        world.diary.note(Note(at, "event", due.what, ""))
    else:
        world.look_at(at)
        world.hand.go(at, due)
    world.stamps.set()
    world.diary.look(now())


@contextmanager
def lived_in(folder: Path) -> Iterator[World]:
    """A house that was begun on the day before the first, and has some weeks to catch up with."""
    home, begun = folder / "home", _MIDNIGHT - timedelta(hours=13)
    home.mkdir()
    resting = (name for name in read_lineup() if name != "sma_cross")
    (home / "strategies.toml").write_text("".join(f"[{name}]\nenabled = false\n" for name in resting))
    collect_seldom()
    with ExitStack() as stack:
        venue = stack.enter_context(StandIn.start(folder))
        stack.enter_context(_environment(home, venue))
        stack.enter_context(_servers_of_its_own())
        stack.callback(_stop, home)
        clock = stack.enter_context(moved_clock(begun))
        venue.set_up(now=begun.isoformat(), limits=_LIMITS)
        installation = stack.enter_context(open_installation(read_settings()))
        stack.enter_context(only_one(home))
        diary = Diary(installation)
        hand = Hand(installation.instance, defs().get_repository_def(), clock, diary.note)
        world = World(installation, hand, venue, Stamps(home), diary, folder / "calls.jsonl")
        stack.callback(world.free_disk)
        for sensor in hand.sensors:
            hand.tick(sensor, now())
        yield world


@contextmanager
def _environment(home: Path, venue: StandIn) -> Iterator[None]:
    """Nothing of a house that is being used; the venue may be asked quickly, and PostgreSQL's clock is left out.

    It does not move, so its distance from ours tells nothing.
    """
    before, pace, apart = dict(os.environ), upbit.Pace, components.apart
    settings = {
        "COINHTS_HOME": str(home),
        "COINHTS_EXCHANGE": "upbit",
        "COINHTS_UPBIT__BASE_URL": venue.url,
        "COINHTS_START_DATE": str(FIRST - BEFORE),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    wanted = without_settings() | settings
    os.environ.clear()
    os.environ.update(wanted)
    upbit.Pace, components.apart = (lambda: QUICK), (lambda _: timedelta())
    try:
        yield
    finally:
        upbit.Pace, components.apart = pace, apart
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _servers_of_its_own() -> Iterator[None]:
    """Root's servers keep their files in a folder that goes with the month: the house's, and that of its drills."""
    with TemporaryDirectory(prefix="coinhts-month-", dir=_place()) as folder:
        Path(folder).chmod(0o711)  # root's server is another account's
        before, places.SHARED_FOLDER = places.SHARED_FOLDER, Path(folder) / "servers"
        try:
            yield
        finally:
            places.SHARED_FOLDER = before


def _stop(home: Path) -> None:
    with EmbeddedServer.share(home):
        pass  # the last one out stops what was left


def _place() -> Path | None:
    """In memory, where there is room enough for a healthy disk: what happens is looked at, not how fast disks are."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM else None


def main() -> int:
    begun, days, say = time.monotonic(), int(sys.argv[1]) if sys.argv[1:] else DAYS, sys.stdout.write
    logging.getLogger("coinhts").setLevel(logging.CRITICAL)  # what befalls the house is told below
    events = tuple(of for of in EVENTS if of.after < timedelta(days=days))
    with TemporaryDirectory(prefix="coinhts-month-", dir=_place()) as folder, lived_in(Path(folder)) as world:
        before = sizes(world.installation)
        say(head())
        for day in live(world, days, events):
            say(page(day, world.diary.alerts_of(day)))
            sys.stdout.flush()
        say(totals(world.diary, before, sizes(world.installation)))
        missed = wanting(world.installation, world.diary, [of.expected for of in events])
    took, at_work = time.monotonic() - begun, os.getloadavg()[1]
    say(f"{days} days took {took:,.0f} s; goal {GOAL_S:,.0f} s: {'met' if took <= GOAL_S else 'missed'}")
    say(f" ({at_work:.1f} processes were at work on {os.cpu_count()} cores)\n")
    say("".join(f"missed: {what}\n" for what in missed) or "all that had to happen did\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
