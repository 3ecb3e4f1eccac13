"""Indicators over bars.

What lives here: sums, averages and bands that strategies share. What to add: what a strategy uses. What stays out:
decisions (`strategies`).

Whatever a bar is told depends on a fixed number of values up to it, summed in a fixed order: the same to the last
bit, wherever the series began. So a recursive average begins anew for each bar, `memory` values before it, where
less than a billionth of it would come from before. Until as many values stand, it is made of those there are.

Prices of KRW markets are decimals, so averages that tie must tie exactly: a running sum of floats drifts and
invents crossings. `compare_averages` therefore never rounds.
"""

from math import ceil, log, log1p
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Signs = NDArray[np.int8]

_TENS = 10.0 ** np.arange(9)  # Upbit's smallest tick is 0.00000001
_EXACT = 2.0**51  # so far, rounding a scaled decimal finds the decimal
_HEADROOM = 2.0**62
_EPSILON = 2.0**-52
_LOW_BITS = 32
_LOW = 2**_LOW_BITS - 1
_FORGOTTEN = 1e-9
_ABREAST = 512  # so many bars stay in the processor's first cache


def rolling_sum(values: NDArray[Any], window: int) -> NDArray[Any]:
    """The sum of the last `window` values at each of them; meaningless before the window has filled.

    Whole numbers may wrap around inside the cumulated sum: their differences are exact all the same.
    """
    cumulated = np.cumsum(values)
    sums = cumulated.copy()
    sums[window:] -= cumulated[:-window]
    return sums


def compare_averages(prices: Floats, fast: int, slow: int) -> Signs:
    """Whether the average of the last `fast` prices is above (1), equal to (0) or below (-1) that of the last `slow`.

    Prices are the decimals they were traded at; a window that holds a price which is no decimal is compared in the
    bits of its doubles. 0 before the slow window has filled. Sums of doubles tell all but what is close; the bars
    around that are summed in whole numbers.
    """
    signs, unclear = _clear_signs(prices, fast, slow, max(_ABREAST, slow))
    for begin, end in unclear.tolist():
        first = max(begin - slow + 1, 0)
        signs[begin:end] = _exact_signs(prices[first:end], fast, slow)[begin - first :]
    return signs


def sma(values: Floats, window: int) -> Floats:
    """The average of the last `window` values, or of as many as there are; each summed from its oldest value."""
    counts = np.minimum(np.arange(1, len(values) + 1), window)
    return _window_sums(values, window) / counts


def ema(values: Floats, weight: float) -> Floats:
    """The average in which each value weighs `weight` and all before it the rest; it begins at its oldest value."""
    return _recursive(values, weight, memory(weight))


def memory(weight: float) -> int:
    """How many values of an average make all but a billionth of it."""
    return ceil(log(_FORGOTTEN) / log1p(-weight))


def rsi(closes: Floats, period: int) -> Floats:
    """Wilder's: the part of the gains in all that prices moved, 0 to 100; 50 where nothing moved."""
    changes = np.diff(closes, prepend=closes[:1])
    gains, losses = (ema(np.maximum(moves, 0.0), 1.0 / period) for moves in (changes, -changes))
    moved = gains + losses
    index = np.full(len(closes), 50.0)
    np.divide(100.0 * gains, moved, out=index, where=moved > 0.0)
    return index


def macd(closes: Floats, fast: int, slow: int, signal: int) -> tuple[Floats, Floats]:
    """How far the fast average is above the slow one, and the average of that."""
    line = ema(closes, span_weight(fast)) - ema(closes, span_weight(slow))
    return line, ema(line, span_weight(signal))


def span_weight(span: int) -> float:
    """What each value weighs in an exponential average said to be over so many."""
    return 2.0 / (span + 1.0)


def bollinger(closes: Floats, window: int, deviations: float) -> tuple[Floats, Floats, Floats]:
    """Lower band, average and upper band; the deviation is the population's, and 0 where prices stood still."""
    offsets, spreads = _spread(closes, window)
    middle = closes + offsets
    return middle - deviations * spreads, middle, middle + deviations * spreads


@njit(cache=True)
def exceeds_all_before(values: Floats, others: Floats, window: int, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where asked, whether a value is above all `window` others before its own; never before as many stand."""
    found = np.zeros(len(values), dtype=np.bool_)
    for bar in range(window, len(values)):
        if asked[bar]:
            back = 1
            while back <= window and others[bar - back] < values[bar]:
                back += 1
            found[bar] = back > window
    return found


@njit(cache=True)
def _clear_signs(prices: Floats, fast: int, slow: int, length: int) -> tuple[Signs, Whole]:
    """Signs by sums of doubles, begun anew for every so many bars, and the stretches where rounding might be all."""
    signs = np.zeros(len(prices), dtype=np.int8)
    unclear = np.empty((len(prices) // length + 1, 2), dtype=np.int64)
    found = 0
    for begin in range(slow - 1, len(prices), length):
        end = min(begin + length, len(prices))
        seen = prices[begin - slow + 1 : end]
        # each sum has rounded by so much at most, and so have decimals on their way into doubles
        rounding = np.abs(seen).max() * fast * slow * (fast + slow + 4 * length + 16) * _EPSILON
        fast_sum, slow_sum = seen[slow - fast : slow - 1].sum(), seen[: slow - 1].sum()
        is_clear = True
        for place in range(end - begin):
            fast_sum += seen[place + slow - 1]
            slow_sum += seen[place + slow - 1]
            gap = fast_sum * slow - slow_sum * fast
            signs[begin + place] = np.int8(gap > 0.0) - np.int8(gap < 0.0)
            is_clear &= abs(gap) > rounding
            fast_sum -= seen[place + slow - fast]
            slow_sum -= seen[place]
        if not is_clear:
            unclear[found] = begin, end
            found += 1
    return signs, unclear[:found]


def _exact_signs(prices: Floats, fast: int, slow: int) -> Signs:
    units, is_decimal = _units(prices)
    signs = _signs(units >> _LOW_BITS, units & _LOW, fast, slow)
    if not is_decimal.all():
        is_mixed = rolling_sum(~is_decimal, slow) > 0
        signs[is_mixed] = _signs(*_bits(prices, fast * slow), fast, slow)[is_mixed]
    return signs


@njit(cache=True)
def _units(prices: Floats) -> tuple[Whole, NDArray[np.bool_]]:
    """Decimals as whole units of the finest of them, and which prices are any; none, where they need too many bits."""
    decimals = np.empty(len(prices), dtype=np.int8)
    finest = 0
    for place, price in enumerate(prices):
        decimals[place] = _fewest_decimals(price)
        finest = max(finest, decimals[place])
    units = np.zeros(len(prices), dtype=np.int64)
    for place, price in enumerate(prices):
        if abs(price) * _TENS[finest] >= _HEADROOM:
            decimals[:] = -1
        elif decimals[place] >= 0:
            whole = np.int64(np.rint(price * _TENS[decimals[place]]))
            units[place] = whole * np.int64(_TENS[finest - decimals[place]])
    return units, decimals >= 0


@njit(cache=True)
def _fewest_decimals(price: float) -> int:
    """How many decimals the price has been written with; -1 if with more than any tick has."""
    finest = price * _TENS[-1]
    if abs(finest) < _EXACT and np.rint(finest) / _TENS[-1] != price:
        return -1
    for decimals in range(len(_TENS)):
        if np.rint(price * _TENS[decimals]) / _TENS[decimals] == price:
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


@njit(cache=True)
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


@njit(cache=True)
def _window_sums(values: Floats, window: int) -> Floats:
    """Some bars abreast: each adds its own values one after another, and the processor adds for many at once."""
    sums = np.zeros(len(values))
    for begin in range(0, len(values), _ABREAST):
        for back in range(window - 1, -1, -1):
            first = max(begin, back)
            abreast = sums[first : begin + _ABREAST]
            added = values[first - back : first - back + len(abreast)]
            for place in range(len(abreast)):
                abreast[place] += added[place]
    return sums


@njit(cache=True)
def _recursive(values: Floats, weight: float, length: int) -> Floats:
    averages = np.empty(len(values))
    for begin in range(0, len(values), _ABREAST):
        for bar in range(begin, min(begin + _ABREAST, len(values))):
            averages[bar] = values[max(bar - length, 0)]
        for back in range(length - 1, -1, -1):
            first = max(begin, back)
            abreast = averages[first : begin + _ABREAST]
            averaged = values[first - back : first - back + len(abreast)]
            for place in range(len(abreast)):
                abreast[place] += weight * (averaged[place] - abreast[place])
    return averages


@njit(cache=True)
def _spread(values: Floats, window: int) -> tuple[Floats, Floats]:
    """How far from its own value the average of a window lies, and how widely it is spread; 0 where it never moved."""
    offsets, spreads = np.zeros(len(values)), np.zeros(len(values))
    for bar in range(window - 1, len(values)):
        for other in range(bar - window + 1, bar + 1):
            offsets[bar] += values[other] - values[bar]
        offsets[bar] /= window
        for other in range(bar - window + 1, bar + 1):
            spreads[bar] += (values[other] - values[bar] - offsets[bar]) ** 2
        spreads[bar] = np.sqrt(spreads[bar] / window)
    return offsets, spreads
