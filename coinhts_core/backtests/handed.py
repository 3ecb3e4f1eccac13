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

import numpy as np
import polars as pl

from coinhts_core.backtests.engine import Floats, Rows
from coinhts_core.candles.bars import Bars, read_only
from coinhts_core.candles.resample import resample
from coinhts_core.compiled import compiled
from coinhts_core.errors import BadFrameError, RefusedError
from coinhts_core.markets import Timeframe

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ("opened_at", "timestamp")
_AMOUNTS = ("open", "high", "low", "close", "volume")
_MICROSECONDS = pl.Datetime("us", "UTC")
_MICROSECOND = timedelta(microseconds=1)
_TIMEFRAMES = {of.length // _MICROSECOND: of for of in Timeframe}


@dataclass(frozen=True, eq=False)
class Handed:
    """Candles in order, each believable and as long as the others."""

    bars: Bars

    @cached_property
    def frame(self) -> pl.DataFrame:
        opened_at = pl.Series(self.bars.opened_at).cast(_MICROSECONDS)
        return pl.DataFrame({"opened_at": opened_at, **{name: getattr(self.bars, name) for name in _AMOUNTS}})

    @property
    def length(self) -> timedelta:
        return timedelta(microseconds=self.bars.length_us)

    @property
    def timeframe(self) -> Timeframe | None:
        return _TIMEFRAMES.get(self.bars.length_us)

    def resampled(self, target: Timeframe) -> "Handed":
        """As bars of the target's length; finer ones can be joined, coarser ones not taken apart."""
        if self.length == target.length:
            return self
        if self.timeframe is None:
            words = "leave the timeframe out to take them as they are"
            raise RefusedError(reason=f"bars of {self.length} cannot make bars of {target}; {words}")
        turnover = pl.col("volume") * pl.col("close")
        finer = self.frame.with_columns(turnover_krw=turnover)
        return Handed(Bars.from_frame(resample(finer, self.timeframe, target), target.length))


def read_candles(candles: "pl.DataFrame | pd.DataFrame", timeframe: Timeframe | None = None) -> Handed:
    """Believable candles, or a refusal that names the column and what is wrong with it.

    What is of its kind and in one piece already is looked at where it is, and not copied.
    """
    frame = candles if isinstance(candles, pl.DataFrame) else _from_pandas(candles)
    times = next((name for name in _TIMES if name in frame.columns), None)
    if times is None:
        raise _refusal(_TIMES[0], "is missing; name the column of the bars' beginnings so, or timestamp")
    opened_at = read_only(_moments(frame[times]).to_numpy())
    opens, high, low, close, volume = (read_only(_amounts(frame, name).to_numpy()) for name in _AMOUNTS)
    is_believable, gap_us = _judged(opened_at, opens, high, low, close, volume)
    shortest_us = int(gap_us) if len(frame) > 1 else (timeframe or Timeframe.M1).length // _MICROSECOND
    handed = Handed(Bars(shortest_us, opened_at, opens, high, low, close, volume))
    if not is_believable:
        raise _offence(handed.frame)
    return handed


def _from_pandas(candles: Any) -> pl.DataFrame:
    """Its index counts as a column when it holds times."""
    is_timed = any(name in candles.columns for name in _TIMES)
    if not is_timed and getattr(candles.index, "inferred_type", "") == "datetime64":
        candles = candles.reset_index(names="opened_at")
    return pl.DataFrame(
        {name: pl.from_pandas(candles[name]) for name in (*_TIMES, *_AMOUNTS) if name in candles.columns}
    )


@compiled
def _judged(  # noqa: PLR0917 - compiled, so handed arrays one by one
    opened_at: Rows, opens: Floats, highs: Floats, lows: Floats, closes: Floats, volumes: Floats
) -> tuple[Any, Any]:
    """Whether every bar may be believed, and the shortest time between two; written so that many are judged at once.

    From the last to the first: who reads them next begins at the first, which the processor's caches then still hold.
    """
    beyond_belief, shortest = np.uint64(0), np.int64(2**62)
    for bar in range(len(opened_at) - 1, -1, -1):
        is_open_inside = (lows[bar] <= opens[bar]) & (opens[bar] <= highs[bar])
        is_close_inside = (lows[bar] <= closes[bar]) & (closes[bar] <= highs[bar])
        is_finite = (lows[bar] > 0.0) & (highs[bar] < np.inf) & (volumes[bar] >= 0.0) & (volumes[bar] < np.inf)
        beyond_belief += np.uint64(not (is_open_inside & is_close_inside & is_finite))
    for bar in range(len(opened_at) - 1, 0, -1):
        shortest = min(shortest, opened_at[bar] - opened_at[bar - 1])
    return beyond_belief == 0 and shortest > 0, shortest


def _offence(candles: pl.DataFrame) -> BadFrameError:
    """What cannot be believed, and in which row."""
    opens, high, low, close, volume = (candles[name] for name in _AMOUNTS)
    opened_at = candles["opened_at"]
    offences = (
        *((name, "is NaN or infinite", ~candles[name].is_finite()) for name in _AMOUNTS),
        ("opened_at", "is not after the bar before", (opened_at.diff() <= timedelta()).fill_null(value=False)),
        ("low", "is not above 0", low <= 0),
        ("high", "is below the low", high < low),
        ("open", "is not between low and high", (opens < low) | (opens > high)),
        ("close", "is not between low and high", (close < low) | (close > high)),
        ("volume", "is below 0", volume < 0),
    )
    column, reason, row = next((*of[:2], of[2].arg_true()[0]) for of in offences if of[2].any())
    return _refusal(column, f"{reason} in row {row + 1}, the bar of {opened_at[row]:%Y-%m-%d %H:%M:%S} UTC")


def _moments(column: pl.Series) -> pl.Series:
    """Microseconds since 1970 UTC: in whatever zone moments are told, so they are kept."""
    kind = column.dtype
    if kind != pl.Date and not isinstance(kind, pl.Datetime):
        raise _refusal(column.name, f"is {kind} and no time; make it a datetime first")
    if column.null_count():
        raise _refusal(column.name, "has empty values")
    if not isinstance(kind, pl.Datetime):
        column = column.cast(pl.Datetime("us"))
    elif kind.time_unit != "us":
        column = column.dt.cast_time_unit("us")
    return column.cast(pl.Int64)


def _amounts(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        raise _refusal(name, "is missing")
    column = frame[name]
    if not column.dtype.is_numeric():
        raise _refusal(name, f"is {column.dtype} and no number")
    numbers = column.cast(pl.Float64)
    if numbers.null_count():
        raise _refusal(name, "has empty values")
    return numbers


def _refusal(column: str, reason: str) -> BadFrameError:
    return BadFrameError(schema="candles", column=column, reason=reason)
