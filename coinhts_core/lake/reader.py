"""Rows out of the lake, checked against the commit that named them.

What lives here: `Reader`, and `Stored`, what it gives. What stays out: which commits exist (`journal`), and
what callers call (`lake`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import polars as pl

from coinhts_core.errors import DamagedObjectError, NotStoredError
from coinhts_core.lake.commits import Commit, DayEntry, Folder
from coinhts_core.lake.journal import Journal
from coinhts_core.lake.parquet import decode
from coinhts_core.lake.store import Store


@dataclass(frozen=True)
class Stored:
    """Rows, and the entries of exactly these rows: both out of the same commits."""

    rows: pl.DataFrame
    entries: Mapping[date, DayEntry]


class Reader:
    """Reads heads' objects whole, one get a month, and believes no byte that was not published."""

    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def days(self, home: Folder, first_day: date, last_day: date, columns: Sequence[str] | None = None) -> Stored:
        heads = self._journal.heads(home.parent)
        months = [
            self._between(folder, heads[folder], first_day, last_day, columns)
            for folder in sorted(heads, key=lambda folder: folder.month)
            if any(first_day <= day <= last_day for day in heads[folder].dated)
        ]
        if not months:
            raise NotStoredError(asset=home.asset, symbol=home.symbol, days=f"{first_day} to {last_day}")
        entries = {day: entry for month in months for day, entry in month.entries.items()}
        return Stored(pl.concat([month.rows for month in months], how="diagonal"), entries)

    def whole(self, folder: Folder, columns: Sequence[str] | None = None) -> pl.DataFrame:
        head = self._journal.head(folder)
        if head is None:
            raise NotStoredError(asset=folder.asset, symbol="of all symbols", days="all days")
        return self.newest(folder, head, columns)[1]

    def rows(self, folder: Folder, commit: Commit) -> pl.DataFrame:
        return self._decoded(folder, commit, self._store.get(folder.object(commit.object)))

    def _between(
        self, folder: Folder, head: Commit, first_day: date, last_day: date, columns: Sequence[str] | None
    ) -> Stored:
        commit, rows = self.newest(folder, head, columns)
        entries = {day: entry for day, entry in sorted(commit.dated.items()) if first_day <= day <= last_day}
        if len(entries) < len(commit.days):
            rows = rows.filter(pl.col("day").is_between(first_day, last_day))
        return Stored(rows, entries)

    def newest(self, folder: Folder, head: Commit, columns: Sequence[str] | None = None) -> tuple[Commit, pl.DataFrame]:
        """Give the head's rows; or, where it was swept since it was listed, the new head and its rows."""
        content = self._store.get(folder.object(head.object))
        if content is None:
            head = self._journal.head(folder) or head
            content = self._store.get(folder.object(head.object))
        return head, self._decoded(folder, head, content, columns)

    def _decoded(
        self,
        folder: Folder,
        commit: Commit,
        content: memoryview | None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        name = self._store.full_name(folder.object(commit.object))
        if content is None:
            raise DamagedObjectError(path=name, reason="it is missing")
        if len(content) != commit.size or sha256(content).hexdigest() != commit.sha256:
            raise DamagedObjectError(path=name, reason="its bytes are not those that were published")
        if columns is not None and folder.symbol is not None:
            columns = ["day", *(column for column in columns if column != "day")]
        return decode(content, name, commit.schema.name, columns)
