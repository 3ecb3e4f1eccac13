"""What is true of the whole house, whichever process is asked: what waits, how jobs do, what is stored, who waited.

What lives here: the families of `/metrics` that are read off the ledger, the machine, the lake and the backups. What to
add: a family, told also while there is nothing to tell, so that rules find its name. What stays out: the format, and
what the front counts itself (`metrics`); judging any of it (docker/prometheus/rules.yml).

What may take long is asked in a thread of its own: whoever reads is told what was found last, or nothing yet.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from threading import Lock, Thread
from typing import Final, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import psutil
from psycopg import Connection

from coinhts_core.alerts.alert import LEVELS
from coinhts_core.backups.shelf import BackupShelf, Kept
from coinhts_core.errors import CoinhtsError
from coinhts_core.exchanges.upbit.calls import VENUE
from coinhts_core.exchanges.upbit.limiter import Waits, waits
from coinhts_core.exchanges.upbit.meeting_place import enter, meeting_place
from coinhts_core.lake.places import open_store
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.ops.job_metrics import Figures, Window, figures
from coinhts_core.requests.desk import STATES
from coinhts_core.settings import Settings
from coinhts_pipeline.front.metrics import Family, Labels

_DELIVERIES = {"waiting": "waiting", "sent": "sent", "dead": "given_up"}
_HOLDINGS = ("open", "closed", "cancelled", "deleted")
_A_DAY, _LONG = timedelta(days=1), timedelta(days=30)
_LAKE_STAYS_S, _BACKUPS_STAY_S = 600.0, 60.0
_LONGEST_COUNT_S: Final = 30.0
Numbers = list[tuple[Labels, float]]
T = TypeVar("T")


class Sizes(NamedTuple):
    """What lies in a place."""

    objects: int
    size: int


class Aside(Generic[T]):
    """Something that is asked for beside whoever reads it, again after a while; what cannot be had is none."""

    def __init__(self, ask: Callable[[], T | None], stays_s: float) -> None:
        self._ask = ask
        self._stays_s = stays_s
        self._due_at = 0.0
        self._found: T | None = None
        self._lock = Lock()

    def latest(self) -> T | None:
        with self._lock:
            is_due = time.monotonic() >= self._due_at
            if is_due:
                self._due_at = float("inf")
        if is_due:
            Thread(target=self._look, name="gauges", daemon=True).start()
        return self._found

    def _look(self) -> None:
        found = None
        try:
            with suppress(CoinhtsError):  # it is told as a lack; what is wrong with it, health says
                found = self._ask()
        finally:
            self._found, self._due_at = found, time.monotonic() + self._stays_s


class Gauges:
    """The house, looked at again and again."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._lake = Aside(lambda: lake_size(settings), _LAKE_STAYS_S)
        self._backups = Aside(lambda: BackupShelf.open(settings).listed(), _BACKUPS_STAY_S)

    def families(self, moment: datetime) -> Iterator[Family]:
        """Those of the ledger first: without it there are none."""
        with self._ledger.transaction() as connection:
            found = [*_of_tables(connection, moment), *self._of_databases(connection)]
        yield from found
        yield from _of_jobs(self._ledger, moment)
        yield from _of_backups(self._backups.latest() or [], moment)
        yield from _of_lake(self._lake.latest())
        yield from _of_machine(self._settings)
        yield from _of_calls(self._settings)

    def _of_databases(self, connection: Connection) -> Iterator[Family]:
        names = databases(self._ledger.url, self._settings)
        asked = {"names": list(names)}
        rows = connection.execute(load_queries("gauges")["measure_databases"], asked).fetchall()
        sizes: Numbers = [({"database": names[name]}, size) for name, size in rows]
        yield _gauge("database_bytes", "What the ledger's database and Dagster's take on their server.", sizes)


def databases(ledger_url: str, settings: Settings) -> dict[str, str]:
    """By its name on the ledger's server, whose each database is."""
    ledger = urlsplit(ledger_url)
    names = {ledger.path.lstrip("/"): "ledger"}
    if settings.dagster_postgres_url:
        dagster = urlsplit(settings.dagster_postgres_url.get_secret_value())
        if (dagster.netloc, dagster.query) == (ledger.netloc, ledger.query):
            names[dagster.path.lstrip("/")] = "dagster"
    return names


def lake_size(settings: Settings, longest_s: float = _LONGEST_COUNT_S) -> Sizes | None:
    """None where counting takes too long."""
    store, until, objects, size = open_store(settings.lake_url, settings.s3), time.monotonic() + longest_s, 0, 0
    for listed in store.listed():
        objects, size = objects + 1, size + listed.size
        if time.monotonic() > until:
            return None
    return Sizes(objects, size)


def _of_tables(connection: Connection, moment: datetime) -> Iterator[Family]:
    def counted(noun: str, name: str, **asked: object) -> dict[str, int]:
        return dict(connection.execute(load_queries(noun)[name], asked).fetchall())

    deliveries = counted("alerts", "count_deliveries")
    states: Numbers = [({"state": word}, deliveries.get(of, 0)) for of, word in _DELIVERIES.items()]
    yield _gauge("alert_deliveries", "Alerts on their way to a place, by how they stand, of all processes.", states)
    raised = counted("gauges", "count_alerts", since=moment - _A_DAY)
    yield _gauge("alerts_raised", "Alerts raised in the last day, by how grave they are.", _by("level", LEVELS, raised))
    requests = counted("requests", "count_requests")
    yield _gauge("requests", "What people asked for, by how it stands.", _by("state", STATES, requests))
    holdings = counted("gauges", "count_holdings")
    yield _gauge("holdings", "Positions kept by hand, by how they stand.", _by("state", _HOLDINGS, holdings))
    symbols = connection.execute(load_queries("gauges")["count_symbols"]).fetchall()
    followed = {"active" if is_active else "inactive": count for is_active, count in symbols}
    yield _gauge("symbols", "Coins that are followed, or were.", _by("state", ("active", "inactive"), followed))
    days = connection.execute(load_queries("coverage")["find_newest_days"]).fetchall()
    ages: Numbers = [({"symbol": symbol}, _age_s(day, moment)) for symbol, day in days]
    meaning = "Since the end of the newest day with minute candles, of all processes."
    yield _gauge("candles_age_seconds", meaning, ages)


def _of_jobs(ledger: Ledger, moment: datetime) -> Iterator[Family]:
    soon = moment + timedelta(seconds=1)
    lately = figures(ledger, Window(moment - _A_DAY, soon))
    known = figures(ledger, Window(moment - _LONG, soon))
    outcomes: Numbers = []
    for of in lately:
        outcomes.append(({"job": of.job, "outcome": "succeeded"}, of.succeeded))
        outcomes.append(({"job": of.job, "outcome": "failed"}, of.count - of.succeeded))
    yield _gauge("job_runs", "Runs that ended in the last day, by how.", outcomes)
    ratios: Numbers = [({"job": of.job}, of.success_rate) for of in lately]
    yield _gauge("job_success_ratio", "Runs that did well, of all that ended in the last day.", ratios)
    durations = [number for of in lately for number in _quantiles(of)]
    yield _gauge("job_duration_seconds", "How long runs took that ended in the last day, by quantile.", durations)
    rates: Numbers = [({"job": of.job}, of.rows_per_s) for of in lately if of.rows_per_s is not None]
    yield _gauge("job_rows_per_second", "Rows made in the last day, by the time of the runs that told.", rates)
    ages: Numbers = [({"job": of.job}, (moment - of.succeeded_at).total_seconds()) for of in known if of.succeeded_at]
    yield _gauge("job_success_age_seconds", "Since the end of the last run that did well, for 30 days.", ages)


def _quantiles(of: Figures) -> Numbers:
    found = {"0.5": of.p50_s, "0.95": of.p95_s, "0.99": of.p99_s}
    return [({"job": of.job, "quantile": quantile}, seconds) for quantile, seconds in found.items()]


def _of_backups(backups: list[Kept], moment: datetime) -> Iterator[Family]:
    whole = [of for of in backups if of.is_whole]
    verdicts = {
        verdict: sum(of.verdict == verdict for of in backups) for verdict in ("verified", "unverified", "damaged")
    }
    counts = _by("verdict", verdicts, verdicts) if backups else []
    yield _gauge("backups", "Backups in their place, by what is known of them.", counts)
    newest = max((of.taken_at for of in whole), default=None)
    yield _gauge("backup_age_seconds", "Since the newest whole backup was taken.", _since(newest, moment))
    verified = max((of.taken_at for of in whole if of.verified_at), default=None)
    yield _gauge("backup_verified_age_seconds", "Since the newest verified backup was taken.", _since(verified, moment))
    drilled = max((of.drilled_at for of in whole if of.drilled_at), default=None)
    yield _gauge("backup_drilled_age_seconds", "Since a backup was last restored to prove it.", _since(drilled, moment))
    size = max(whole, key=lambda of: of.taken_at).size if whole else None
    yield _gauge("backup_bytes", "What the newest whole backup holds.", [] if size is None else [({}, size)])


def _of_lake(sizes: Sizes | None) -> Iterator[Family]:
    yield _gauge("lake_bytes", "What lies in the lake, of all versions.", [({}, sizes.size)] if sizes else [])
    yield _gauge("lake_objects", "How many objects it is.", [({}, sizes.objects)] if sizes else [])


def _of_machine(settings: Settings) -> Iterator[Family]:
    disk = shutil.disk_usage(settings.home)
    yield _gauge("disk_bytes", "The disk that the home lies on.", [({}, disk.total)])
    yield _gauge("disk_free_bytes", "What is free of it.", [({}, disk.free)])
    yield _gauge("memory_available_bytes", "Memory of this machine that is free to be used.", [({}, _memory())])
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    yield _gauge(
        "processor_load", "Who works or waits on this machine, by its cores, in the last minute.", [({}, load)]
    )


def _memory() -> int:
    return int(psutil.virtual_memory().available)


def _of_calls(settings: Settings) -> Iterator[Family]:
    """Where calls are counted, of all processes of a user, whatever their homes."""
    found = _waits(settings)
    calls: Numbers = [({"group": group}, of.calls) for group, of in sorted(found.items())]
    meaning = "Calls to the exchange, of all processes of this user on this machine."
    yield Family("coinhts_exchange_calls_total", "counter", meaning, calls)
    waited: Numbers = [({"group": group}, of.waited_s) for group, of in sorted(found.items())]
    meaning = "How long they waited for a permit, all together."
    yield Family("coinhts_exchange_wait_seconds_total", "counter", meaning, waited)


def _waits(settings: Settings) -> dict[str, Waits]:
    """None where no call was ever counted, and none in a folder that may be somebody else's."""
    folder = meeting_place(settings.upbit.base_url)
    if settings.exchange == VENUE and folder.exists():
        with suppress(CoinhtsError, OSError):
            enter(folder)
            return waits(folder)
    return {}


def _gauge(name: str, meaning: str, numbers: Numbers) -> Family:
    return Family(f"coinhts_{name}", "gauge", meaning, numbers)


def _by(label: str, words: Iterable[str], counts: Mapping[str, int]) -> Numbers:
    return [({label: word}, counts.get(word, 0)) for word in words]


def _since(then: datetime | None, moment: datetime) -> Numbers:
    return [] if then is None else [({}, (moment - then).total_seconds())]


def _age_s(day: date, moment: datetime) -> float:
    return (moment - datetime.combine(day + timedelta(days=1), time_of_day(), UTC)).total_seconds()
