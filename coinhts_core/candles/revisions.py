"""Revisions: days that the exchange had answered completely, and told differently when it was asked again.

What lives here: noticing them before the rows of before are replaced, and keeping account of them in the ledger.
What stays out: what becomes stale by them (`agenda`): a day's new rows have a new hash.

The hash of before is the one that was recorded with the answer, not the lake's. So a process that is killed between
publishing and recording forgets no revision, only how many bars it changed.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from psycopg import Cursor

from coinhts_core.candles.coverage import Answer
from coinhts_core.candles.frame import CANDLES
from coinhts_core.errors import DamagedObjectError, NotStoredError
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Market, Timeframe

_ASSET = "candles/minute"
_log = logging.getLogger("coinhts.candles")


@dataclass(frozen=True)
class Revision:
    """A day's identity before and after, and which bars differ; unknown where the rows of before are gone."""

    day: date
    hash_before: str
    hash_after: str
    bars_changed: int | None = None
    first_changed_at: datetime | None = None

    def __str__(self) -> str:
        if self.bars_changed is None:
            return "told differently; the bars of before are gone"
        bars = "1 bar differs" if self.bars_changed == 1 else f"{self.bars_changed} bars differ"
        return f"{bars} from what was told before, the first at {self.first_changed_at:%H:%M} UTC"


def find_revisions(
    lake: Lake,
    symbol: Market,
    told: Mapping[date, Answer],
    stored: Mapping[date, DayEntry],
    complete: Mapping[date, DayRows],
) -> list[Revision]:
    """Compare new complete answers with the recorded ones; days that came out of a file are not the exchange's."""
    revised = {
        day: before
        for day, rows in complete.items()
        if day in told
        and (before := told[day].content_hash)
        and told[day].kind == "complete"
        and before != rows.entry.content_hash
        and not (day in stored and stored[day].made_from)
    }
    rows_before = _rows(
        lake, symbol, [day for day in revised if day in stored and stored[day].content_hash == revised[day]]
    )
    return [_revision(day, before, complete[day], rows_before.get(day)) for day, before in revised.items()]


def record_revisions(cursor: Cursor[Any], symbol: Market, revisions: Iterable[Revision], asked_at: datetime) -> None:
    """To be called in the transaction that records the new answer, before it is recorded."""
    same = {"symbol": str(symbol), "timeframe": Timeframe.M1.value, "asked_at": asked_at}
    cursor.executemany(load_queries("revisions")["record_revision"], [{**same, **vars(of)} for of in revisions])


def find_revised_days(ledger: Ledger, symbol: str, first: date, last: date) -> list[date]:
    wanted = {"symbol": symbol, "timeframe": Timeframe.M1.value, "first": first, "last": last}
    with ledger.transaction() as connection:
        return [day for (day,) in connection.execute(load_queries("revisions")["find_revised_days"], wanted)]


def _revision(day: date, before: str, rows: DayRows, rows_before: pl.DataFrame | None) -> Revision:
    after = rows.entry.content_hash
    if rows_before is None:
        return Revision(day, before, after)
    here, there = (frame.select(CANDLES.names) for frame in (rows_before, rows.frame))
    differing = pl.concat(
        [here.join(there, on=CANDLES.names, how="anti"), there.join(here, on=CANDLES.names, how="anti")]
    )
    moments = differing["opened_at"].unique().sort().to_list()
    return Revision(day, before, after, len(moments), next(iter(moments), None))


def _rows(lake: Lake, symbol: Market, days: list[date]) -> dict[date, pl.DataFrame]:
    """None of what is lost or damaged: the new answer mends it."""
    if not days:
        return {}
    try:
        rows = lake.read(_ASSET, symbol, min(days), max(days))
    except NotStoredError:
        return {}
    except DamagedObjectError as error:
        _log.warning("the new answer mends it", extra={"facts": {"symbol": str(symbol), "reason": str(error)}})
        return {}
    nothing = rows.clear()
    by_day = rows.partition_by("day", as_dict=True)
    return {day: by_day.get((day,), nothing) for day in days}
