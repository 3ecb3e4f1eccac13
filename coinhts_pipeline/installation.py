"""An installation made ready: its rooms, and Dagster's home and storage beside them.

What lives here: `open_installation`, run once by every command that works on data; its children inherit what it sets.
What stays out: what commands then do.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path

import dagster as dg

from coinhts_core.clock import now
from coinhts_core.ledger.address import spoken_as
from coinhts_core.settings import PREFIX, Settings
from coinhts_pipeline import compute_logs
from coinhts_pipeline.claims import fail_abandoned_runs
from coinhts_pipeline.partitions import SYMBOLS
from coinhts_pipeline.resources import claims_folder
from coinhts_pipeline.rooms import Rooms, open_rooms

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
    with open_rooms(settings) as rooms, _dagster(rooms.settings) as instance:
        instance.add_dynamic_partitions(SYMBOLS.name or "", list(rooms.symbols))
        fail_abandoned_runs(instance, claims_folder(rooms.settings), now())
        yield Installation(rooms.settings, rooms, instance)


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
        f"{PREFIX}DAGSTER_POSTGRES_URL": spoken_as("postgresql+psycopg2", dagster),
        "DAGSTER_HOME": str(folder),
        "DAGSTER_EVENT_BATCH_SIZE": _EVENTS_A_BATCH,
        **compute_logs.variables(settings),
    }
