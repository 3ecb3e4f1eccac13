"""Volume profiles: at which prices the volume of some bars was traded, and where that resists.

What lives here: the resistance at each bar, out of the bars before it, and for how long it has stood. What stays out:
decisions (`strategies`).

The range of a window's prices is divided into bins of equal height, and each bar spreads its volume over the bins it
touches, in proportion; what lies outside the range is lost. Counted from the top, the resistance is the lower edge of
the bin with which the wanted part of all volume is reached.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coinhts_core.candles.bars import Bars
from coinhts_core.compiled import compiled

Floats = NDArray[np.float64]


class Resistance(NamedTuple):
    """For each bar the price that resists it, and how high a bin is there; NaN where nothing resists."""

    price: Floats
    bin_height: Floats


class Ranges(NamedTuple):
    """Between which prices each bar traded its volume, and the prices whose lowest is the bottom of a window."""

    bottom: Floats
    low: Floats
    high: Floats
    volume: Floats

    @classmethod
    def of(cls, bars: Bars, *, include_wicks: bool) -> "Ranges":
        if include_wicks:
            return cls(bars.low, bars.low, bars.high, bars.volume)
        low, high = np.minimum(bars.open, bars.close), np.maximum(bars.open, bars.close)
        return cls(bars.open, low, high, bars.volume)


def rolling_resistance(ranges: Ranges, window: int, part: float, bins: int) -> Resistance:
    """Of the `window` bars before each bar, in bins of their own."""
    return Resistance(*_rolling(*ranges, window, part, bins))


def frozen_resistance(ranges: Ranges, window: int, part: float, bins: int) -> Resistance:
    """In the first window's bins for ever, as coin_hts has it; all its rounding residues included.

    Volumes are added and subtracted, so what remains of an emptied profile is noise, which still decides; only at
    exactly nothing it stays so.
    """
    return Resistance(*_frozen(*ranges, window, part, bins))


@compiled
def bars_in_place(prices: Floats, bin_heights: Floats, most: int) -> NDArray[np.int64]:
    """For how many bars, itself counted and `most` at most, the resistance has been within a bin of the bar's own."""
    counts = np.zeros(len(prices), dtype=np.int64)
    for bar in range(len(prices)):
        furthest = min(most, bar + 1)
        while counts[bar] < furthest and abs(prices[bar - counts[bar]] - prices[bar]) <= bin_heights[bar]:
            counts[bar] += 1
    return counts


@compiled
def _rolling(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    bottoms: Floats, lows: Floats, highs: Floats, volumes: Floats, window: int, part: float, bins: int
) -> tuple[Floats, Floats]:
    prices, heights = np.full(len(lows), np.nan), np.full(len(lows), np.nan)
    edges, profile = np.zeros(bins + 1), np.zeros(bins)
    for bar in range(window, len(lows)):
        begin = bar - window
        _draw(edges, bottoms[begin:bar], highs[begin:bar])
        if edges[-1] > edges[0]:
            profile[:] = 0.0
            for other in range(begin, bar):
                _spread(profile, edges, lows[other], highs[other], volumes[other])
            prices[bar], heights[bar] = _from_the_top(profile, edges, part), edges[1] - edges[0]
    return prices, heights


@compiled
def _frozen(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    bottoms: Floats, lows: Floats, highs: Floats, volumes: Floats, window: int, part: float, bins: int
) -> tuple[Floats, Floats]:
    prices, heights = np.full(len(lows), np.nan), np.full(len(lows), np.nan)
    edges = np.zeros(bins + 1)
    _draw(edges, bottoms[:window], highs[:window])
    if len(lows) <= window or edges[-1] <= edges[0]:
        return prices, heights
    profile = np.zeros(bins)
    for bar in range(window):
        _spread(profile, edges, lows[bar], highs[bar], volumes[bar])
    for bar in range(window, len(lows)):
        prices[bar], heights[bar] = _from_the_top(profile, edges, part), edges[1] - edges[0]
        if profile.sum() == 0.0:
            return prices, heights
        _spread(profile, edges, lows[bar - window], highs[bar - window], -volumes[bar - window])
        _spread(profile, edges, lows[bar], highs[bar], volumes[bar])
    return prices, heights


@compiled
def _draw(edges: Floats, bottoms: Floats, highs: Floats) -> None:
    """Bins of equal height from the lowest to the highest; the last edge is the highest itself."""
    if len(highs) == 0:
        return
    bottom, top = bottoms[0], highs[0]
    for bar in range(1, len(highs)):
        bottom, top = min(bottom, bottoms[bar]), max(top, highs[bar])
    height = (top - bottom) / (len(edges) - 1)
    for place in range(len(edges)):
        edges[place] = bottom + place * height
    edges[-1] = top


@compiled
def _spread(profile: Floats, edges: Floats, low: float, high: float, volume: float) -> None:
    first = _bin_of(edges, low)
    if high == low:
        profile[first] += volume
        return
    for place in range(first, _bin_of(edges, high) + 1):
        overlap = min(high, edges[place + 1]) - max(low, edges[place])
        if overlap > 0.0:
            profile[place] += volume * (overlap / (high - low))


@compiled
def _bin_of(edges: Floats, price: float) -> int:
    """The bin the price is in, its upper edge excluded; the outermost for prices beyond."""
    last = len(edges) - 2
    place = min(max(int((price - edges[0]) / (edges[1] - edges[0])), 0), last)
    while place < last and price >= edges[place + 1]:
        place += 1
    while place > 0 and price < edges[place]:
        place -= 1
    return place


@compiled
def _from_the_top(profile: Floats, edges: Floats, part: float) -> float:
    """NaN where nothing was traded; the top where noise never adds up to its part."""
    total = profile.sum()
    if total == 0.0:
        return np.nan
    above = 0.0
    for place in range(len(profile) - 1, -1, -1):
        above += profile[place]
        if above >= total * part:
            return float(edges[place])
    return float(edges[-1])
