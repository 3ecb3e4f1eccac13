"""Whether the lake still holds what was published: every stored day read back and hashed again.

What lives here: `audit`, of one folder or of one of people's own files. What stays out: which there are (`lake`,
`uploads`), and mending.

A folder is whole when its newest commit can be believed, its object's bytes are those the commit names, and the rows
of each day have the day's content hash. The last would notice what was written wrongly to begin with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import polars as pl

from coinhts_core.errors import DamagedObjectError, LakeUnusableError, RefusedError
from coinhts_core.frames import Column, Kind, Schema
from coinhts_core.lake.commits import UNDATED, Commit, Day, Folder
from coinhts_core.lake.journal import Journal
from coinhts_core.lake.reader import Reader
from coinhts_core.lake.store import Store
from coinhts_core.lake.uploads import verify

_KINDS: dict[pl.DataType, Kind] = {
    Schema("", 1, (Column("of", kind),)).empty()["of"].dtype: kind for kind in get_args(Kind)
}


@dataclass(frozen=True)
class Audited:
    """What was read back, and every damage found, each in a sentence."""

    places: int = 0
    days: int = 0
    rows: int = 0
    size: int = 0
    damages: tuple[str, ...] = ()

    def __add__(self, other: "Audited") -> "Audited":
        return Audited(
            self.places + other.places,
            self.days + other.days,
            self.rows + other.rows,
            self.size + other.size,
            self.damages + other.damages,
        )


def audit(folder: Folder, store: Store, journal: Journal, reader: Reader) -> Audited:
    try:
        head = journal.head(folder)
        if head is None:  # swept, or restored, since it was listed
            return Audited()
        commit, rows = reader.newest(folder, head)
        damages = tuple(_damages(store.full_name(folder.object(commit.object)), commit, rows))
    except LakeUnusableError:  # nothing was found out
        raise
    except RefusedError as error:
        return Audited(1, damages=(str(error),))
    return Audited(1, len(commit.days), commit.rows, commit.size, damages)


def audit_file(store: Store, name: str) -> Audited:
    try:
        found = verify(store, name)
    except LakeUnusableError:
        raise
    except RefusedError as error:
        return Audited(1, damages=(str(error),))
    if found.matches:
        return Audited(1, size=found.size)
    reason = "its bytes are not those that were uploaded"
    return Audited(1, damages=(str(DamagedObjectError(path=f"the file {name}", reason=reason)),))


def _damages(name: str, commit: Commit, rows: pl.DataFrame) -> Iterator[str]:
    found = _by_day(commit, rows)
    schema = _schema_of(commit, rows)
    of_none = rows.clear()
    for day, entry in commit.days.items():
        if schema.content_hash(found.pop(day, of_none)) != entry.content_hash:
            yield str(DamagedObjectError(path=name, reason=f"the rows of {day} are not those of its commit"))
    for day in found:
        yield str(DamagedObjectError(path=name, reason=f"its commit knows nothing of {day}"))


def _by_day(commit: Commit, rows: pl.DataFrame) -> dict[Day, pl.DataFrame]:
    if UNDATED in commit.days:
        return {UNDATED: rows}
    return {day: part for (day,), part in rows.partition_by("day", as_dict=True, maintain_order=True).items()}


def _schema_of(commit: Commit, rows: pl.DataFrame) -> Schema:
    """The room's schema, as far as hashes need it, read off its columns; `day` is the lake's, not the room's."""
    kinds = {name: kind for name, kind in rows.schema.items() if UNDATED in commit.days or name != "day"}
    columns = tuple(Column(name, _KINDS[kind], nullable=True) for name, kind in kinds.items())
    return Schema(commit.schema.name, commit.schema.version, columns)
