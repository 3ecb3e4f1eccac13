"""Two moving averages and their crossings."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import cross_averages, draw_averages
from coinhts_core.strategies import NOTHING, Decisions, Strategy


class SmaCross(Strategy):
    """Enter when the fast average of closes rises above the slow one, leave when it falls below.

    Both averages must be complete on the bar and on the one before. Sums are exact: averages that tie do tie.
    """

    enabled: ClassVar[bool] = True
    is_windowed: ClassVar[bool] = True

    fast: int = Field(default=10, ge=1, le=1_000, description="bars in the fast average")
    slow: int = Field(default=50, ge=2, le=5_000, description="bars in the slow average")

    @model_validator(mode="after")
    def _fast_is_faster(self) -> "SmaCross":
        if self.fast >= self.slow:
            msg = f"fast must be below slow, which is {self.slow}"
            raise ValueError(msg)
        return self

    @property
    def warmup(self) -> int:
        return self.slow

    @property
    def crossing(self) -> tuple[int, int]:
        return self.fast, self.slow

    @classmethod
    def draw(cls, bars: Bars, lines: Sequence[Any], rows: NDArray[np.float64]) -> float:
        return draw_averages(bars.close, np.array(lines, dtype=np.int64), rows)

    def decide(self, bars: Bars) -> Decisions:
        decisions = cross_averages(bars.close, self.fast, self.slow)
        decisions[: self.slow] = NOTHING
        return decisions
