"""The four stages of a market, by its long average."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import Floats, compare_averages, sma
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import ENTER, LEAVE, Decisions, Notes, Strategy

BASE, ADVANCE, TOP, DECLINE = 1, 2, 3, 4


class WeinsteinStage(Strategy):
    """Enter when a market comes into its advance (stage 2), leave when it comes into a top or a decline (3, 4).

    The stage is read off the average of `window` closes and its slope, the change over `slope_window` bars. Above the
    average: an advance (2) while the slope is up, else a top (3). Below: a decline (4) if the slope is below
    -`steep_pct` percent, else a base (1).

    Of each decision it says `stage`, `slope_pct`, and as confidence how clear the stage is: an advance 0.8 if steeper
    than `steep_pct`, else 0.6; a top 0.4; a decline 0.7.
    """

    is_windowed: ClassVar[bool] = True

    timeframe: Timeframe = Timeframe.D1
    window: int = Field(default=200, ge=10, le=1_000, description="bars in the long average")
    slope_window: int = Field(default=20, ge=1, le=200, description="bars over which its slope is measured")
    steep_pct: float = Field(default=0.5, ge=0.0, le=10.0, description="percent beyond which a slope is steep")

    @property
    def warmup(self) -> int:
        return self.window + self.slope_window

    def decide(self, bars: Bars) -> Decisions:
        decisions = np.zeros(len(bars), dtype=np.int8)
        stage = self._stages(bars, self._slopes(bars))
        before, after = stage[self.warmup - 1 : -1], stage[self.warmup :]
        decisions[self.warmup :][(before != ADVANCE) & (after == ADVANCE)] = ENTER
        decisions[self.warmup :][(before <= ADVANCE) & (after > ADVANCE)] = LEAVE
        return decisions

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        slopes = self._slopes(bars)
        stage = self._stages(bars, slopes)[rows]
        advance = np.where(slopes[rows] > self.steep_pct, 0.8, 0.6)
        confidence = np.select([stage == ADVANCE, stage == TOP, stage == DECLINE], [advance, 0.4, 0.7], 0.6)
        return {"confidence": confidence.tolist(), "stage": stage.tolist(), "slope_pct": slopes[rows].tolist()}

    def _slopes(self, bars: Bars) -> Floats:
        """In percent of what the average was; 0 before there is a slope."""
        average = sma(bars.close, self.window)
        slopes = np.zeros(len(bars))
        slopes[self.slope_window :] = (average[self.slope_window :] / average[: -self.slope_window] - 1.0) * 100.0
        return slopes

    def _stages(self, bars: Bars, slopes: Floats) -> NDArray[np.int64]:
        is_above = compare_averages(bars.close, 1, self.window) > 0
        above = np.where(slopes > 0.0, ADVANCE, TOP)
        below = np.where(slopes < -self.steep_pct, DECLINE, BASE)
        return np.where(is_above, above, below)
