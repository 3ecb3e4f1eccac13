"""What a database holds, in one snapshot that pg_dump sees, too: how many rows, which, and in what structure.

What lives here: the snapshot and what is counted in it. What stays out: dumping (`programs`), and comparing, for which
equal facts are enough.

Rows are hashed as text under pinned settings and the hashes added up, so that neither the order in which rows lie nor a
server's time zone tells in the sum.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import psycopg
from psycopg import IsolationLevel, sql

from coinhts_core.backups.manifest import DatabaseFacts, TableFacts
from coinhts_core.errors import RetryableError
from coinhts_core.ledger.connection import connect
from coinhts_core.ledger.queries import load_queries

# Two sums of 64 bits; the text of a row is made once for both.
_HASH_ROWS = sql.SQL("""
    SELECT count(*), sum(hashtextextended(line, 0)), sum(hashtextextended(line, 1))
    FROM (SELECT (of.*)::text AS line FROM {} AS of OFFSET 0) AS lines
""")
_BITS = 2**64


@dataclass(frozen=True)
class Snapshot:
    """A moment of a database, for as long as it is held."""

    connection: psycopg.Connection
    name: str
    server: str
    major: int

    def tables(self) -> list[tuple[str, str]]:
        return self.connection.execute(load_queries("backups")["list_tables"]).fetchall()

    def structure(self) -> list[str]:
        return sorted(
            line for (line,) in self.connection.execute(load_queries("backups")["describe_structure"]).fetchall()
        )

    def facts(self) -> DatabaseFacts:
        return DatabaseFacts(
            server=self.server,
            snapshot=self.name,
            structure_hash=sha256("\n".join(self.structure()).encode()).hexdigest(),
            tables={f"{schema}.{table}": self._table(schema, table) for schema, table in self.tables()},
        )

    def days_answered(self) -> dict[str, list[date]]:
        """Of each symbol, the days that the ledger says are in the lake."""
        return self._known("coverage", "list_days_answered")

    def frames_kept(self) -> dict[str, list[str]]:
        """Of each result, the frames that the ledger says are in the lake."""
        return self._known("results", "list_frames_kept")

    def schema_revision(self) -> str | None:
        """The last migration that this ledger has been through."""
        applied = self._rows("migrations", load_queries("migrations")["find_applied_migrations"])
        return str(applied[-1][1]) if applied else None

    def venue(self) -> str | None:
        found = self._rows("installation", load_queries("installation")["find_venue"])
        return str(found[0][0]) if found else None

    def _known(self, table: str, statement: str) -> dict[str, list]:  # type: ignore[type-arg]
        return dict(self._rows(table, load_queries("backups")[statement]))

    def _rows(self, table: str, statement: str) -> list[tuple]:  # type: ignore[type-arg]
        """Nothing from a ledger whose migrations have not come so far."""
        if ("public", table) not in self.tables():
            return []
        return self.connection.execute(statement.encode()).fetchall()

    def _table(self, schema: str, table: str) -> TableFacts:
        statement = _HASH_ROWS.format(sql.Identifier(schema, table))
        rows, *sums = self.connection.execute(statement).fetchone() or (0, None, None)
        return TableFacts(rows=rows, content_hash="".join(f"{int(of or 0) % _BITS:016x}" for of in sums))


@contextmanager
def snapshot_of(url: str) -> Iterator[Snapshot]:
    """Others may look at it by its name until it is given back; nothing can be written in it."""
    with connect(url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            with connection.transaction():
                connection.execute(load_queries("backups")["pin_texts"])
                told = connection.execute(load_queries("backups")["export_snapshot"]).fetchone()
                yield Snapshot(connection, *(told or ()))
        except psycopg.OperationalError as error:
            reason = str(error).partition("\n")[0]
            raise RetryableError(what=f"the database that is looked at ({reason})") from error


def difference(there: DatabaseFacts, here: DatabaseFacts) -> list[str]:
    """What a restored database has otherwise than the one that was dumped, a sentence each."""
    found = []
    for table in sorted(there.tables.keys() | here.tables.keys()):
        was, now = there.tables.get(table), here.tables.get(table)
        if was is None or now is None:
            found.append(f"the table {table} is {'missing' if now is None else 'not one of the backup'}")
        elif was.rows != now.rows:
            found.append(f"the table {table} has {now.rows} rows instead of {was.rows}")
        elif was != now:
            found.append(f"the rows of {table} are not those that were backed up")
    is_comparable = there.server.partition(".")[0] == here.server.partition(".")[0]
    if is_comparable and there.structure_hash != here.structure_hash:
        found.append("columns, constraints, indexes, triggers or functions are not those that were backed up")
    return found
