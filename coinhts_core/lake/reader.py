"""Rows out of the lake, checked against the commit that named them.

What lives here: `Reader`, and `Stored`, what it gives. What stays out: which commits exist (`journal`), how
decoded columns are kept (`decoded`), and what callers call (`lake`).

What a symbol has stored in a year is kept decoded under the hash of the hashes of the objects it lies in, so any other
row gives another name. Rows that were kept had been checked before; the lake is then not read at all.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from itertools import groupby
from typing import TypeVar

import polars as pl

from coinhts_core.errors import DamagedObjectError, NotStoredError
from coinhts_core.hashes import digest
from coinhts_core.lake.commits import Commit, DayEntry, Folder
from coinhts_core.lake.decoded import Decoded
from coinhts_core.lake.journal import Journal
from coinhts_core.lake.parquet import decode
from coinhts_core.lake.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Stored:
    """Rows, and the entries of exactly these rows: both out of the same commits."""

    rows: pl.DataFrame
    entries: Mapping[date, DayEntry]


class Reader:
    """Reads heads' objects whole, one get a month, and believes no byte that was not published."""

    def __init__(self, store: Store, journal: Journal, decoded: Decoded | None = None) -> None:
        self._store = store
        self._journal = journal
        self._decoded = decoded

    def days(self, home: Folder, first_day: date, last_day: date, columns: Sequence[str] | None = None) -> Stored:
        heads = self._journal.heads(home.parent)
        folders = sorted(heads, key=lambda folder: folder.month)
        years = [{folder: heads[folder] for folder in year} for _, year in groupby(folders, _year)]
        parts = [part for year in years for part in self._of_year(year, first_day, last_day, columns)]
        if not parts:
            raise NotStoredError(asset=home.asset, symbol=home.symbol, days=f"{first_day} to {last_day}")
        entries = {day: entry for part in parts for day, entry in part.entries.items()}
        return Stored(pl.concat([part.rows for part in parts], how="diagonal"), entries)

    def _of_year(
        self, heads: Mapping[Folder, Commit], first_day: date, last_day: date, columns: Sequence[str] | None
    ) -> list[Stored]:
        """Out of the rows that were kept, or month by month; all of a year's rows are then kept."""
        wanted = [folder for folder, head in heads.items() if any(first_day <= day <= last_day for day in head.dated)]
        kept = self._decoded.get(_name(heads.values())) if self._decoded and wanted else None
        if kept is not None and set(columns or ()) <= set(kept.columns):
            return [_out_of_kept(heads.values(), kept, first_day, last_day, columns)]
        months = _abreast(lambda folder: self.newest(folder, heads[folder], columns), wanted)
        if self._decoded and columns is None and wanted and len(wanted) == len(heads):
            _keep(self._decoded, months)
        return [_cut(commit, rows, first_day, last_day) for commit, rows in months]

    def whole(self, folder: Folder, columns: Sequence[str] | None = None) -> pl.DataFrame:
        head = self._journal.head(folder)
        if head is None:
            raise NotStoredError(asset=folder.asset, symbol="of all symbols", days="all days")
        return self.newest(folder, head, columns)[1]

    def rows(self, folder: Folder, commit: Commit) -> pl.DataFrame:
        return self._checked(folder, commit, self._store.get(folder.object(commit.object)))

    def newest(self, folder: Folder, head: Commit, columns: Sequence[str] | None = None) -> tuple[Commit, pl.DataFrame]:
        """Give the head's rows; or, where it was swept since it was listed, the new head and its rows."""
        content = self._store.get(folder.object(head.object))
        if content is None:
            head = self._journal.head(folder) or head
            content = self._store.get(folder.object(head.object))
        return head, self._checked(folder, head, content, columns)

    def _checked(
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


def _abreast(read: Callable[[Folder], T], folders: Sequence[Folder]) -> list[T]:
    """Some at a time: while one waits for its bytes, others are hashed and decoded, which holds nobody else up."""
    return list(_threads().map(read, folders)) if len(folders) > 1 else [read(folder) for folder in folders]


@cache
def _threads() -> ThreadPoolExecutor:
    """One more than there are cores, for all readers. They stay: a new one would have to be given its memory anew."""
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1, "lake")


os.register_at_fork(after_in_child=_threads.cache_clear)  # a child has no thread of its parent's


def _keep(decoded: Decoded, months: Sequence[tuple[Commit, pl.DataFrame]]) -> None:
    rows = pl.concat([rows for _, rows in months], how="diagonal")
    if rows["day"].is_sorted():
        decoded.keep(_name([commit for commit, _ in months]), rows)


def _name(commits: Collection[Commit]) -> str:
    return digest("decoded 2", [commit.sha256 for commit in commits])


def _year(folder: Folder) -> str:
    return folder.month[:4]


def _cut(commit: Commit, rows: pl.DataFrame, first_day: date, last_day: date) -> Stored:
    entries = _entries([commit], first_day, last_day)
    if len(entries) < len(commit.days):
        rows = rows.filter(pl.col("day").is_between(first_day, last_day))
    return Stored(rows, entries)


def _out_of_kept(
    commits: Collection[Commit], kept: pl.DataFrame, first_day: date, last_day: date, columns: Sequence[str] | None
) -> Stored:
    """A slice, not a copy: kept rows lie in the order of their days."""
    since = kept["day"].search_sorted(first_day, "left")
    until = kept["day"].search_sorted(last_day, "right")
    shown = [name for name in kept.columns if columns is None or name in ("day", *columns)]
    return Stored(kept[shown][since:until], _entries(commits, first_day, last_day))


def _entries(commits: Collection[Commit], first_day: date, last_day: date) -> dict[date, DayEntry]:
    entries = (of for commit in commits for of in commit.dated.items())
    return {day: entry for day, entry in entries if first_day <= day <= last_day}
