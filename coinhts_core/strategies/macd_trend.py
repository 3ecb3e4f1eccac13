"""Two exponential averages drifting apart."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import macd, memory, span_weight
from coinhts_core.strategies import ENTER, LEAVE, Decisions, Notes, Strategy


class MacdTrend(Strategy):
    """Enter when the MACD line rises above its signal line, leave when it falls below.

    The line is how far the exponential average over `fast` bars is above that over `slow`; the signal is the line's own
    average over `signal` bars. Of each decision it says both.
    """

    is_windowed: ClassVar[bool] = True

    fast: int = Field(default=12, ge=2, le=200, description="bars in the fast average")
    slow: int = Field(default=26, ge=3, le=500, description="bars in the slow average")
    signal: int = Field(default=9, ge=2, le=100, description="bars in the line's average")

    @model_validator(mode="after")
    def _fast_is_faster(self) -> "MacdTrend":
        if self.fast >= self.slow:
            msg = f"fast must be below slow, which is {self.slow}"
            raise ValueError(msg)
        return self

    @property
    def warmup(self) -> int:
        """The memory of the slow average, that of the signal over it, and the bar before."""
        return memory(span_weight(self.slow)) + memory(span_weight(self.signal)) + 1

    def decide(self, bars: Bars) -> Decisions:
        decisions = np.zeros(len(bars), dtype=np.int8)
        line, signal = macd(bars.close, self.fast, self.slow, self.signal)
        gap = line - signal
        before, after = gap[self.warmup - 1 : -1], gap[self.warmup :]
        decisions[self.warmup :][(before <= 0.0) & (after > 0.0)] = ENTER
        decisions[self.warmup :][(before >= 0.0) & (after < 0.0)] = LEAVE
        return decisions

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        line, signal = macd(bars.close, self.fast, self.slow, self.signal)
        return {"line": line[rows].tolist(), "signal": signal[rows].tolist()}
