"""An installation made ready: server, databases, schema, venue, universe, Dagster's storage.

What lives here: `open_installation`, run once by every command that works on data; its children inherit what it sets.
What stays out: what commands then do.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
from pydantic import SecretStr

from coinhts_core.candles.registry import register, universe
from coinhts_core.clock import now
from coinhts_core.ledger.connection import Ledger, database_beside, ensure_database
from coinhts_core.ledger.migrate import migrate
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.ledger.venue import find_venue, mark_venue
from coinhts_core.settings import PREFIX, Settings, usable_home
from coinhts_pipeline import compute_logs
from coinhts_pipeline.claims import fail_abandoned_runs
from coinhts_pipeline.partitions import SYMBOLS
from coinhts_pipeline.resources import Rooms, claims_folder

PROJECT = Path(__file__).parent.parent
_EVENTS_A_BATCH = "500"


@dataclass(frozen=True)
class Installation:
    """A home in use: its settings with the addresses found, its rooms and Dagster's instance."""

    settings: Settings
    rooms: Rooms
    instance: dg.DagsterInstance


@contextmanager
def open_installation(settings: Settings) -> Iterator[Installation]:
    with ExitStack() as stack:
        settings = stack.enter_context(_reachable(settings))
        rooms = stack.enter_context(Rooms.open(settings))
        migrate(rooms.ledger)
        _mark_venue(rooms)
        wanted = universe(rooms.exchange, settings.symbols, list(rooms.symbols.values()))
        registered = register(rooms.ledger, rooms.exchange, wanted, settings.start_date)
        instance = stack.enter_context(_dagster(settings))
        instance.add_dynamic_partitions(SYMBOLS.name or "", [of.symbol for of in registered])
        fail_abandoned_runs(instance, claims_folder(settings), now())
        yield Installation(settings, rooms, instance)


def _mark_venue(rooms: Rooms) -> None:
    """Data of two venues is never mixed; a name that is no venue's never becomes a mark."""
    venue, home = rooms.settings.exchange, rooms.settings.home
    if find_venue(rooms.ledger) is None:
        venue = rooms.exchange.name
    mark_venue(rooms.ledger, venue, suggestion=f"{home}-{venue}")
    rooms.lake.mark_venue(venue, suggestion=f"{home}-{venue}")


@contextmanager
def connected_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger as it is, whatever its schema."""
    with _reachable(settings) as found, Rooms.open(found) as rooms:
        yield rooms.ledger


@contextmanager
def _reachable(settings: Settings) -> Iterator[Settings]:
    """A server that answers, with the ledger's database and Dagster's beside it; the settings with both addresses."""
    home = usable_home(settings)
    with ExitStack() as stack:
        if settings.postgres_url:
            url = settings.postgres_url.get_secret_value()
        else:
            url = stack.enter_context(EmbeddedServer.share(home)).url("coinhts")
        given = settings.dagster_postgres_url
        dagster_url = _spoken_as("postgresql", given.get_secret_value()) if given else database_beside(url, "_dagster")
        for address in (url, dagster_url):
            ensure_database(address)
        found = {"postgres_url": SecretStr(url), "dagster_postgres_url": SecretStr(dagster_url)}
        yield settings.model_copy(update=found)


@contextmanager
def _dagster(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's home, and its tables laid out by one process at a time: two at once leave half of them."""
    folder = settings.home / "dagster"
    folder.mkdir(exist_ok=True)
    draft = folder / f".dagster-{os.getpid()}.yaml"
    draft.write_text(_configuration(settings, folder), encoding="utf-8")
    draft.replace(folder / "dagster.yaml")  # others may be reading it this moment
    with _environment(_variables(settings, folder)):
        with (folder / "layout.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            instance = dg.DagsterInstance.get()
        with instance:
            yield instance


def _configuration(settings: Settings, folder: Path) -> str:
    """The house's, and what depends on settings: JSON, which is YAML too."""
    shared = (PROJECT / "dagster_home" / "dagster.yaml").read_text(encoding="utf-8")
    chosen = compute_logs.configured(settings, folder)
    return shared + "".join(f"\n{name}: {json.dumps(value)}\n" for name, value in chosen.items())


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """For as long as the installation is open, and for every process begun in it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ |= variables
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _variables(settings: Settings, folder: Path) -> dict[str, str]:
    """What Dagster and every process below it reads; secrets travel in the environment, never on a command line."""
    addresses = settings.postgres_url, settings.dagster_postgres_url
    ledger, dagster = (address.get_secret_value() if address else "" for address in addresses)
    return {
        f"{PREFIX}HOME": str(settings.home),
        f"{PREFIX}POSTGRES_URL": ledger,
        f"{PREFIX}DAGSTER_POSTGRES_URL": _spoken_as("postgresql+psycopg2", dagster),
        "DAGSTER_HOME": str(folder),
        "DAGSTER_EVENT_BATCH_SIZE": _EVENTS_A_BATCH,
        **compute_logs.variables(settings),
    }


def _spoken_as(scheme: str, url: str) -> str:
    """Dagster's storage wants its driver named; everybody else's does not know the name."""
    return urlsplit(url)._replace(scheme=scheme).geturl()
