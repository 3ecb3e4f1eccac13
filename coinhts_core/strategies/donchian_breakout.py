"""A new high with volume behind it."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import exceeds_all_before, exceeds_average, sma
from coinhts_core.strategies import Decisions, Notes, Strategy


class DonchianBreakout(Strategy):
    """Enter when the close is above the highs of all `window` bars before it, on a surge of volume.

    A surge is more than `vol_multiplier` times the average volume of the last `vol_window` bars, this one counted. The
    way out is the account's: its stop and target, and its time, `hold_period_bars`. Of each decision it says
    `volume_ratio`, the volume in averages.
    """

    is_windowed: ClassVar[bool] = True

    window: int = Field(default=20, ge=1, le=500, description="bars whose highs must be exceeded")
    vol_window: int = Field(default=20, ge=1, le=500, description="bars in the average of volume")
    vol_multiplier: float = Field(default=2.0, ge=0.5, le=10.0, description="how many times the average is a surge")
    hold_period_bars: int = Field(default=60, ge=1, le=10_000, description="bars an account holds at most")

    @property
    def warmup(self) -> int:
        return max(self.window, self.vol_window - 1)

    @property
    def hold_bars(self) -> int:
        return self.hold_period_bars

    def decide(self, bars: Bars) -> Decisions:
        surges = exceeds_average(bars.volume, self.vol_window, self.vol_multiplier)
        surges[: self.warmup] = False
        return exceeds_all_before(bars.close, bars.high, self.window, surges).view(np.int8)  # true is to enter

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        usual = sma(bars.volume, self.vol_window)[rows]
        return {"volume_ratio": (bars.volume[rows] / usual).tolist()}
