"""A strategy as a user would write it: two averages, their crossings, in a loop that numba compiles."""

from typing import ClassVar

import numpy as np
from numba import njit
from pydantic import Field

from coinhts_core.candles.bars import Bars
from coinhts_core.strategies import Decisions, Strategy


class OwnCrossing(Strategy):
    """Enter when the quick average of closes rises above the calm one, leave when it falls below."""

    is_windowed: ClassVar[bool] = True

    fast: int = Field(default=10, ge=1, description="bars in the quick average")
    slow: int = Field(default=50, ge=2, description="bars in the calm average")

    @property
    def warmup(self) -> int:
        return self.slow

    def decide(self, bars: Bars) -> Decisions:
        return crossings(bars.close, self.fast, self.slow)


@njit(cache=True, nogil=True)
def crossings(closes: np.ndarray, fast: int, slow: int) -> np.ndarray:
    """Running sums, as anybody would write them."""
    decisions = np.zeros(len(closes), np.int8)
    quick, calm, stood = 0.0, 0.0, 0
    for bar in range(len(closes)):
        quick += closes[bar]
        calm += closes[bar]
        if bar >= fast:
            quick -= closes[bar - fast]
        if bar >= slow:
            calm -= closes[bar - slow]
        if bar >= slow - 1:
            stands = 1 if quick * slow > calm * fast else -1
            if stood and stands != stood:
                decisions[bar] = stands
            stood = stands
    return decisions
