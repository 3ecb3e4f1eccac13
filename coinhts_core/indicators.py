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
from numpy.typing import NDArray

from coinhts_core.compiled import borrowing, compiled, fetch_ahead
from coinhts_core.exact import EXACT, HEADROOM, TENS, exact_signs
from coinhts_core.marked import A_WORD, put_marked

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Signs = NDArray[np.int8]

_EPSILON = 2.0**-52
_MOST_BITS, _EXACT_BITS = 61, 51
_WITHOUT_SIGN, _LARGEST_EXPONENT = 2**63 - 1, 1_000  # of doubles; the exponent a little below
_ROOM = 2_048.0  # so much smaller than what 62 bits hold, sums and averages lose nothing as doubles
_UNITS_LOST = 2.0  # by an average: a unit for each price, and its own rounding
_FORGOTTEN = 1e-9
_ABREAST = 2_048  # bars: so many stay in the processor's first caches


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
    bits of its doubles. 0 before the slow window has filled. Whole units tell all but what is close, and decimals that
    64 bits hold, too; the bars around the rest are summed in more bits.
    """
    signs, unclear = _clear_signs(prices, fast, slow, max(_ABREAST, slow))
    for begin, end in unclear.tolist():
        first = max(begin - slow + 1, 0)
        signs[begin:end] = exact_signs(prices[first:end], fast, slow)[begin - first :]
    return signs


def cross_averages(prices: Floats, fast: int, slow: int) -> Signs:
    """1 where the average of the last `fast` prices was not above that of the last `slow` and now is, -1 downwards."""
    crossed, unclear = _clear_crossings(prices, fast, slow, max(_ABREAST, slow))
    return crossings(compare_averages(prices, fast, slow)) if len(unclear) else crossed


def draw_averages(prices: Floats, windows: Whole, rows: NDArray[np.float64]) -> float:
    """Write the averages of the last so many prices, a row a window, in units that are common to all rows.

    Tells how far from the truth one may be: 0 where prices are decimals that 64 bits hold, for then averages that tie
    are equal, and others are not. Meaningless before a window has filled.
    """
    return float(_draw_averages(prices, windows, rows))


@compiled
def crossings(signs: Signs) -> Signs:
    """1 where what is compared was not above and now is, -1 where it was not below and now is."""
    crossed = signs.copy()
    _cross(crossed)
    return crossed


@borrowing
def _cross(signs: Signs) -> None:
    """In place, hence from the last to the first."""
    for bar in range(len(signs) - 1, 0, -1):
        before, now = signs[bar - 1], signs[bar]
        signs[bar] = np.int8((before <= 0) & (now > 0)) - np.int8((before >= 0) & (now < 0))
    signs[:1] = 0


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


@compiled
def exceeds_average(values: Floats, window: int, factor: float) -> NDArray[np.bool_]:
    """Whether a value is above so many times the average of the last `window`, itself counted; never before it fills.

    It says what `sma` says. Sums of whole units tell most; too close to them, values are summed from the oldest.
    """
    found = np.zeros(len(values), dtype=np.bool_)
    sums = np.empty(_ABREAST + window, dtype=np.int64)
    for begin in range(window - 1, len(values), _ABREAST):
        seen, told = values[begin - window + 1 : begin + _ABREAST], found[begin : begin + _ABREAST]
        scale = _sum_scaled(seen, float(window), sums[: len(seen) + 1])
        _compare_with_average(seen, sums, window, scale * window, factor, told)
    return found


@borrowing
def _compare_with_average(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    seen: Floats, sums: Whole, window: int, scale: float, factor: float, told: NDArray[np.bool_]
) -> None:
    # a sum has lost a unit a value at most; its size, below 2**51 units a value, is what roundings are parts of
    doubt, in_doubt = window * (factor + (1.0 + factor) * (window + 16)), 0
    ending, before, last = seen[window - 1 :], sums[:-window], sums[window:]
    for place in range(len(told)):
        gap = ending[place] * scale - (last[place] - before[place]) * factor
        told[place] = gap > 0.0
        in_doubt += abs(gap) <= doubt
    if in_doubt:
        for place in range(len(told)):
            if abs(ending[place] * scale - (last[place] - before[place]) * factor) <= doubt:
                total = 0.0
                for value in seen[place : place + window]:
                    total += value
                told[place] = ending[place] > factor * (total / window)


@compiled
def exceeds_all_before(values: Floats, others: Floats, window: int, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where asked, whether a value is above all `window` others before its own; never before as many stand."""
    found, passed = asked.copy(), np.empty(_ABREAST, dtype=np.int32)
    found[:window] = False
    busy = np.empty(_ABREAST // A_WORD, dtype=np.int64)
    for begin in range(window, len(values), _ABREAST):
        told, rows = found.view(np.int8)[begin : begin + _ABREAST], values[begin : begin + _ABREAST]
        before = others[begin - window : begin + _ABREAST]
        _keep_those_above_last(told, rows, before, window)
        for bar in passed[: put_marked(told, 0, busy, passed, 0)]:
            reached = 0
            for other in before[bar - 1 : bar - 1 + window]:
                reached += other >= rows[bar - 1]
            told[bar - 1] = reached == 0
    return found


@borrowing
def _keep_those_above_last(told: Signs, values: Floats, others: Floats, window: int) -> None:
    """Many at once are held against the four before each, if the window has as many; few pass."""
    first, second = others[window - 1 :], others[max(window - 2, 0) :]
    third, fourth = others[max(window - 3, 0) :], others[max(window - 4, 0) :]
    for place in range(len(told)):
        value = values[place]
        is_above = (first[place] < value) & (second[place] < value) & (third[place] < value) & (fourth[place] < value)
        told[place] &= np.int8(is_above)


@compiled
def _clear_crossings(prices: Floats, fast: int, slow: int, length: int) -> tuple[Signs, Whole]:
    signs, unclear = _clear_signs(prices, fast, slow, length)
    _cross(signs)
    return signs, unclear


@compiled
def _clear_signs(prices: Floats, fast: int, slow: int, length: int) -> tuple[Signs, Whole]:
    """Signs by sums of whole units, begun anew for every so many bars, and the stretches where those do not tell."""
    signs = np.empty(len(prices), dtype=np.int8)
    signs[: slow - 1] = 0
    unclear = np.empty((len(prices) // length + 1, 2), dtype=np.int64)
    sums = np.empty(length + slow, dtype=np.int64)
    found = 0
    for begin in range(slow - 1, len(prices), length):
        end = min(begin + length, len(prices))
        seen, told = prices[begin - slow + 1 : end], signs[begin:end]
        summed = sums[: len(seen) + 1]
        _sum_scaled(seen, float(fast * slow), summed)
        # each sum has lost a unit a price at most, and so have decimals on their way into doubles
        if _compare_sums(summed, fast, slow, 4 * fast * slow, told):
            continue
        if _sum_decimals(seen, float(fast * slow), summed):
            _compare_sums(summed, fast, slow, -1, told)
        else:
            unclear[found] = begin, end
            found += 1
    return signs, unclear[:found]


@compiled
def _compare_sums(sums: Whole, fast: int, slow: int, doubt: int, signs: Signs) -> bool:
    """Cross-multiplied, since dividing would round: the fast sum against the slow one. Whether none is in doubt."""
    last, fast_before, slow_before = sums[slow:], sums[slow - fast : -fast], sums[:-slow]
    in_doubt = 0
    for bar in range(len(signs)):
        gap = (last[bar] - fast_before[bar]) * slow - (last[bar] - slow_before[bar]) * fast
        signs[bar] = np.int8(gap > 0) - np.int8(gap < 0)
        in_doubt += (gap <= doubt) & (gap >= -doubt)
    return in_doubt == 0


@compiled
def _draw_averages(prices: Floats, windows: Whole, rows: NDArray[np.float64]) -> float:
    sums = np.empty(len(prices) + 1, dtype=np.int64)
    longest = 1
    for window in windows:
        longest = max(longest, window)
    is_exact = _sum_decimals(prices, _ROOM * longest * longest, sums)
    if not is_exact:
        _sum_scaled(prices, _ROOM * longest, sums)
    for place, window in enumerate(windows):
        row, ending, before = rows[place, window - 1 :], sums[window:], sums[:-window]
        if is_exact:
            for bar in range(len(row)):
                row[bar] = (ending[bar] - before[bar]) / window
        else:
            for bar in range(len(row)):
                row[bar] = (ending[bar] - before[bar]) * (1.0 / window)
        rows[place, : window - 1] = 0.0
    return 0.0 if is_exact else _UNITS_LOST


@compiled
def _sum_scaled(prices: Floats, factor: float, sums: Whole) -> Any:
    """Cumulated, in units of a power of two so small that a price times the factor still fits 61 bits; units a KRW.

    Meanwhile the prices are fetched that come next, as others look at so many abreast.
    """
    largest = _largest(prices)
    exponent = np.floor(np.log2(largest)) if largest > 0.0 else 0.0
    scale = 2.0 ** min(min(_MOST_BITS - np.ceil(np.log2(factor)), _EXACT_BITS) - exponent - 1, _LARGEST_EXPONENT)
    sums[0] = total = np.int64(0)
    for bar in range(len(prices)):
        fetch_ahead(prices, bar + _ABREAST)
        total += np.int64(prices[bar] * scale)
        sums[bar + 1] = total
    return scale


@compiled
def _largest(values: Floats) -> Any:
    """Without signs. By the bits, which the processor compares for many at once."""
    bits, largest = values.view(np.int64), np.int64(0)
    for place in range(len(bits)):
        largest = max(largest, bits[place] & _WITHOUT_SIGN)
    return np.array([largest]).view(np.float64)[0]


@compiled
def _sum_decimals(prices: Floats, factor: float, sums: Whole) -> bool:
    """Cumulated, in units of the fewest decimals that hold them all; whether there are such, and the factor fits."""
    for parts in TENS:
        others, largest = 0, 0.0
        for bar in range(len(prices)):
            units = np.rint(prices[bar] * parts)
            others += units / parts != prices[bar]
            largest = max(largest, abs(units))
        if largest * factor >= HEADROOM or largest >= EXACT:
            return False
        if others == 0:
            sums[0] = total = np.int64(0)
            for bar in range(len(prices)):
                total += np.int64(np.rint(prices[bar] * parts))
                sums[bar + 1] = total
            return True
    return False


@compiled
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


@compiled
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


@compiled
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
