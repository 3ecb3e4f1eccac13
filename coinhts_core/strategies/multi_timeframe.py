"""A short move in the direction of longer ones."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import compare_averages
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import ENTER, LEAVE, Decisions, Strategy


class MultiTimeframe(Strategy):
    """Enter when the close rises above its average while the last hour and the last day closed above theirs.

    Leave when the close falls below its average while the last hour did not close above its own. An hour or a day
    counts once it is over. A market that stands exactly at its average is not above it.
    """

    is_windowed: ClassVar[bool] = True

    timeframe: Timeframe = Timeframe.M5
    window: int = Field(default=36, ge=2, le=1_000, description="bars in the average of closes")
    hours: int = Field(default=24, ge=2, le=500, description="hours in the average of hours")
    days: int = Field(default=10, ge=2, le=200, description="days in the average of days")

    @model_validator(mode="after")
    def _bars_are_shorter(self) -> "MultiTimeframe":
        if self.timeframe.length >= Timeframe.H1.length:
            msg = "timeframe must be below 1h"
            raise ValueError(msg)
        return self

    @property
    def warmup(self) -> int:
        return self.window

    @property
    def looks_at(self) -> Mapping[Timeframe, int]:
        return {Timeframe.H1: self.hours, Timeframe.D1: self.days}

    def decide(self, bars: Bars) -> Decisions:
        decisions = np.zeros(len(bars), dtype=np.int8)
        stands = compare_averages(bars.close, 1, self.window)
        hour_is_up, day_is_up = _is_up(bars, Timeframe.H1, self.hours), _is_up(bars, Timeframe.D1, self.days)
        now, before = slice(self.window, None), slice(self.window - 1, -1)
        rises, falls = (stands[before] <= 0) & (stands[now] > 0), (stands[before] >= 0) & (stands[now] < 0)
        decisions[now][rises & hour_is_up[now] & day_is_up[now]] = ENTER
        decisions[now][falls & ~hour_is_up[now]] = LEAVE
        return decisions


def _is_up(bars: Bars, timeframe: Timeframe, window: int) -> NDArray[np.bool_]:
    """Whether the last of the longer bars that each bar may know, if any, closed above the average of so many."""
    longer, known = bars.beside(timeframe)
    is_above = compare_averages(longer.close, 1, window) > 0
    return np.insert(is_above, 0, values=False)[known]
