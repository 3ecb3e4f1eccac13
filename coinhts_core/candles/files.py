"""Candle files nobody here made: found, told whose bars they hold, and read into our columns.

What lives here: `find_files` and `read_file`. What to add: nothing for another spelling (`columns`, `stamps`,
`amounts`) or format (`tables`). What stays out: which days are believed and kept (`imports`).

Whose bars they are is said by the person, by a column, or by the path: coin_hts' tree is
`{SYMBOL}/{TIMEFRAME}/{year}.parquet`, and most others put it into the file's name. How a file is to be read is found
out from its first piece and then holds for all of it; memory holds the numbers of one file, never its text.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

import polars as pl

from coinhts_core.candles.amounts import Notation
from coinhts_core.candles.columns import AMOUNTS
from coinhts_core.candles.stamps import Stamps, Zone, finest_gap, understand
from coinhts_core.candles.tables import Table, open_table
from coinhts_core.errors import BadFileError, BadTimeframeError, RefusedError
from coinhts_core.markets import Market, Timeframe

_ENDINGS = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
_SYMBOLS = (r"KRW-[A-Z0-9]{1,16}", r"[A-Z0-9]{1,16}[-_]KRW", r"KRW_[A-Z0-9]{1,16}")
_KEPT = (Timeframe.M1, Timeframe.D1)
_MOST_DOUBTS = 10_000
T = TypeVar("T")


@dataclass(frozen=True)
class Said:
    """What a person says about files that do not say it themselves."""

    symbol: Market | None = None
    timeframe: Timeframe | None = None
    zone: Zone | None = None


@dataclass
class FileBars:
    """A file's rows by symbol and month, the days it has, the days its unreadable times may belong to, and how read."""

    file: Path
    timeframe: Timeframe
    told: str
    counted_in: str
    has_turnover: bool
    months: dict[tuple[Market, date], list[pl.DataFrame]] = field(default_factory=dict)
    days: dict[Market, set[date]] = field(default_factory=dict)
    doubts: dict[date, str] = field(default_factory=dict)

    @property
    def symbols(self) -> list[Market]:
        return sorted(self.days)

    def months_of(self, symbol: Market) -> list[date]:
        return sorted(month for of, month in self.months if of == symbol)


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files named, and the Parquet and CSV files anywhere below the directories named, each once."""
    found = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    wanted = set(paths)
    return list(dict.fromkeys(file for file in found if file in wanted or _is_table(file)))


def read_file(file: Path, said: Said, *, of_any_length: bool = False) -> FileBars:
    """Every row of the file as `number`, `is_ragged`, `opened_at` and amounts, or a refusal that says what to do.

    Bars of any length are for looking at; minutes and days are what the lake keeps.
    """
    try:
        return _read(file, said, of_any_length=of_any_length)
    except BadFileError:
        raise
    except RefusedError as error:
        raise BadFileError(file=file.name, reason=str(error).removeprefix("refused: ")) from error
    except pl.exceptions.PolarsError as error:
        raise BadFileError(file=file.name, reason=str(error).split("\n", 1)[0]) from error


@dataclass(frozen=True)
class _Reading:
    """How the first piece told that a file is to be read."""

    stamps: Stamps
    notation: Notation
    symbol: Market | None


def candles_in(file: Path, said: Said) -> dict[Market, pl.DataFrame]:
    """The bars of each symbol, of any length, in order; or a refusal that names the line."""
    bars = read_file(file, said, of_any_length=True)
    for reason in bars.doubts.values():
        raise BadFileError(file=file.name, reason=reason)
    found = {}
    for symbol in bars.symbols:
        rows = pl.concat([rows for month in bars.months_of(symbol) for rows in bars.months[symbol, month]])
        lacking = rows.filter(pl.col("is_ragged") | pl.any_horizontal(pl.col(*AMOUNTS).is_null()))["number"]
        if len(lacking):
            raise BadFileError(file=file.name, reason=f"{bars.counted_in} {lacking.min()!s}: a number cannot be read")
        found[symbol] = rows.select("opened_at", *AMOUNTS).sort("opened_at")
    return found


def _read(file: Path, said: Said, *, of_any_length: bool) -> FileBars:
    table = open_table(file)
    first = next((piece for piece in table.pieces if piece.height), None)
    if first is None:
        raise RefusedError(reason="it has no rows")
    named = _timeframe_in(file)
    stamps = understand(
        first["opened_at"],
        table.time_column,
        said.timeframe or named,
        said.zone,
        is_coin_hts=_is_in_a_tree_of_coin_hts(file),
        otherwise=Zone.UTC if of_any_length else None,
    )
    found = finest_gap(stamps.read(first["opened_at"]))
    timeframe = _agreed(said.timeframe, named, found) if not of_any_length else said.timeframe or named or Timeframe.M1
    reading = _Reading(stamps, _notation_of(first, table), _only_symbol(file, table, said))
    has_turnover = "turnover_krw" in table.columns
    told = stamps.told if has_turnover else f"{stamps.told}; turnover is volume x close"
    bars = FileBars(file, timeframe, told, table.counted_in, has_turnover)
    doubts = _Doubts(bars)
    for piece in _and_the_rest(first, table):
        rows = _typed(piece, reading, has_turnover=has_turnover)
        doubts.take(rows)
        _take(bars, rows.drop_nulls("opened_at"), said.symbol)
    return bars


def _and_the_rest(first: pl.DataFrame, table: Table) -> Iterator[pl.DataFrame]:
    yield first
    yield from table.pieces


def _agreed(said: Timeframe | None, named: Timeframe | None, found: Timeframe | None) -> Timeframe:
    """The timeframe the person says, or the path names and the bars have; either of these may be silent."""
    timeframe = said or named or found
    if timeframe is None:
        raise RefusedError(reason="nothing tells how long its bars are; add --timeframe 1m or --timeframe 1d")
    if timeframe not in _KEPT:
        raise RefusedError(
            reason=f"its bars are of {timeframe}; import minutes (1m) and days (1d), which make all others"
        )
    if not said and found not in (timeframe, None):
        raise RefusedError(
            reason=f"its path says {named}, and its bars are {found} apart; add --timeframe if it is right"
        )
    return timeframe


def _notation_of(piece: pl.DataFrame, table: Table) -> Notation:
    texts = [piece[name] for name in AMOUNTS if name in table.columns and piece[name].dtype == pl.String]
    return Notation.of(pl.concat([of.alias("text") for of in texts]), table.separator) if texts else Notation.POINT


def _typed(piece: pl.DataFrame, reading: _Reading, *, has_turnover: bool) -> pl.DataFrame:
    amounts = {name: reading.notation.read(piece[name]) for name in AMOUNTS if name in piece.columns}
    rows = piece.select("number", "is_ragged").with_columns(
        pl.Series("opened_at", reading.stamps.read(piece["opened_at"])),
        _symbols(piece, reading),
        *(pl.Series(name, column) for name, column in amounts.items()),
    )
    estimate = pl.col("volume") * pl.col("close")
    return rows if has_turnover else rows.with_columns(turnover_krw=pl.when(estimate.is_finite()).then(estimate))


def _symbols(piece: pl.DataFrame, reading: _Reading) -> pl.Series:
    if reading.symbol:
        return pl.repeat(str(reading.symbol), piece.height, eager=True).alias("symbol")
    words = piece["symbol"].cast(pl.String)
    codes = {word: str(Market.parse(word or "")) for word in words.unique()}
    return words.replace_strict(codes, return_dtype=pl.String).alias("symbol")


def _take(bars: FileBars, rows: pl.DataFrame, wanted: Market | None) -> None:
    day = pl.col("opened_at").dt.date()
    for key, group in rows.with_columns(month=day.dt.month_start()).partition_by(
        "symbol", "month", as_dict=True, include_key=False
    ).items():  # fmt: skip
        symbol, month = Market(key[0]), date.min if bars.timeframe is Timeframe.D1 else key[1]
        if wanted and symbol != wanted:
            raise RefusedError(reason=f"it holds bars of {symbol}, and you say {wanted}")
        bars.months.setdefault((symbol, month), []).append(group)
        bars.days.setdefault(symbol, set()).update(group.select(day.unique()).to_series())


class _Doubts:
    """A time that cannot be read may belong to the day of the row before it or of the row behind it."""

    def __init__(self, bars: FileBars) -> None:
        self._bars = bars
        self._last: date | None = None
        self._waiting: str | None = None
        self._count = 0

    def take(self, rows: pl.DataFrame) -> None:
        days = rows.select(
            "number",
            day=pl.col("opened_at").dt.date(),
            before=pl.col("opened_at").dt.date().forward_fill(),
            behind=pl.col("opened_at").dt.date().backward_fill(),
        )
        unread = days.filter(pl.col("day").is_null())
        self._count += unread.height
        if self._count > _MOST_DOUBTS:
            such = f"{self._bars.counted_in} {unread['number'][-1]}"
            raise RefusedError(reason=f"more than {_MOST_DOUBTS} of its times cannot be read, that of {such} for one")
        first_day = days["behind"].first()
        if self._waiting and isinstance(first_day, date):
            self._doubt(first_day, self._waiting)
            self._waiting = None
        for number, _, before, behind in unread.iter_rows():
            reason = f"{self._bars.counted_in} {number}: its time cannot be read"
            self._doubt(before or self._last, reason)
            self._doubt(behind, reason)
            if behind is None:
                self._waiting = self._waiting or reason
        self._last = days["before"].last() or self._last  # type: ignore[assignment]  # a column of dates

    def _doubt(self, day: date | None, reason: str) -> None:
        if day:
            self._bars.doubts.setdefault(day, reason)


def _is_table(file: Path) -> bool:
    return file.is_file() and file.name.lower().endswith(_ENDINGS) and not file.name.startswith(".")


def _is_in_a_tree_of_coin_hts(file: Path) -> bool:
    is_year = re.fullmatch(r"\d{4}\.parquet", file.name) is not None
    timeframe = file.absolute().parent
    is_symbol = _symbol_of(timeframe.parent.name, is_all=True) is not None
    return is_year and is_symbol and _timeframe_of(timeframe.name) is not None


def _only_symbol(file: Path, table: Table, said: Said) -> Market | None:
    """The one symbol of all rows; none when a column says it row by row."""
    if "symbol" in table.columns:
        return None
    name, *folders = _names_of(file)
    named = _symbol_of(name) or _first(_symbol_of(folder, is_all=True) for folder in folders)
    if said.symbol and named and named != said.symbol:
        raise RefusedError(reason=f"its path says {named}, and you say {said.symbol}")
    symbol = said.symbol or named
    if symbol is None:
        raise RefusedError(reason="nothing tells which market it is about; add --symbol KRW-BTC")
    return symbol


def _timeframe_in(file: Path) -> Timeframe | None:
    name, *folders = _names_of(file)
    return _first(_timeframe_of(word) for word in (*re.split(r"[-_. ]", name), *folders))


def _names_of(file: Path) -> list[str]:
    """The file's name and those of the two directories it lies in, the nearest first."""
    return [file.name.partition(".")[0], *file.absolute().parts[-2:-4:-1]]


def _symbol_of(name: str, *, is_all: bool = False) -> Market | None:
    """The market in a name, or that is a name: BTC_KRW is coin_hts' other spelling, KRW_BTC everybody's third."""
    bounded = (pattern if is_all else rf"(?<![A-Z0-9]){pattern}(?![A-Z0-9])" for pattern in _SYMBOLS)
    find = re.fullmatch if is_all else re.search
    found = _first(find(pattern, name.upper(), re.ASCII) for pattern in bounded)
    return Market.parse(found[0].replace("-KRW", "_KRW")) if found else None


def _timeframe_of(word: str) -> Timeframe | None:
    try:
        return Timeframe.parse(word)
    except BadTimeframeError:
        return None


def _first(choices: Iterable[T | None]) -> T | None:
    return next((choice for choice in choices if choice is not None), None)
