"""What fell too far comes back."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import memory, rsi
from coinhts_core.strategies import ENTER, LEAVE, Decisions, Notes, Strategy


class RsiReversion(Strategy):
    """Enter when the RSI comes back from below `oversold`, leave when it comes back from above `overbought`.

    The RSI is Wilder's over `period` bars; where prices stood still it is 50. Of each decision it says `rsi`.
    """

    is_windowed: ClassVar[bool] = True

    period: int = Field(default=14, ge=2, le=100, description="bars in Wilder's averages of gains and losses")
    oversold: float = Field(default=30.0, ge=1.0, le=99.0, description="below it, prices fell too far")
    overbought: float = Field(default=70.0, ge=1.0, le=99.0, description="above it, they rose too far")

    @model_validator(mode="after")
    def _sold_is_below_bought(self) -> "RsiReversion":
        if self.oversold >= self.overbought:
            msg = f"oversold must be below overbought, which is {self.overbought}"
            raise ValueError(msg)
        return self

    @property
    def warmup(self) -> int:
        """The averages' memory, the bar its oldest change is from, and the bar before."""
        return memory(1.0 / self.period) + 2

    def decide(self, bars: Bars) -> Decisions:
        decisions = np.zeros(len(bars), dtype=np.int8)
        index = rsi(bars.close, self.period)
        before, after = index[self.warmup - 1 : -1], index[self.warmup :]
        decisions[self.warmup :][(before < self.oversold) & (after >= self.oversold)] = ENTER
        decisions[self.warmup :][(before > self.overbought) & (after <= self.overbought)] = LEAVE
        return decisions

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        return {"rsi": rsi(bars.close, self.period)[rows].tolist()}
