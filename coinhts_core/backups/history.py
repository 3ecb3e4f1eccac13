"""The backups there are, and the drills that were held, as rows: what a table, a curve and a check are read off.

What lives here: the schemas, their rows off the shelf, and how old the newest is. What stays out: taking and trying
backups, and what the UI makes of the rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from coinhts_core.backups.manifest import Drilled, Manifest
from coinhts_core.backups.parts import dump_name
from coinhts_core.backups.retention import YOUNG_ENOUGH
from coinhts_core.backups.shelf import BackupShelf, Kept
from coinhts_core.errors import DamagedBackupError
from coinhts_core.frames import Column, Schema
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries

TOO_OLD = timedelta(hours=36)
PROOFS = ("tables", "constraints", "lake", "partitions", "backtest")
_NAME = Column("name", "text", meaning="of the backup, the moment it was taken")
_TAKEN_AT = Column("taken_at", "time", meaning="when, UTC")
_VERDICT = Column("verdict", "text", meaning="verified, unverified or damaged")
LEDGER_BACKUPS = Schema(
    "ledger_backups",
    1,
    (
        _NAME,
        _TAKEN_AT,
        Column("databases", "int", meaning="each dumped out of a snapshot of its own"),
        Column("tables", "int", meaning="in all databases"),
        Column("rows", "int", meaning="in all tables"),
        Column("size", "int", meaning="bytes of the dumps"),
        Column("schema_revision", "text", nullable=True, meaning="the last migration of the ledger"),
        _VERDICT,
    ),
)
LAKE_BACKUPS = Schema(
    "lake_backups",
    1,
    (
        _NAME,
        _TAKEN_AT,
        Column("names", "int", meaning="of the lake, which can be brought back"),
        Column("size", "int", meaning="bytes of all of them"),
        Column("new_objects", "int", meaning="that no backup before had"),
        Column("new_bytes", "int", meaning="that had to be copied"),
        Column("lacks", "int", meaning="things that the ledger knew of and the lake did not have"),
        _VERDICT,
    ),
)
_BOTH = ("ledger_backups.size", "lake_backups.size")
_ROWS = ("ledger_backups.tables", "ledger_backups.rows")
DRILLS = Schema(
    "drills",
    1,
    (
        Column("drilled_at", "time", meaning="when it was tried, UTC", made_of=("ledger_backups.taken_at",)),
        Column("name", "text", meaning="of the backup", made_of=("ledger_backups.name", "lake_backups.name")),
        Column("age_hours", "float", meaning="of the backup then", made_of=("ledger_backups.taken_at",)),
        Column("seconds", "float", meaning="that it took to bring it back and compare", made_of=_BOTH),
        Column("tables", "text", nullable=True, meaning="what was proved of rows", made_of=_ROWS),
        Column("constraints", "text", nullable=True, meaning="what was proved of constraints", made_of=_ROWS),
        Column("lake", "text", nullable=True, meaning="what was proved of the lake", made_of=("lake_backups.names",)),
        Column("partitions", "text", nullable=True, meaning="which were read", made_of=("lake_backups.names",)),
        Column("backtest", "text", nullable=True, meaning="which was worked out again", made_of=_BOTH),
    ),
)


def ledger_rows(backups: Iterable[Kept]) -> pl.DataFrame:
    """Oldest first; one whose manifest cannot be read has none to tell."""
    return LEDGER_BACKUPS.judge(
        _frame(
            LEDGER_BACKUPS,
            [
                {
                    "name": of.name,
                    "taken_at": of.taken_at,
                    "databases": len(manifest.databases),
                    "tables": sum(len(database.tables) for database in manifest.databases.values()),
                    "rows": manifest.rows,
                    "size": dump_size(manifest),
                    "schema_revision": manifest.schema_revision,
                    "verdict": of.verdict,
                }
                for of, manifest in _told(backups)
            ],
        )
    )


def lake_rows(backups: Iterable[Kept]) -> pl.DataFrame:
    return LAKE_BACKUPS.judge(
        _frame(
            LAKE_BACKUPS,
            [
                {
                    "name": of.name,
                    "taken_at": of.taken_at,
                    **manifest.lake.model_dump(),
                    "lacks": len(manifest.lacks),
                    "verdict": of.verdict,
                }
                for of, manifest in _told(backups)
            ],
        )
    )


def drills(shelf: BackupShelf, backups: Iterable[Kept]) -> list[Drilled]:
    """Every drill of these that can be believed, the oldest first."""
    held = [drill for of in backups if of.drilled_at for drill in _noted(shelf, of.name)]
    return sorted(held, key=lambda drill: drill.drilled_at)


def drill_rows(held: Sequence[Drilled], backups: Iterable[Kept]) -> pl.DataFrame:
    taken = {of.name: of.taken_at for of in backups}
    return DRILLS.judge(
        _frame(
            DRILLS,
            [
                {
                    "drilled_at": of.drilled_at,
                    "name": of.name,
                    "age_hours": round((of.drilled_at - taken[of.name]) / timedelta(hours=1), 2),
                    "seconds": of.seconds,
                    **dict.fromkeys(PROOFS),
                    **proofs_of(of),
                }
                for of in held
            ],
        )
    )


def proofs_of(drill: Drilled) -> dict[str, str]:
    """What was proved, by what it was proved of; of several databases together."""
    found: dict[str, str] = {}
    for what, _, told in (line.partition(": ") for line in drill.proved):
        if what in PROOFS:
            found[what] = f"{found[what]}; {told}" if what in found else told
    return found


def dump_size(manifest: Manifest) -> int:
    return sum(part.size for database in manifest.databases for part in manifest.parts_of(dump_name(database)))


@dataclass(frozen=True)
class Age:
    """How old the newest is that was proved good; of none, how long the house has been without, where that is known."""

    what: str
    newest: datetime | None
    age: timedelta | None
    without: timedelta | None = None

    @property
    def is_young_enough(self) -> bool:
        """A new house has none before the first is due, and is not reproached for it."""
        known = self._known
        return known is not None and known <= YOUNG_ENOUGH

    @property
    def is_too_old(self) -> bool:
        """Old enough to be an error: a day was missed, and half of the next one has gone by."""
        known = self._known
        return known is not None and known > TOO_OLD

    @property
    def told(self) -> str:
        if self.age is not None:
            return f"the newest {self.what} is {self.age / timedelta(hours=1):.1f} hours old"
        if self.without is not None:
            return f"there is no {self.what}, and the house is {self.without / timedelta(hours=1):.1f} hours old"
        return f"there is no {self.what}"

    @property
    def _known(self) -> timedelta | None:
        return self.without if self.age is None else self.age


def begun_at(ledger: Ledger) -> datetime | None:
    """Since when there is this house."""
    with ledger.transaction() as connection:
        row = connection.execute(load_queries("installation")["find_beginning"]).fetchone()
    return row[0] if row else None


def age_of_backup(backups: Iterable[Kept], moment: datetime, begun: datetime | None = None) -> Age:
    """Of the newest that was verified."""
    newest = max((of.taken_at for of in backups if of.verdict == "verified"), default=None)
    return _age("backup that was proved good", newest, moment, begun)


def age_of_drill(backups: Iterable[Kept], moment: datetime, begun: datetime | None = None) -> Age:
    newest = max((of.drilled_at for of in backups if of.drilled_at), default=None)
    return _age("drill", newest, moment, begun)


def _age(what: str, newest: datetime | None, moment: datetime, begun: datetime | None) -> Age:
    if newest or begun is None:
        return Age(what, newest, moment - newest if newest else None)
    return Age(what, None, None, max(moment - begun, timedelta()))


def _told(backups: Iterable[Kept]) -> list[tuple[Kept, Manifest]]:
    in_order = sorted(backups, key=lambda of: of.name)
    return [(of, of.manifest) for of in in_order if of.manifest]


def _noted(shelf: BackupShelf, name: str) -> list[Drilled]:
    try:
        return shelf.noted(name, Drilled)
    except DamagedBackupError:
        return []


def _frame(schema: Schema, rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema.empty().schema)
