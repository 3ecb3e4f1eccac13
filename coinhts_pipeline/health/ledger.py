"""PostgreSQL: does it answer, is it new enough, is its clock ours, and is the ledger in it this installation's.

What lives here: checks of server and schema; no database is made, none migrated. What stays out: what the ledger says
(`stored`).
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from coinhts_core.clock import now
from coinhts_core.errors import LedgerUnreachableError, VenueMismatchError
from coinhts_core.ledger.connection import Ledger, database_beside
from coinhts_core.ledger.migrate import status
from coinhts_core.ledger.queries import load_queries
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.ledger.venue import find_venue
from coinhts_core.ops.health import clock
from coinhts_core.settings import Settings
from coinhts_pipeline.health import stored
from coinhts_pipeline.health.diagnosis import Finding, State, Trouble, diagnosed, said

_OLDEST = 16  # what docker/compose.yaml runs; older ones were never tried
_START_PATIENCE_S = 30.0
_CONNECT_PATIENCE_S = 7.0
MEND = "start PostgreSQL, or mend COINHTS_POSTGRES_URL"
NOTHING_YET = "nothing is missing: `coinhts demo` or `coinhts backfill` makes it"


def findings(settings: Settings) -> Iterator[Finding]:
    with ExitStack() as stack:
        opened: list[Ledger] = []
        address = settings.postgres_url.get_secret_value() if settings.postgres_url else ""
        if not address:
            shared: list[EmbeddedServer] = []
            yield diagnosed("server", lambda: _start(settings, stack, shared), MEND, _START_PATIENCE_S)
            if not shared:
                return
            address = shared[0].url("coinhts")
        yield diagnosed("postgres", lambda: _connect(address, stack, opened), MEND, _CONNECT_PATIENCE_S)
        if opened:
            yield from _opened(settings, opened[0], address)


def _opened(settings: Settings, ledger: Ledger, address: str) -> Iterator[Finding]:
    yield diagnosed(
        "clock", lambda: said(clock({"PostgreSQL": apart(ledger)})), "set this machine's clock and PostgreSQL's by NTP"
    )
    schema = diagnosed("ledger", lambda: _schema(ledger), "use the coinhts that made it")
    yield schema
    if schema.state is not State.OK:
        return
    venue = diagnosed("venue", lambda: _venue(settings, ledger), "set COINHTS_HOME to a fresh directory")
    yield venue
    if venue.state is State.OK:
        given = settings.dagster_postgres_url
        dagster = given.get_secret_value() if given else database_beside(address, "_dagster")
        # Dagster's own processes are told its driver within the scheme, which nobody else can read.
        yield from stored.findings(settings, ledger, urlsplit(dagster)._replace(scheme="postgresql").geturl())


def _start(settings: Settings, stack: ExitStack, shared: list[EmbeddedServer]) -> str:
    server = stack.enter_context(EmbeddedServer.share(settings.home))
    shared.append(server)
    return f"embedded PostgreSQL, its files in {server.data_directory}"


def _connect(address: str, stack: ExitStack, opened: list[Ledger]) -> str | Trouble:
    try:
        ledger = stack.enter_context(Ledger.open(address, most_connections=2))
    except LedgerUnreachableError as error:
        if trouble := explained(error):
            return trouble
        raise
    opened.append(ledger)
    with ledger.transaction() as connection:
        facts = connection.info
        version = facts.server_version // 10_000
        where = f"{facts.host}:{facts.port}/{facts.dbname}"
    if version < _OLDEST:
        return Trouble(f"PostgreSQL {version} answers at {where}", f"upgrade it: coinhts is tried with {_OLDEST} on")
    return f"PostgreSQL {version} answers at {where}"


def explained(error: LedgerUnreachableError) -> Trouble | None:
    """What libpq says of a server that does answer, and lets nobody in."""
    if "no password supplied" in error.reason or "password authentication failed" in error.reason:
        what = f"PostgreSQL at {error.address} asks for a password, or refuses the one it is given"
        return Trouble(what, "write it into COINHTS_POSTGRES_URL in COINHTS_HOME/.env", State.FAILED)
    if 'database "' in error.reason and error.reason.endswith("does not exist"):
        return Trouble(f"there is no ledger at {error.address} yet", NOTHING_YET)
    return None


def apart(ledger: Ledger) -> timedelta:
    """How far this machine's clock and PostgreSQL's are apart at least."""
    with ledger.transaction() as connection:
        before = now()
        theirs: datetime
        (theirs,) = connection.execute(load_queries("installation")["tell_time"]).fetchone() or (before,)
        after = now()
    return max(before - theirs, theirs - after, timedelta(0))


def _schema(ledger: Ledger) -> str | Trouble:
    steps = status(ledger)
    missing = [step.name for step in steps if step.applied_at is None]
    if len(missing) == len(steps):
        return Trouble("it is empty", NOTHING_YET)
    if missing:
        return Trouble(f"{', '.join(missing)} not applied yet", "`coinhts ledger migrate` does it")
    return f"at migration {steps[-1].name}"


def _venue(settings: Settings, ledger: Ledger) -> str:
    found = find_venue(ledger)
    if found not in (None, settings.exchange):
        suggestion = f"{settings.home}-{settings.exchange}"
        raise VenueMismatchError(place="the ledger", found=found, wanted=settings.exchange, suggestion=suggestion)
    return f"data of {found}" if found else "none yet"
