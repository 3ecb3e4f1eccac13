"""Indicators over bars.

What lives here: sums and averages that strategies share. What stays out: decisions (`strategies`).

Prices of KRW markets are decimals, so averages that tie must tie exactly: a running sum of floats drifts and
invents crossings. `exact_units` therefore turns prices into whole numbers of their finest decimal, and sums
are sums of those.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FINEST_DECIMALS = 8  # Upbit's smallest tick is 0.00000001
_HEADROOM = 2**62


def exact_units(prices: Floats, largest_factor: int) -> Ints | Floats:
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


def rolling_sum(values: Ints | Floats, window: int) -> Ints | Floats:
    """The sum of the last `window` values at each of them; meaningless before the window has filled.

    Whole numbers may wrap around inside the cumulated sum: their differences are exact all the same.
    """
    sums = np.cumsum(values)
    sums[window:] -= np.cumsum(values)[:-window]
    return sums
