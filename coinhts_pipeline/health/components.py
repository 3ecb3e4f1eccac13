"""The components of the house, and how each is looked at.

What lives here: looks, each of which opens what it needs. What to add: a component, as a line of `PARTS`. What stays
out: what facts mean (`coinhts_core.ops.health`), bounds in time (`watch`), rooms that the doctor looks through as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from threading import Event

from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.clock import now
from coinhts_core.errors import CoinhtsError, LedgerUnreachableError, NewerLedgerError
from coinhts_core.exchanges import Exchange, open_exchange
from coinhts_core.ledger.address import spoken_as, url_of
from coinhts_core.ledger.connection import Ledger, database_beside
from coinhts_core.ledger.migrate import migrations_in
from coinhts_core.ledger.queries import load_queries
from coinhts_core.lineup import read_lineup
from coinhts_core.ops import health
from coinhts_core.ops.health import Copies
from coinhts_core.settings import Settings
from coinhts_pipeline.health import home, places, scheduler, work
from coinhts_pipeline.health.diagnosis import State, Trouble, said
from coinhts_pipeline.health.ledger import MEND, NOTHING_YET, apart, explained

_WAIT_FOR_VENUE_S = 0.7
_EXCHANGE_STAYS_S, _BACKUPS_STAY_S = 30.0, 60.0


class Sight:
    """What looks are taken through; each opens what it needs, so that none waits for what another holds."""

    def __init__(self, settings: Settings, no_ledger: CoinhtsError | None) -> None:
        self.settings = settings
        self.venue = Venue(settings)
        self._no_ledger = no_ledger

    @cached_property
    def shelf(self) -> BackupShelf:
        return BackupShelf.open(self.settings)

    @property
    def address(self) -> str:
        if self._no_ledger:
            raise self._no_ledger
        return url_of(self.settings)

    @property
    def dagster_address(self) -> str:
        given = self.settings.dagster_postgres_url
        return spoken_as("postgresql", given.get_secret_value()) if given else database_beside(self.address, "_dagster")

    def ledger(self) -> Ledger:
        return Ledger.open(self.address, most_connections=1)


class Venue:
    """The exchange, and how far its clock was from ours when it last answered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._answered = Event()
        self._apart: timedelta | None = None

    @cached_property
    def exchange(self) -> Exchange:
        return open_exchange(self._settings.exchange, self._settings)

    def close(self) -> None:
        if "exchange" in vars(self):
            self.exchange.close()

    def look(self) -> str | Trouble:
        apart = None
        try:
            if trouble := places.blocked(self.exchange):
                return trouble
            before = now()
            if theirs := self.exchange.clock():
                apart = max(before - theirs, theirs - now(), timedelta())
        finally:
            self._apart = apart
            self._answered.set()
        words = f"answers{places.at(self._settings)}" if self.exchange.needs_network else "needs no network"
        return f"{self.exchange.name} {words}"

    def apart(self) -> timedelta | None:
        """As far as seconds tell; None where it does not answer soon, or does not tell."""
        return self._apart if self._answered.wait(_WAIT_FOR_VENUE_S) else None


Look = Callable[[Sight, datetime], str | Trouble]


def _of_ledger(look: Look) -> Look:
    """That the ledger does not answer is told once, by itself."""

    def taken(sight: Sight, moment: datetime) -> str | Trouble:
        try:
            return look(sight, moment)
        except LedgerUnreachableError as error:
            state = State.WARNING if explained(error) else State.FAILED
            return Trouble("the ledger, which knows, does not answer", "see what is said of the ledger", state)

    return taken


def _ledger(sight: Sight, moment: datetime) -> str | Trouble:
    del moment
    queries, known = load_queries("health"), migrations_in()[-1]
    try:
        with sight.ledger() as ledger, ledger.transaction() as connection:
            is_laid_out = connection.execute(queries["has_migrations"]).fetchone()
            newest = connection.execute(queries["find_newest_migration"]).fetchone() if is_laid_out else None
    except LedgerUnreachableError as error:
        if trouble := explained(error):
            return trouble
        raise
    if newest is None:
        return Trouble("it is empty", NOTHING_YET)
    number, name = newest
    if number > known.number:
        raise NewerLedgerError(found=name, known=known.name)
    if number < known.number:
        return Trouble(f"it is at migration {name}, and {known.name} is known", "`coinhts ledger migrate` applies it")
    return f"it answers, at migration {name}"


@_of_ledger
def _scheduler(sight: Sight, moment: datetime) -> str | Trouble:
    heard = scheduler.heard(sight.settings, sight.dagster_address, moment)
    return said(health.scheduler(heard, moment, str(sight.settings.home / "logs")))


def _lake(sight: Sight, moment: datetime) -> str | Trouble:
    del moment
    return places.lake_reads(sight.settings)


def _exchange(sight: Sight, moment: datetime) -> str | Trouble:
    del moment
    return sight.venue.look()


def _adviser(sight: Sight, moment: datetime) -> str:
    """Never asked, for each answer costs."""
    del moment
    if sight.settings.gemini.api_key is None:
        return "none is configured, so nobody is asked for advice"
    return "its key is configured; it is not tried, for that would cost"


@_of_ledger
def _candles(sight: Sight, moment: datetime) -> str | Trouble:
    with sight.ledger() as ledger:
        return said(health.candles(work.collected(work.followed(ledger)), moment))


@_of_ledger
def _signals(sight: Sight, moment: datetime) -> str | Trouble:
    settings = sight.settings
    strategies = read_lineup(settings.strategies_folder, settings.lineup_file)
    with sight.ledger() as ledger:
        coins = work.followed(ledger)
    return said(health.signals(work.decided(coins, strategies, sight.dagster_address, moment), moment))


def _orders(sight: Sight, moment: datetime) -> str:
    del sight, moment
    return "no orders are placed here"


def _backups(sight: Sight, moment: datetime) -> str | Trouble:
    kept = sight.shelf.listed()
    copies = Copies(
        first_at=min((of.taken_at for of in kept), default=None),
        verified_at=max((of.taken_at for of in kept if of.verdict == "verified"), default=None),
        drilled_at=max((of.drilled_at for of in kept if of.drilled_at), default=None),
        damaged=tuple(of.name for of in kept if not of.is_whole),
        is_newest_damaged=bool(kept) and not kept[0].is_whole,
    )
    return said(health.backups(copies, moment))


def _disk(sight: Sight, moment: datetime) -> str | Trouble:
    del moment
    return said(health.disk(home.rooms(sight.settings)))


@_of_ledger
def _clock(sight: Sight, moment: datetime) -> str | Trouble:
    del moment
    with sight.ledger() as ledger:
        clocks = {"PostgreSQL": apart(ledger)}
    if (theirs := sight.venue.apart()) is not None:
        clocks[sight.settings.exchange] = theirs
    return said(health.clock(clocks))


@dataclass(frozen=True)
class Part:
    """How a component is looked at, what to do when even that breaks, and how long it need not be asked again."""

    name: str
    look: Look
    to_do: str
    stays_s: float = 0.0


PARTS = {
    part.name: part
    for part in (
        Part("ledger", _ledger, MEND),
        Part("scheduler", _scheduler, "stop `coinhts up` and start it again"),
        Part("lake", _lake, places.CHECK_LAKE),
        Part("exchange", _exchange, places.CHECK_EXCHANGE, _EXCHANGE_STAYS_S),
        Part("adviser", _adviser, "mend COINHTS_GEMINI__API_KEY"),
        Part("candles", _candles, MEND),
        Part("signals", _signals, MEND),
        Part("orders", _orders, ""),
        Part("backups", _backups, "check COINHTS_BACKUPS", _BACKUPS_STAY_S),
        Part("disk", _disk, "check the folders that the settings name"),
        Part("clock", _clock, MEND),
    )
}
NAMES = tuple(PARTS)
