"""A surge of volume in a long rising bar."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import Floats, sma
from coinhts_core.strategies import ENTER, NOTHING, Decisions, Notes, Strategy


class VolumeLongCandle(Strategy):
    """Enter at a long rising bar with far more volume than usual.

    Usual is the average volume of the last `vol_ma_window` bars, this one counted, or of as many as there are; the
    volume must be `vol_multiplier` times that, which a multiplier above the window can never see. Long means a body of
    at least `body_pct` of the open, with wicks of less than twice that. A bar without volume enters nothing. An account
    leaves after `hold_period_bars`.

    Of each decision it says `volume_ratio`, the volume in averages, and `body`, as a part of the open.
    """

    enabled: ClassVar[bool] = True
    is_windowed: ClassVar[bool] = True

    vol_ma_window: int = Field(default=20, ge=1, le=500, description="bars in the average of volume")
    vol_multiplier: float = Field(default=1.5, ge=1.0, le=10.0, description="how many times the average is a surge")
    body_pct: float = Field(default=0.02, ge=0.01, le=0.1, description="a long bar's body, as a part of its open")
    hold_period_bars: int = Field(default=1, ge=1, le=100, description="bars an account holds")

    @property
    def warmup(self) -> int:
        return self.vol_ma_window - 1

    @property
    def ready_after(self) -> int:
        return 0

    @property
    def hold_bars(self) -> int:
        return self.hold_period_bars

    def decide(self, bars: Bars) -> Decisions:
        usual = sma(bars.volume, self.vol_ma_window)
        surges = (bars.volume > 0.0) & (bars.volume >= usual * self.vol_multiplier)
        return np.where(surges & self._is_long(bars), ENTER, NOTHING).astype(np.int8)

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        usual = sma(bars.volume, self.vol_ma_window)[rows]
        return {"volume_ratio": (bars.volume[rows] / usual).tolist(), "body": _body(bars)[rows].tolist()}

    def _is_long(self, bars: Bars) -> NDArray[np.bool_]:
        above = np.maximum(bars.high - bars.close, 0.0) / bars.open
        below = np.maximum(bars.open - bars.low, 0.0) / bars.open
        return (_body(bars) >= self.body_pct) & (above < 2.0 * self.body_pct) & (below < 2.0 * self.body_pct)


def _body(bars: Bars) -> Floats:
    return (bars.close - bars.open) / bars.open
