"""Averages compared exactly, where 64 bits do not hold their sums.

What lives here: `exact_signs`, which never rounds. What stays out: telling by sums of whole units, which is enough for
nearly all bars (`indicators`).
"""

import numpy as np
from numpy.typing import NDArray

from coinhts_core.compiled import compiled

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Signs = NDArray[np.int8]

TENS = 10.0 ** np.arange(9)  # Upbit's smallest tick is 0.00000001
EXACT = 2.0**51  # so far, rounding a scaled decimal finds the decimal
HEADROOM = 2.0**62
_LOW_BITS = 32
_LOW = 2**_LOW_BITS - 1


def exact_signs(prices: Floats, fast: int, slow: int) -> Signs:
    """Whether the average of the last `fast` is above, equal to or below that of the last `slow`; at least as many."""
    units, is_decimal = _units(prices)
    signs = _signs(units >> _LOW_BITS, units & _LOW, fast, slow)
    if not is_decimal.all():
        others = np.append(0, np.cumsum(~is_decimal))
        is_mixed = np.flatnonzero(others[slow:] > others[:-slow]) + slow - 1
        signs[is_mixed] = _signs(*_bits(prices, fast * slow), fast, slow)[is_mixed]
    return signs


@compiled
def _units(prices: Floats) -> tuple[Whole, NDArray[np.bool_]]:
    """Decimals as whole units of the finest of them, and which prices are any; none, where they need too many bits."""
    decimals = np.empty(len(prices), dtype=np.int8)
    finest = 0
    for place, price in enumerate(prices):
        decimals[place] = _fewest_decimals(price)
        finest = max(finest, decimals[place])
    units = np.zeros(len(prices), dtype=np.int64)
    for place, price in enumerate(prices):
        if abs(price) * TENS[finest] >= HEADROOM:
            decimals[:] = -1
        elif decimals[place] >= 0:
            whole = np.int64(np.rint(price * TENS[decimals[place]]))
            units[place] = whole * np.int64(TENS[finest - decimals[place]])
    return units, decimals >= 0


@compiled
def _fewest_decimals(price: float) -> int:
    """How many decimals the price has been written with; -1 if with more than any tick has."""
    finest = price * TENS[-1]
    if abs(finest) < EXACT and np.rint(finest) / TENS[-1] != price:
        return -1
    for decimals in range(len(TENS)):
        if np.rint(price * TENS[decimals]) / TENS[decimals] == price:
            return decimals
    return -1


def _bits(prices: Floats, largest_factor: int) -> tuple[Whole, Whole]:
    """Prices in whole units of their lowest bit, each as a high part times 2**32 plus a low one.

    Where prices lie so far apart that 94 bits do not hold them times the factor, the smallest lose their last bits.
    """
    exponents = np.frexp(prices[prices != 0.0])[1]
    unit = max(exponents.min() - 53, exponents.max() - 94 + largest_factor.bit_length())
    scaled = np.rint(np.ldexp(prices, -unit))
    high = np.floor(np.ldexp(scaled, -_LOW_BITS))
    return high.astype(np.int64), (scaled - np.ldexp(high, _LOW_BITS)).astype(np.int64)


@compiled
def _signs(high: Whole, low: Whole, fast: int, slow: int) -> Signs:
    """Cross-multiplied, since dividing would round: the fast sum against the slow one."""
    signs = np.zeros(len(high), dtype=np.int8)
    fast_high = fast_low = slow_high = slow_low = np.int64(0)
    for bar in range(len(high)):
        fast_high, fast_low = fast_high + high[bar], fast_low + low[bar]
        slow_high, slow_low = slow_high + high[bar], slow_low + low[bar]
        if bar >= fast:
            fast_high, fast_low = fast_high - high[bar - fast], fast_low - low[bar - fast]
        if bar >= slow:
            slow_high, slow_low = slow_high - high[bar - slow], slow_low - low[bar - slow]
        if bar >= slow - 1:
            gap_low = fast_low * slow - slow_low * fast
            gap_high = fast_high * slow - slow_high * fast + (gap_low >> _LOW_BITS)
            signs[bar] = np.sign(gap_high) if gap_high else np.sign(gap_low & _LOW)
    return signs
