from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.indicators import (
    bollinger,
    compare_averages,
    cross_averages,
    crossings,
    ema,
    exceeds_all_before,
    exceeds_average,
    macd,
    memory,
    rolling_sum,
    rsi,
    sma,
    span_weight,
)

decimals = st.integers(0, 8).flatmap(
    lambda places: st.lists(st.integers(1, 10_000_000).map(lambda units: Decimal(units).scaleb(-places)), max_size=80)
)


@given(st.lists(st.integers(-(2**62), 2**62 - 1), max_size=50), st.integers(1, 60))
def test_rolling_sums_are_sums_of_the_window(values, window):
    """Although the running total may leave 64 bits, what fits comes out exactly."""
    small = np.array(values, dtype=np.int64) // 64
    sums = rolling_sum(small, window)
    assert len(sums) == len(values)
    for end in range(window, len(values) + 1):
        assert int(sums[end - 1]) == sum(small[end - window : end].tolist())


def test_a_running_total_beyond_64_bits_does_no_harm():
    """Differences of wrapped totals are the true ones."""
    assert set(rolling_sum(np.full(100, 2**60, dtype=np.int64), 4)[3:].tolist()) == {2**62}


ticks = st.integers(100, 103).map(lambda units: units / 1_000)
raw = st.sampled_from([0.1 + 0.2, 1 / 3, 2 / 3, 1 / 7, 1e-9, 12_345.678_901_234_567, np.nextafter(0.1, 1)])
across = st.integers(-3, 3).map(lambda units: (233 * 2**32 + units) / 10**8)  # where a low part overflows
spans = st.tuples(st.integers(1, 5), st.integers(1, 7)).map(lambda of: (of[0], of[0] + of[1]))


def series(*of):
    return st.lists(st.one_of(*of), min_size=12, max_size=40) | st.lists(st.one_of(*of), max_size=12)


def is_decimal(price):
    return any(round(price * 10**places) / 10**places == price for places in range(9))


def compared_by_hand(prices, fast, slow):
    """As fractions: of the decimals, or of the doubles where one of a window is no decimal."""
    signs = [0] * len(prices)
    for end in range(slow, len(prices) + 1):
        seen = prices[end - slow : end]
        exact = [Fraction(str(price)) if all(map(is_decimal, seen)) else Fraction(price) for price in seen]
        gap = sum(exact[-fast:]) * slow - sum(exact) * fast
        signs[end - 1] = (gap > 0) - (gap < 0)
    return signs


@given(series(ticks, ticks, ticks, raw) | series(ticks) | series(raw) | series(across), spans)
def test_averages_are_compared_as_fractions_are(prices, fast_and_slow):
    """Decimals, doubles and any mixture of them; no sum drifts, no tie is broken."""
    assert compare_averages(np.array(prices), *fast_and_slow).tolist() == compared_by_hand(prices, *fast_and_slow)


@given(series(ticks, ticks, ticks, raw), spans, st.integers(0, 8))
def test_a_comparison_depends_on_its_window_alone(prices, fast_and_slow, first):
    """Wherever the series begins."""
    whole = compare_averages(np.array(prices), *fast_and_slow)
    part = compare_averages(np.array(prices[first:]), *fast_and_slow)
    assert part[fast_and_slow[1] - 1 :].tolist() == whole[first + fast_and_slow[1] - 1 :].tolist()


@given(series(ticks) | series(raw), spans)
def test_averages_cross_where_their_comparison_turns(prices, fast_and_slow):
    """Also where whole units do not tell."""
    signs = compare_averages(np.array(prices), *fast_and_slow)
    assert cross_averages(np.array(prices), *fast_and_slow).tolist() == crossings(signs).tolist()


def test_averages_of_what_repeats_tie_for_ever():
    """A hundred thousand bars long, on ticks or on none; the highest and lowest prices of a venue among them."""
    for price in ([0.1, 0.2, 0.3], [1 / 3, 1 / 7, 2 / 3], [150_000_000.0, 1e-8, 4.2], [1e9 / 3, 1e-4 / 3, 1.0]):
        assert not compare_averages(np.array(price * 33_000), 3, 6).any()
    assert not compare_averages(np.full(10_000, 1e9 / 3), 1_000, 5_000).any()


def test_the_smallest_difference_counts():
    """One last bit in five thousand bars, above or below."""
    for price in (1 / 3, 1e9 / 3, 0.1):
        prices = np.full(5_000, price)
        prices[-1] = np.nextafter(price, np.inf)
        assert compare_averages(prices, 1_000, 5_000)[-1] == 1
        prices[-1] = np.nextafter(price, 0)
        assert compare_averages(prices, 1_000, 5_000)[-1] == -1


def test_prices_too_far_apart_for_whole_numbers_still_differ():
    """A hundred-millionth beside fifty thousand million: in the bits of their doubles."""
    prices = np.array([5e10, 1e-8, np.nextafter(5e10, np.inf), 1e-8])
    assert compare_averages(prices, 2, 4)[-1] == 1
    assert compare_averages(np.tile(prices[:2], 2), 2, 4)[-1] == 0


@pytest.mark.parametrize("prices", [[], [0.0] * 9, [1e300, 1e-300] * 5, [2.0**62] * 9, [5e-324] * 9])
def test_extremes_are_compared(prices):
    """Nothing, naughts, and what no venue trades at: without failing; what repeats ties."""
    assert not compare_averages(np.array(prices), 2, 4).any()


SEEDED = np.random.RandomState(7)
CLOSES = 100.0 * np.exp(np.cumsum(0.01 * SEEDED.standard_normal(1_500)))
WHOLE = {
    "sma": lambda values: sma(values, 30),
    "ema": lambda values: ema(values, 0.5),
    "rsi": lambda values: rsi(values, 3),
    "macd": lambda values: np.stack(macd(values, 2, 4, 3)),
    "bollinger": lambda values: np.stack(bollinger(values, 30, 2.0)),
    "exceeds": lambda values: exceeds_all_before(values, values, 30, values > 0.0),
}


@pytest.mark.parametrize("name", WHOLE)
def test_no_bit_depends_on_where_a_series_began(name):
    """Behind its warm-up an indicator is that of its window."""
    whole = WHOLE[name](CLOSES)
    for first in (1, 500, 511, 512, 777):
        assert np.array_equal(WHOLE[name](CLOSES[first:])[..., 120:], whole[..., first + 120 :]), first


def test_sma_is_the_average_of_as_many_as_there_are():
    """Against pandas, partial windows included; its rounding is that of one window, not of all before."""
    expected = pd.Series(CLOSES).rolling(20, min_periods=1).mean()
    assert sma(CLOSES, 20) == pytest.approx(expected.to_numpy(), rel=1e-13)
    assert sma(CLOSES, 20)[19:] == pytest.approx(talib.SMA(CLOSES, 20)[19:], rel=1e-13)
    assert sma(np.append(1e15, np.full(50, 0.1)), 3)[3:].tolist() == [(0.1 + 0.1 + 0.1) / 3] * 48
    assert sma(np.array([0.1, 0.2, 0.3]), 3)[-1] == (0.1 + 0.2 + 0.3) / 3 != (0.3 + 0.2 + 0.1) / 3
    assert sma(CLOSES[:0], 5).tolist() == []


@pytest.mark.parametrize("span", [2, 12, 26, 200])
def test_ema_forgets_all_but_a_billionth(span):
    """Against pandas, which begins at the first value, and TA-Lib, which begins at an average."""
    found, forgotten = ema(CLOSES, span_weight(span)), memory(span_weight(span))
    reach = 2e-9 * CLOSES.max()
    assert found == pytest.approx(pd.Series(CLOSES).ewm(span=span, adjust=False).mean().to_numpy(), abs=reach)
    behind = slice(span + forgotten, None)
    assert found[behind] == pytest.approx(talib.EMA(CLOSES, span)[behind], abs=reach)


@pytest.mark.parametrize("weight", [1 / 2, 1 / 14, 2 / 27, 1 / 100])
def test_memory_is_as_long_as_it_must_be(weight):
    """What came before weighs less than a billionth, and one value fewer would not do."""
    assert (1 - weight) ** memory(weight) <= 1e-9 < (1 - weight) ** (memory(weight) - 1)


@pytest.mark.parametrize("period", [2, 14, 30])
def test_rsi_is_wilders(period):
    """Against TA-Lib, behind the memory of the averages both began with."""
    behind = slice(period + memory(1 / period) + 1, None)
    assert rsi(CLOSES, period)[behind] == pytest.approx(talib.RSI(CLOSES, period)[behind], abs=1e-6)


def test_rsi_where_prices_stand_or_only_rise():
    """In the middle, and at its end."""
    assert rsi(np.full(50, 0.1), 14).tolist() == [50.0] * 50
    assert rsi(np.arange(400.0), 14)[-1] == 100.0
    assert rsi(-np.arange(400.0), 14)[-1] == 0.0
    assert rsi(np.empty(0), 14).tolist() == []


def test_macd_is_the_difference_of_two_averages():
    """Against TA-Lib, behind the memory of the slow average and of the signal."""
    behind = slice(26 + 9 + memory(span_weight(26)) + memory(span_weight(9)), None)
    for found, expected in zip(macd(CLOSES, 12, 26, 9), talib.MACD(CLOSES, 12, 26, 9)[:2], strict=True):
        assert found[behind] == pytest.approx(expected[behind], abs=1e-8 * CLOSES.max())


def test_bollinger_bands_are_the_populations():
    """Against TA-Lib and pandas with ddof 0."""
    lower, middle, upper = (band[19:] for band in bollinger(CLOSES, 20, 2.0))
    expected = [band[19:] for band in talib.BBANDS(CLOSES, 20, 2.0, 2.0)]
    for found, theirs in zip((upper, middle, lower), expected, strict=True):
        assert found == pytest.approx(theirs, rel=1e-9)
    deviation = pd.Series(CLOSES).rolling(20).std(ddof=0).to_numpy()[19:]
    assert (upper - lower) / 4 == pytest.approx(deviation, rel=1e-9)


@pytest.mark.parametrize("price", [0.1, 1 / 3, 150_000_000.0])
def test_bands_of_a_standstill_have_no_width(price):
    """Not even that of a rounding."""
    for band in bollinger(np.full(100, price), 20, 2.0):
        assert band.tolist() == [price] * 100


@given(series(ticks, ticks, raw), st.integers(1, 9), st.sampled_from([0.5, 1.0, 1.5, 1 / 3]))
def test_what_exceeds_an_average_is_above_it(values, window, factor):
    """As the average itself says, to the last bit, once its window has filled."""
    values = np.array(values)
    expected = values > factor * sma(values, window)
    expected[: window - 1] = False
    assert exceeds_average(values, window, factor).tolist() == expected.tolist()


def test_a_long_series_exceeds_as_a_short_one_does():
    """Much noise behind a huge value, and a standstill that ties with its average for ever."""
    huge = np.append(1e15, np.random.default_rng(3).uniform(0.9, 1.1, 9_000))
    assert exceeds_average(huge, 3, 1.0).tolist() == [False, False, *(huge > sma(huge, 3)).tolist()[2:]]
    assert not exceeds_average(np.full(9_000, 0.1), 4, 1.0).any()


@given(series(st.tuples(st.integers(1, 5), st.booleans())), st.integers(1, 6))
def test_a_new_high_is_above_all_before(rows, window):
    """Where it is asked for, behind a whole window; equal is not above."""
    closes = np.array([price for price, _ in rows], dtype=np.float64)
    asked = np.array([is_asked for _, is_asked in rows], dtype=np.bool_)
    expected = [
        bool(asked[bar] and bar >= window and closes[bar] > closes[bar - window : bar].max())
        for bar in range(len(closes))
    ]
    assert exceeds_all_before(closes, closes, window, asked).tolist() == expected
