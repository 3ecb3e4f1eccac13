"""Candles that somebody hands over: a frame of polars or pandas, judged, and read as bars.

What lives here: `read_candles`. What stays out: files (`candles.files`), and days of a venue (`candles.frame`), which
are judged more strictly.

How long a bar is follows from the smallest distance between two of them; a single bar is as long as is said, or a
minute. Times without a zone are UTC.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from coinhts_core.candles.bars import Bars
from coinhts_core.candles.resample import resample
from coinhts_core.errors import BadFrameError, RefusedError
from coinhts_core.markets import Timeframe

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ("opened_at", "timestamp")
_AMOUNTS = ("open", "high", "low", "close", "volume")
_MICROSECONDS = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Handed:
    """Candles in order, each believable, and how long one is."""

    frame: pl.DataFrame
    length: timedelta

    @property
    def timeframe(self) -> Timeframe | None:
        return next((of for of in Timeframe if of.length == self.length), None)

    @cached_property
    def bars(self) -> Bars:
        return Bars.from_frame(self.frame, self.length)

    def resampled(self, target: Timeframe) -> "Handed":
        """As bars of the target's length; finer ones can be joined, coarser ones not taken apart."""
        if self.length == target.length:
            return self
        if self.timeframe is None:
            words = "leave the timeframe out to take them as they are"
            raise RefusedError(reason=f"bars of {self.length} cannot make bars of {target}; {words}")
        turnover = pl.col("volume") * pl.col("close")
        finer = self.frame.with_columns(turnover_krw=turnover)
        return Handed(resample(finer, self.timeframe, target), target.length)


def read_candles(candles: "pl.DataFrame | pd.DataFrame", timeframe: Timeframe | None = None) -> Handed:
    """Believable candles, or a refusal that names the column and what is wrong with it."""
    frame = _judged(candles if isinstance(candles, pl.DataFrame) else _from_pandas(candles))
    gap = frame["opened_at"].diff().min()
    if isinstance(gap, timedelta):
        return Handed(frame, gap)
    return Handed(frame, (timeframe or Timeframe.M1).length)


def _from_pandas(candles: Any) -> pl.DataFrame:
    """Its index counts as a column when it holds times."""
    is_timed = any(name in candles.columns for name in _TIMES)
    if not is_timed and getattr(candles.index, "inferred_type", "") == "datetime64":
        candles = candles.reset_index(names="opened_at")
    return pl.DataFrame(
        {name: pl.from_pandas(candles[name]) for name in (*_TIMES, *_AMOUNTS) if name in candles.columns}
    )


def _judged(frame: pl.DataFrame) -> pl.DataFrame:
    times = next((name for name in _TIMES if name in frame.columns), None)
    if times is None:
        raise _refusal(_TIMES[0], "is missing; name the column of the bars' beginnings so, or timestamp")
    candles = pl.DataFrame([_moments(frame[times]), *(_amounts(frame, name) for name in _AMOUNTS)])
    opens, high, low, close = (candles[name] for name in _AMOUNTS[:4])
    opened_at = candles["opened_at"]
    for column, reason, offence in (
        ("opened_at", "is not after the bar before", (opened_at.diff() <= timedelta()).fill_null(value=False)),
        ("low", "is not above 0", low <= 0),
        ("high", "is below the low", high < low),
        ("open", "is not between low and high", (opens < low) | (opens > high)),
        ("close", "is not between low and high", (close < low) | (close > high)),
        ("volume", "is below 0", candles["volume"] < 0),
    ):
        if offence.any():
            row = offence.arg_true()[0]
            raise _refusal(column, f"{reason} in row {row + 1}, the bar of {opened_at[row]:%Y-%m-%d %H:%M:%S} UTC")
    return candles


def _moments(column: pl.Series) -> pl.Series:
    if column.dtype != pl.Date and not isinstance(column.dtype, pl.Datetime):
        raise _refusal(column.name, f"is {column.dtype} and no time; make it a datetime first")
    if column.null_count():
        raise _refusal(column.name, "has empty values")
    moments = column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column.dt.cast_time_unit("us")
    zone = getattr(moments.dtype, "time_zone", None)
    in_utc = moments.dt.convert_time_zone("UTC") if zone else moments.dt.replace_time_zone("UTC")
    return in_utc.alias("opened_at")


def _amounts(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        raise _refusal(name, "is missing")
    column = frame[name]
    if not column.dtype.is_numeric():
        raise _refusal(name, f"is {column.dtype} and no number")
    numbers = column.cast(pl.Float64)
    if numbers.null_count() or not numbers.is_finite().all():
        raise _refusal(name, "has empty values, NaN or infinities")
    return numbers


def _refusal(column: str, reason: str) -> BadFrameError:
    return BadFrameError(schema="candles", column=column, reason=reason)
