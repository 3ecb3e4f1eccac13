"""The road from an empty database to today's schema, and back.

What lives here: applying `migrations/NNNN_verb_noun.sql` and taking it back with its `.down.sql`, each in one
transaction with its record. What to add: nothing; a new file is a new migration. What stays out: SQL (in the
files; `schema.sql` shows where the road ends).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from psycopg import Connection

from coinhts_core.errors import EditedMigrationError, NewerLedgerError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries

FOLDER = Path(__file__).with_name("migrations")


@dataclass(frozen=True)
class Migration:
    """One step of the road: its file, and when this ledger took it."""

    file: Path
    applied_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def number(self) -> int:
        return int(self.name[:4])

    @property
    def up(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @property
    def down(self) -> str:
        return self.file.with_suffix(".down.sql").read_text(encoding="utf-8")

    @property
    def checksum(self) -> str:
        return sha256(self.up.encode()).hexdigest()


def migrations_in(folder: Path = FOLDER) -> list[Migration]:
    return [Migration(file) for file in sorted(folder.glob("*.sql")) if not file.name.endswith(".down.sql")]


def migrate(ledger: Ledger, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing, and name it."""
    names = []
    while name := _apply_next(ledger, folder):
        names.append(name)
    return names


def rollback(ledger: Ledger, *, to: int, folder: Path = FOLDER) -> list[str]:
    """Take back every migration above the number `to`, the last one first, and name them."""
    names = []
    while name := _take_back_last(ledger, to, folder):
        names.append(name)
    return names


def status(ledger: Ledger, folder: Path = FOLDER) -> list[Migration]:
    """List all migrations, with the moment each was applied to this ledger."""
    with _judged(ledger, folder) as (_, migrations):
        return migrations


def _apply_next(ledger: Ledger, folder: Path) -> str | None:
    with _judged(ledger, folder) as (connection, migrations):
        missing = [migration for migration in migrations if migration.applied_at is None]
        if not missing:
            return None
        facts = {"number": missing[0].number, "name": missing[0].name, "checksum": missing[0].checksum}
        connection.execute(missing[0].up.encode())
        connection.execute(load_queries("migrations")["record_migration"], facts)
        return missing[0].name


def _take_back_last(ledger: Ledger, to: int, folder: Path) -> str | None:
    with _judged(ledger, folder) as (connection, migrations):
        taken = [migration for migration in migrations if migration.applied_at is not None and migration.number > to]
        if not taken:
            return None
        connection.execute(taken[-1].down.encode())
        connection.execute(load_queries("migrations")["forget_migration"], {"number": taken[-1].number})
        return taken[-1].name


@contextmanager
def _judged(ledger: Ledger, folder: Path) -> Iterator[tuple[Connection, list[Migration]]]:
    """Begin a transaction in which nobody else migrates, and list the migrations, none edited or unknown."""
    queries = load_queries("migrations")
    with ledger.transaction() as connection:
        connection.execute(queries["prepare_migrations"])
        applied = connection.execute(queries["find_applied_migrations"]).fetchall()
        yield connection, _judge(migrations_in(folder), applied)


def _judge(known: list[Migration], applied: list[tuple[int, str, str, datetime]]) -> list[Migration]:
    by_number = {migration.number: migration for migration in known}
    for number, name, checksum, applied_at in applied:
        if number > max(by_number, default=0):
            raise NewerLedgerError(found=name, known=known[-1].name if known else "none")
        migration = by_number.get(number)
        if migration is None or (migration.name, migration.checksum) != (name, checksum):
            raise EditedMigrationError(name=name)
        by_number[number] = replace(migration, applied_at=applied_at)
    return list(by_number.values())
