"""Bars: candles as columns of numbers, the form that strategies and the engine read.

What lives here: `Bars`, and how bars of a longer timeframe stand beside them. What stays out: where they come
from (`resample`, the lake).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.markets import Timeframe

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_A_DAY = timedelta(days=1) // _MICROSECOND
_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars in order, each as long as the others; times in microseconds since 1970 UTC. The arrays are read-only."""

    length_us: int
    opened_at: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    longer: Mapping[Timeframe, "Bars"] = field(default_factory=dict)

    @classmethod
    def from_frame(
        cls, frame: pl.DataFrame, length: timedelta, longer: Mapping[Timeframe, "Bars"] | None = None
    ) -> Self:
        opened_at = read_only(frame["opened_at"].dt.epoch("us").to_numpy())
        opens, high, low, close, volume = (read_only(frame[name].to_numpy()) for name in _COLUMNS)
        return cls(length // _MICROSECOND, opened_at, opens, high, low, close, volume, longer or {})

    def __len__(self) -> int:
        return len(self.opened_at)

    @cached_property
    def closed_at(self) -> NDArray[np.int64]:
        return read_only(self.opened_at + self.length_us)

    def __getitem__(self, rows: slice) -> Self:
        """Some of the bars, and of the longer ones those that had closed by the last of them."""
        if not self.longer and rows.indices(len(self)) == (0, len(self), 1):
            return self
        opened_at = self.opened_at[rows]
        opens, high, low, close, volume = (getattr(self, name)[rows] for name in _COLUMNS)
        last = int(opened_at[-1]) + self.length_us if len(opened_at) else 0
        longer = {timeframe: bars[: bars.count_closed_by(last)] for timeframe, bars in self.longer.items()}
        return type(self)(self.length_us, opened_at, opens, high, low, close, volume, longer)

    def beside(self, timeframe: Timeframe) -> tuple["Bars", NDArray[np.int64]]:
        """The bars of a longer timeframe, and how many of them each bar of ours may know at its close."""
        bars = self.longer[timeframe]
        return bars, np.searchsorted(bars.closed_at, self.closed_at, side="right")

    def count_closed_by(self, moment: int) -> int:
        return int(np.searchsorted(self.opened_at, moment - self.length_us, side="right"))

    def rows_of(self, day: date) -> slice:
        """Rows that belong to the day: 00:00 < closed_at ≤ 24:00."""
        midnight = (day - date(1970, 1, 1)).days * _MICROSECONDS_A_DAY
        return slice(self.count_closed_by(midnight), self.count_closed_by(midnight + _MICROSECONDS_A_DAY))


def read_only(values: NDArray[Any]) -> NDArray[Any]:
    """Contiguous and read-only, each alike: a compiled loop is compiled anew for every mixture."""
    column = np.ascontiguousarray(values).view()
    column.flags.writeable = False
    return column
