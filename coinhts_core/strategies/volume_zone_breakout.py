"""The price range in which most was traded, and the way out of it upwards."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from coinhts_core.candles.bars import Bars
from coinhts_core.strategies import ENTER, Decisions, Notes, Strategy
from coinhts_core.volume_profile import Ranges, Resistance, bars_in_place, frozen_resistance, rolling_resistance

_DOJI, _LONG = 0.1, 0.7  # a body's part of the whole bar


class VolumeZoneBreakout(Strategy):
    """Enter when a bar's high reaches the resistance in the volume profile of the bars before it.

    The range of the last `volume_window` bars is divided into `num_bins` bins, over which each bar spreads its volume.
    From the top down, the bin with which `top_percentile` of all volume is reached holds the resistance, its lower
    edge; `breakout_buffer` is added to that. It enters on every bar whose high is there, even if the close falls back
    (`closed_above` tells), and an account leaves after `hold_period_bars`.

    Of each decision it says: `resistance`; `confidence`, 0.5 and by how much of itself the level was exceeded;
    `zone_bars`, for how many bars, this one counted and `volume_window` at most, the resistance has stood within one
    bin of where it is now; and `bar`: flat, doji (a body of at most a tenth of the bar), bullish, bearish, long bullish
    or long bearish (at least seven tenths).

    The variant `shipped` repeats what coin_hts ran: the bins of the first window for ever, and the rounding residues of
    sliding the volumes. Over a whole series it gives the numbers published there. It has no place in daily work: it
    stands on wherever its bars begin, so a day uses the bins of the first window it is handed, and the law that more
    bars before change nothing does not hold.
    """

    enabled: ClassVar[bool] = True

    volume_window: int = Field(default=10, ge=1, le=500, description="bars in the volume profile")
    top_percentile: float = Field(default=0.2, ge=0.05, le=0.5, description="part of all volume above the resistance")
    breakout_buffer: float = Field(default=0.0, ge=0.0, le=0.05, description="how far above the resistance, as a part")
    hold_period_bars: int = Field(default=1, ge=1, le=100, description="bars an account holds")
    num_bins: int = Field(default=20, ge=5, le=100, description="bins in the range of prices")
    include_wicks: bool = Field(default=True, description="whole bars in the profile, not only their bodies")
    variant: Literal["rolling", "shipped"] = Field(default="rolling", description="shipped: coin_hts' own numbers")

    @property
    def is_windowed(self) -> bool:  # type: ignore[override] # one of its variants is, the other is not
        return self.variant == "rolling"

    @property
    def warmup(self) -> int:
        """One window for the resistance, another for how long it has stood."""
        return 2 * self.volume_window - 1

    @property
    def ready_after(self) -> int:
        return self.volume_window

    @property
    def hold_bars(self) -> int:
        return self.hold_period_bars

    def decide(self, bars: Bars) -> Decisions:
        return np.where(bars.high >= self._level(self._resistance(bars)), ENTER, 0).astype(np.int8)

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        resistance = self._resistance(bars)
        level = self._level(resistance)[rows]
        return {
            "confidence": np.minimum(0.5 + (bars.high[rows] - level) / level, 1.0).tolist(),
            "resistance": resistance.price[rows].tolist(),
            "zone_bars": bars_in_place(*resistance, self.volume_window)[rows].tolist(),
            "bar": [_kind(*prices) for prices in zip(*_prices(bars, rows), strict=True)],
            "closed_above": (bars.close[rows] >= level).tolist(),
        }

    def _resistance(self, bars: Bars) -> Resistance:
        of = rolling_resistance if self.variant == "rolling" else frozen_resistance
        ranges = Ranges.of(bars, include_wicks=self.include_wicks)
        return of(ranges, self.volume_window, self.top_percentile, self.num_bins)

    def _level(self, resistance: Resistance) -> NDArray[np.float64]:
        return resistance.price * (1.0 + self.breakout_buffer)


def _prices(bars: Bars, rows: NDArray[np.intp]) -> list[list[float]]:
    return [column[rows].tolist() for column in (bars.open, bars.high, bars.low, bars.close)]


def _kind(opened: float, high: float, low: float, close: float) -> str:
    if high == low:
        return "flat"
    body = abs(close - opened) / (high - low)
    if body <= _DOJI:
        return "doji"
    direction = "bullish" if close > opened else "bearish"
    return f"long {direction}" if body >= _LONG else direction
