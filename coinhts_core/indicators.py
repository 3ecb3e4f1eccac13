"""Indicators over bars.

What lives here: sums and averages that strategies share. What stays out: decisions (`strategies`).

Prices of KRW markets are decimals, so averages that tie must tie exactly: a running sum of floats drifts and
invents crossings. `exact_units` therefore turns prices into whole numbers of their finest decimal, and sums
are sums of those.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FINEST_DECIMALS = 8  # Upbit's smallest tick is 0.00000001
_HEADROOM = 2**62


def exact_units(prices: Floats, largest_factor: int) -> NDArray[Any]:
    """Prices as whole units when they, times `largest_factor`, fit 64 bits; else the prices as they are."""
    for decimals in range(_FINEST_DECIMALS + 1):
        scaled = prices * 10.0**decimals
        whole = np.rint(scaled)
        if np.abs(whole).max(initial=0.0) * largest_factor >= _HEADROOM:
            break
        if np.all(np.abs(scaled - whole) <= 1e-9 * np.maximum(1.0, np.abs(scaled))) and np.all(
            whole / 10.0**decimals == prices
        ):
            return whole.astype(np.int64)
    return prices


def rolling_sum(values: NDArray[Any], window: int) -> NDArray[Any]:
    """The sum of the last `window` values at each of them; meaningless before the window has filled.

    Whole numbers may wrap around inside the cumulated sum: their differences are exact all the same.
    """
    cumulated = np.cumsum(values)
    sums = cumulated.copy()
    sums[window:] -= cumulated[:-window]
    return sums
