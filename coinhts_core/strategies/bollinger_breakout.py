"""Out of the upper band, until back at the average."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import bollinger
from coinhts_core.strategies import ENTER, LEAVE, Decisions, Notes, Strategy


class BollingerBreakout(Strategy):
    """Enter when the close rises above the upper Bollinger band, leave when it falls below the average.

    The bands are `deviations` standard deviations (the population's) away from the average of `window` closes. Of each
    decision it says where the three lines were: `lower`, `middle`, `upper`.
    """

    is_windowed: ClassVar[bool] = True

    window: int = Field(default=20, ge=2, le=500, description="bars in the average and the deviation")
    deviations: float = Field(default=2.0, ge=0.5, le=5.0, description="how many deviations away the bands are")

    @property
    def warmup(self) -> int:
        return self.window

    def decide(self, bars: Bars) -> Decisions:
        decisions = np.zeros(len(bars), dtype=np.int8)
        _, middle, upper = bollinger(bars.close, self.window, self.deviations)
        is_above, is_below = bars.close > upper, bars.close < middle
        now, before = slice(self.window, None), slice(self.window - 1, -1)
        decisions[now][is_above[now] & ~is_above[before]] = ENTER
        decisions[now][is_below[now] & ~is_below[before]] = LEAVE
        return decisions

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        bands = bollinger(bars.close, self.window, self.deviations)
        return {name: band[rows].tolist() for name, band in zip(("lower", "middle", "upper"), bands, strict=True)}
