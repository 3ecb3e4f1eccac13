"""Exporting candles into files that other programs read, and what is told about it.

What lives here: `export_files`, one file a symbol, written month by month. What to add: a format, as one more writer.
What stays out: reading files back (`import_files`), and making coarser bars (`coinhts_core.candles.resample`).

A file appears under its name only when it is whole. Prices are written as the shortest text that reads back as the very
same number. A week is exported only when each of its days was asked for and is there, or was before the listing or
after the delisting; any other bar lies within one day.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import polars as pl
import pyarrow.parquet as pq

from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.resample import resample
from coinhts_core.days import DayRange
from coinhts_core.errors import RefusedError
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Timeframe
from coinhts_pipeline import screen

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = ("parquet", "csv")
_TIME = "%Y-%m-%dT%H:%M:%S%:z"
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Wanted:
    """Which days, as bars of which length, in which format, and where to."""

    days: DayRange
    timeframe: Timeframe
    format: Format
    folder: Path
    is_replacing: bool = False

    def file(self, symbol: str) -> Path:
        return self.folder / f"{symbol}-{self.timeframe}.{self.format}"


@dataclass(frozen=True)
class Exported:
    """A file that was written: its bars, and how many days it lacks of those asked for that were listed."""

    symbol: str
    file: str
    timeframe: str
    bars: int
    first: date
    last: date
    days: int
    days_missing: int


@dataclass
class Report:
    """The files written, and the symbols that have nothing to write."""

    exported: list[Exported] = field(default_factory=list)
    without_candles: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        return {"files": [asdict(of) for of in self.exported], "without_candles": self.without_candles}


class Writer(Protocol):
    """Takes portions of bars, oldest first."""

    def write(self, bars: pl.DataFrame) -> None: ...
    def close(self) -> None: ...


class _Csv:
    """Plain UTF-8: a header, then times in ISO 8601 with their offset and numbers; no cell is a formula or a text."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_first = True

    def write(self, bars: pl.DataFrame) -> None:
        self._file.write(bars.write_csv(include_header=self._is_first, datetime_format=_TIME).encode())
        self._is_first = False

    def close(self) -> None:
        """Nothing is left to write."""


class _Parquet:
    """One row group a portion."""

    def __init__(self, file: BinaryIO) -> None:
        schema = CANDLES.empty().to_arrow().schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._schema = schema

    def write(self, bars: pl.DataFrame) -> None:
        self._writer.write_table(bars.to_arrow().cast(self._schema))

    def close(self) -> None:
        self._writer.close()


_WRITERS: Mapping[Format, Callable[[BinaryIO], Writer]] = {"parquet": _Parquet, "csv": _Csv}


def export_files(lake: Lake, symbols: Sequence[Registered], wanted: Wanted) -> Report:
    """A file for every symbol that has bars; refused before anything is written where one is in the way."""
    portions = {of: _portions(lake, of, wanted) for of in symbols}
    _refuse_to_overwrite(wanted, [of for of, found in portions.items() if found])
    report = Report()
    with screen.progress("candles", sum(map(len, portions.values()))) as progress, _told_of(wanted.folder):
        wanted.folder.mkdir(parents=True, exist_ok=True)
        for of, found in portions.items():
            exported = _export(lake, of, wanted, found, progress)
            if exported:
                report.exported.append(exported)
            else:
                report.without_candles.append(str(of.symbol))
    if not report.exported:
        reason = f"there is no bar of {wanted.timeframe} in {wanted.days}; `coinhts data status` shows what there is"
        raise RefusedError(reason=reason)
    return report


def show(report: Report) -> None:
    columns = ("symbol", "file", "bars", "first", "last", "days", "days missing")
    rows = [
        [of.symbol, of.file, f"{of.bars:,}", str(of.first), str(of.last), f"{of.days:,}", f"{of.days_missing:,}"]
        for of in report.exported
    ]
    screen.table(columns, rows, words=2)
    if report.without_candles:
        screen.note(f"nothing to export of {', '.join(report.without_candles)}")


def _export(
    lake: Lake, of: Registered, wanted: Wanted, portions: list[list[date]], progress: Callable[[str], object]
) -> Exported | None:
    file, bars = wanted.file(of.symbol), 0
    with _drafted(file) as draft:
        with draft.open("wb") as opened:
            with closing(_WRITERS[wanted.format](opened)) as writer:
                for days in portions:
                    portion = _bars(lake, of, days, wanted.timeframe)
                    writer.write(portion)
                    bars += portion.height
                    progress(f"{of.symbol} {days[0]:%Y-%m}")
            opened.flush()
            os.fsync(opened.fileno())
        if not bars:
            return None
        draft.replace(file)
    days = [day for portion in portions for day in portion]
    listed = sum(of.is_listed_on(day) for day in wanted.days)
    missing = listed - sum(of.is_listed_on(day) for day in days)
    return Exported(str(of.symbol), str(file), str(wanted.timeframe), bars, days[0], days[-1], len(days), missing)


def _bars(lake: Lake, of: Registered, days: Sequence[date], timeframe: Timeframe) -> pl.DataFrame:
    rows = lake.read(MINUTES, of.symbol, days[0], days[-1], ["day", *CANDLES.names])
    minutes = rows.filter(pl.col("day").is_in(days)).select(CANDLES.names)
    return resample(minutes, Timeframe.M1, timeframe)


def _portions(lake: Lake, of: Registered, wanted: Wanted) -> list[list[date]]:
    """The days to export, a month at a time; weeks belong to the month of their Monday."""
    stored = {day for day in lake.heads(MINUTES, of.symbol) if day in wanted.days}
    if wanted.timeframe is not Timeframe.W1:
        return [list(days) for _, days in groupby(sorted(stored), key=lambda day: (day.year, day.month))]
    weeks = [week for week in _weeks(stored) if all(day in stored or _never_traded(of, day) for day in week)]
    return [
        sorted(stored & {day for week in month for day in week})
        for _, month in groupby(weeks, key=lambda week: (week.first.year, week.first.month))
    ]


def _weeks(days: set[date]) -> list[DayRange]:
    mondays = sorted({day - timedelta(days=day.weekday()) for day in days})
    return [DayRange(monday, monday + _WEEK - timedelta(days=1)) for monday in mondays]


def _never_traded(of: Registered, day: date) -> bool:
    return day < of.first_day or (of.delisted_on is not None and day > of.delisted_on)


def _refuse_to_overwrite(wanted: Wanted, symbols: Sequence[Registered]) -> None:
    in_the_way = [file for of in symbols if (file := wanted.file(of.symbol)).exists()]
    if in_the_way and not wanted.is_replacing:
        others = f" and {len(in_the_way) - 1} more" if len(in_the_way) > 1 else ""
        reason = f"{in_the_way[0]}{others} would be overwritten; add --replace, or name another directory with --to"
        raise RefusedError(reason=reason)


@contextmanager
def _drafted(file: Path) -> Iterator[Path]:
    """A hidden file beside it, gone at the end unless it took the name."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _told_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{folder} cannot be written to ({error.strerror or error}); name another directory with --to"
        raise RefusedError(reason=reason) from error
