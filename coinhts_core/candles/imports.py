"""Which days of somebody's file are believed, which of them are news, and keeping those.

What lives here: `import_bars`, from a file's rows to the lake and the ledger. What stays out: reading the file
(`files`) and the rules of a believable day (`frame`).

A day is kept whole or not at all, and judged like a downloaded one. Minutes that are not in the file were quiet, or
cut off; so a day must be seen to be whole: either the days before and behind it are in the file, too, or each of its
hours has a bar and so has the minute at the file's edge, 00:00 or 23:59. A hole that a writer left in the middle of
a day looks like a quiet hour, until the exchange itself is asked. Rows may stand in any order and more than once.

A day the lake has already is compared and left alone; where the file differs it is replaced only on demand. Every kept
day carries the file's sha-256 in `made_from`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import file_digest

import polars as pl

from coinhts_core.candles.collection import Collection, answers, record
from coinhts_core.candles.columns import AMOUNTS
from coinhts_core.candles.files import FileBars
from coinhts_core.candles.frame import CANDLES, judge_day, row_rules
from coinhts_core.candles.registry import Registered
from coinhts_core.days import last_complete_day
from coinhts_core.errors import BadCandlesError
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger
from coinhts_core.markets import Timeframe

_ASSETS = {Timeframe.M1: "candles/minute", Timeframe.D1: "candles/day"}
_DAY = timedelta(days=1)
_HOURS = 24


class Fate(StrEnum):
    """What became, or would become, of a day of a file."""

    GOOD = "good"
    REFUSED = "refused"
    PRESENT = "already there"
    DIFFERENT = "different"


@dataclass
class Imported:
    """The fate of every day of one symbol in one file, and why the refused are refused."""

    bars: FileBars
    registered: Registered
    sha256: str
    fates: dict[date, Fate] = field(default_factory=dict)
    reasons: dict[date, str] = field(default_factory=dict)

    def count(self, fate: Fate) -> int:
        return sum(of is fate for of in self.fates.values())


@dataclass(frozen=True)
class Importing:
    """Where days go, when it is, and what is wanted; a rehearsal writes nothing."""

    lake: Lake
    ledger: Ledger
    asked_at: datetime
    is_rehearsal: bool = False
    is_replacing: bool = False


def sha256_of(bars: FileBars) -> str:
    with bars.file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def import_bars(importing: Importing, bars: FileBars, registered: Registered, sha256: str) -> Imported:
    """Judge a symbol's days month by month, and keep the good ones that are news."""
    imported = Imported(bars, registered, sha256)
    stored = importing.lake.heads(_ASSETS[bars.timeframe], registered.symbol)
    for month in bars.months_of(registered.symbol):
        rows = pl.concat(bars.months.pop((registered.symbol, month)))
        judged = dict(_judged_days(imported, rows, importing.asked_at))
        believed = {day: of for day, of in judged.items() if isinstance(of, DayRows)}
        imported.reasons |= {day: of for day, of in judged.items() if isinstance(of, str)}
        imported.fates |= dict.fromkeys(judged, Fate.REFUSED) | _compared(importing, imported, believed, stored)
        if not importing.is_rehearsal:
            _keep(importing, imported, believed, stored)
    return imported


def _judged_days(imported: Imported, rows: pl.DataFrame, asked_at: datetime) -> Iterator[tuple[date, DayRows | str]]:
    once = rows.sort("opened_at", "number").unique(
        ["opened_at", *AMOUNTS, "is_ragged"], keep="first", maintain_order=True
    )
    by_day = once.with_columns(day=pl.col("opened_at").dt.date()).partition_by("day", as_dict=True, include_key=False)
    for (day,), group in by_day.items():
        yield day, _judged(imported, day, group, asked_at)


def _judged(imported: Imported, day: date, rows: pl.DataFrame, asked_at: datetime) -> DayRows | str:
    bars, registered = imported.bars, imported.registered
    reason = (
        _why_not_wanted(registered, day, bars.timeframe, asked_at)
        or bars.doubts.get(day)
        or _why_not_believed(imported, day, rows, asked_at)
    )
    return reason or DayRows.of(CANDLES, rows.select(CANDLES.names), asked_at=asked_at, made_from=imported.sha256)


def _why_not_wanted(registered: Registered, day: date, timeframe: Timeframe, asked_at: datetime) -> str | None:
    """Day bars reach back to the listing, minutes to the anchor."""
    if day > last_complete_day(asked_at):
        return "it is not over yet"
    if registered.delisted_on and day > registered.delisted_on:
        return "after its delisting"
    if day < registered.first_day:
        return f"before {registered.symbol} was listed"
    if timeframe is Timeframe.M1 and day < registered.anchor:
        return "before COINHTS_START_DATE"
    return None


def _why_not_believed(imported: Imported, day: date, rows: pl.DataFrame, asked_at: datetime) -> str | None:
    bars, symbol = imported.bars, imported.registered.symbol
    if rows["is_ragged"].any():
        return f"{bars.counted_in} {_first(rows, pl.col('is_ragged'))}: it has more fields than its header"
    if broken := next((name for name in AMOUNTS if rows[name].null_count()), None):
        return f"{bars.counted_in} {_first(rows, pl.col(broken).is_null())}: {broken} is no number"
    try:
        judge_day(rows, symbol, day, bars.timeframe, asked_at=asked_at)
    except BadCandlesError as error:
        rules = row_rules(day, bars.timeframe, asked_at).values()
        number = next(number for rule in rules if (number := _first(rows, ~rule)))
        return f"{bars.counted_in} {number}: {error.reason}"
    return _why_not_whole(day, rows, bars.days[symbol]) if bars.timeframe is Timeframe.M1 else None


def _first(rows: pl.DataFrame, offence: pl.Expr) -> int | None:
    return next(iter(rows.filter(offence)["number"]), None)


def _why_not_whole(day: date, rows: pl.DataFrame, days: set[date]) -> str | None:
    """Both neighbours in the file mean that the day was not cut."""
    edges = {
        "00:00": rows["opened_at"][0].hour + rows["opened_at"][0].minute == 0 or day - _DAY in days,
        "23:59": (rows["opened_at"][-1] + timedelta(minutes=1)).date() > day or day + _DAY in days,
    }
    is_inside = {day - _DAY, day + _DAY} <= days
    if is_inside or (all(edges.values()) and rows["opened_at"].dt.hour().n_unique() == _HOURS):
        return None
    missing = [f"the minute {minute}" for minute, is_there in edges.items() if not is_there] or ["an hour"]
    return f"the file may hold a part of it: it begins or ends that day, and {missing[0]} is missing"


def _compared(
    importing: Importing, imported: Imported, believed: Mapping[date, DayRows], stored: Mapping[date, DayEntry]
) -> dict[date, Fate]:
    known = {day: rows for day, rows in believed.items() if day in stored}
    differing = {day for day, rows in known.items() if rows.entry.content_hash != stored[day].content_hash}
    if differing and not imported.bars.has_turnover:
        differing = _differing_in_more_than_turnover(importing.lake, imported, {day: known[day] for day in differing})
    fates = dict.fromkeys(believed, Fate.GOOD) | dict.fromkeys(known, Fate.PRESENT)
    return fates | dict.fromkeys(differing, Fate.GOOD if importing.is_replacing else Fate.DIFFERENT)


def _differing_in_more_than_turnover(lake: Lake, imported: Imported, days: Mapping[date, DayRows]) -> set[date]:
    """A turnover that is only an estimate differs from the real one, which is the better of the two."""
    asset, names = _ASSETS[imported.bars.timeframe], [name for name in CANDLES.names if name != "turnover_krw"]
    held = lake.read(asset, imported.registered.symbol, min(days), max(days)).partition_by("day", as_dict=True)
    nothing = CANDLES.empty()
    return {
        day
        for day, rows in days.items()
        if not rows.frame.select(names).equals(held.get((day,), nothing).select(names))
    }


def _keep(
    importing: Importing, imported: Imported, believed: Mapping[date, DayRows], stored: Mapping[date, DayEntry]
) -> None:
    """First the rows, then the answer; what was kept without one, by an import that was killed, is answered now."""
    bars, registered, fates = imported.bars, imported.registered, imported.fates
    is_minutes = bars.timeframe is Timeframe.M1
    news = {day: rows for day, rows in believed.items() if fates[day] is Fate.GOOD}
    if news:
        importing.lake.publish(_ASSETS[bars.timeframe], registered.symbol, news, monthly=is_minutes)
    kept = {day: replace(rows, entry=stored[day]) for day, rows in believed.items() if fates[day] is Fate.PRESENT}
    if is_minutes and believed:
        told = answers(importing.ledger, registered.symbol, min(believed), max(believed))
        untold = {day: rows for day, rows in kept.items() if day not in told or told[day].kind != "complete"}
        record(importing.ledger, Collection(registered, answered=news | untold), importing.asked_at)
