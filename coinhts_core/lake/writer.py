"""Rows into the lake: merged, written, and committed under the next number, or again.

What lives here: `Writer`, `DayRows`, what it takes, and `Written`, what it tells. What stays out: the rule
of merging (`commits`), and what callers call (`lake`).

A publish writes a new object, then creates the next number's marker. Whoever finds that number taken reads
again, merges and takes the next: the highest marker is the truth, and no day of anyone is lost.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Self

import numpy as np
import polars as pl

from coinhts_core.clock import now
from coinhts_core.errors import CommitRaceError, RefusedError
from coinhts_core.frames import Schema
from coinhts_core.lake.commits import (
    UNDATED,
    Commit,
    Day,
    DayEntry,
    Folder,
    SchemaMark,
    merge,
    new_object_name,
)
from coinhts_core.lake.journal import Journal
from coinhts_core.lake.parquet import encode
from coinhts_core.lake.reader import Reader
from coinhts_core.lake.store import Store

_ATTEMPTS = 100
_LONGEST_WRITE = timedelta(hours=1)
_log = logging.getLogger("coinhts.lake")


@dataclass(frozen=True)
class DayRows:
    """A day's judged rows and the identity they will be stored under."""

    schema: Schema
    frame: pl.DataFrame
    entry: DayEntry

    @classmethod
    def of(
        cls,
        schema: Schema,
        frame: pl.DataFrame,
        *,
        data_version: str | None = None,
        asked_at: datetime | None = None,
        made_from: str | None = None,
    ) -> Self:
        """Rows without a data version of their own are their own version."""
        judged = schema.judge(frame)
        (content_hash,) = schema.content_hashes(judged, [judged.height])
        entry = DayEntry(judged.height, content_hash, data_version or content_hash, asked_at, made_from)
        return cls(schema, judged, entry)

    @classmethod
    def of_days(
        cls,
        schema: Schema,
        frame: pl.DataFrame,
        heights: Mapping[date, int],
        *,
        data_versions: Mapping[date, str] | None = None,
        made_from: Mapping[date, str] | None = None,
    ) -> dict[date, Self]:
        """The same of many days, whose rows stand one after another in one frame: judged and packed together."""
        judged, versions, made_from = schema.judge(frame), data_versions or {}, made_from or {}
        hashes = schema.content_hashes(judged, list(heights.values()))
        days, start = {}, 0
        for (day, height), content_hash in zip(heights.items(), hashes, strict=True):
            entry = DayEntry(height, content_hash, versions.get(day, content_hash), None, made_from.get(day))
            days[day] = cls(schema, judged.slice(start, height), entry)
            start += height
        return days


@dataclass(frozen=True)
class Written:
    """The commit that has the rows now, and the bytes that had to be written for it."""

    number: int
    size: int


class Writer:
    """Publishes into one folder at a time."""

    def __init__(self, store: Store, journal: Journal, reader: Reader) -> None:
        self._store = store
        self._journal = journal
        self._reader = reader

    def merge_in(self, folder: Folder, days: Mapping[Day, DayRows]) -> Written:
        for _ in range(_ATTEMPTS):
            written = self._attempt(folder, days)
            if written:
                return written
            _log.info("others published first", extra={"facts": {"folder": folder.path}})
        raise _overtaken(folder, _ATTEMPTS)

    def replace(self, folder: Folder, rows: DayRows, replaces: int) -> Written:
        written = self._attempt(folder, {UNDATED: rows}, replaces)
        if written is None:
            raise _overtaken(folder, attempts=1)
        return written

    def _attempt(self, folder: Folder, days: Mapping[Day, DayRows], replaces: int | None = None) -> Written | None:
        """None when others were first: what this one read is no longer what is."""
        read_at = now()
        head = self._journal.head(folder)
        number = head.number if head else 0
        merged = merge(head.days if head else {}, {day: rows.entry for day, rows in days.items()})
        if head and merged == head.days:
            return Written(number, 0)
        if replaces not in (None, number):
            return None
        commit, content = self._next(folder, head, merged, days)
        path = folder.object(commit.object)
        if content and not self._store.create(path, content):
            return None
        is_fresh = now() - read_at < _LONGEST_WRITE
        if is_fresh and self._journal.create(folder, commit):
            return Written(commit.number, len(content)) if self._journal.continues(folder, commit) else None
        if content:
            self._store.remove(path)
        return None

    def _next(
        self, folder: Folder, head: Commit | None, merged: Mapping[Day, DayEntry], days: Mapping[Day, DayRows]
    ) -> tuple[Commit, bytes]:
        """Prepare the next commit and its object's bytes: none where entries changed and no row did."""
        version: dict[str, Any] = {
            "number": head.number + 1 if head else 1,
            "parent": head.number if head else None,
            "parent_digest": head.digest if head else None,
            "published_at": now(),
            "days": merged,
        }
        if head and _hashes(merged) == _hashes(head.days):
            return replace(head, **version), b""
        schema = _schema_of(days.values())
        frame = self._merged_rows(folder, head, merged, days, schema)
        content = encode(frame)
        return Commit(
            asset=folder.asset,
            symbol=folder.symbol,
            month=folder.month,
            object=new_object_name(version["number"]),
            sha256=sha256(content).hexdigest(),
            size=len(content),
            rows=frame.height,
            schema=schema,
            **version,
        ), content

    def _merged_rows(
        self,
        folder: Folder,
        head: Commit | None,
        merged: Mapping[Day, DayEntry],
        days: Mapping[Day, DayRows],
        schema: SchemaMark,
    ) -> pl.DataFrame:
        """Read the held object only for days that stay: rewriting all of them mends a damaged one."""
        fresh = {day: rows for day, rows in days.items() if merged[day] is rows.entry}
        frames = [_with_days(fresh)] if fresh else []
        staying = [day for day in merged if day not in fresh]
        if head and staying:
            if head.schema != schema:
                reason = f"{folder.path} holds {head.schema} and cannot take in {schema} without a migration"
                raise RefusedError(reason=reason)
            held = self._reader.rows(folder, head)
            frames.append(held.filter(pl.col("day").is_in(staying)))
        rows = pl.concat(frames)
        return rows.sort([name for name in ("day", "opened_at") if name in rows.columns], maintain_order=True)


def _overtaken(folder: Folder, attempts: int) -> CommitRaceError:
    symbol = folder.symbol or "of all symbols"
    return CommitRaceError(asset=folder.asset, symbol=symbol, month=folder.month, attempts=attempts)


def _hashes(days: Mapping[Day, DayEntry]) -> dict[Day, str]:
    return {day: entry.content_hash for day, entry in days.items()}


def _schema_of(days: Collection[DayRows]) -> SchemaMark:
    first, *others = {SchemaMark(rows.schema.name, rows.schema.version) for rows in days}
    if others:
        raise RefusedError(reason=f"days of {first} and {others[0]} cannot share one object")
    return first


def _with_days(days: Mapping[Day, DayRows]) -> pl.DataFrame:
    """The rows of all days in one frame, each with its day."""
    rows = pl.concat([of.frame for of in days.values()])
    if UNDATED in days:
        return rows
    day = pl.Series("day", list(days), pl.Date)
    heights = np.array([of.frame.height for of in days.values()])
    return pl.DataFrame([day.gather(np.repeat(np.arange(len(days)), heights)), *rows.get_columns()])
