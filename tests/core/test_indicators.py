from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.indicators import exact_units, rolling_sum

decimals = st.integers(0, 8).flatmap(
    lambda places: st.lists(st.integers(1, 10_000_000).map(lambda units: Decimal(units).scaleb(-places)), max_size=80)
)


@given(decimals)
def test_decimal_prices_become_whole_units(prices):
    """Each in proportion to all others, exactly, at any of the venue's ticks."""
    units = exact_units(np.array(prices, dtype=np.float64), largest_factor=500)
    assert units.dtype == np.int64
    if prices:
        assert [Fraction(int(unit)) * Fraction(prices[0]) for unit in units] == [
            Fraction(price) * int(units[0]) for price in prices
        ]


@pytest.mark.parametrize("prices", [[1 / 3, 2.0], [1e-9, 1.0], [1e18, 1.0], [1.0, 0.1 + 0.2]])
def test_other_prices_stay_as_they_are(prices):
    """Finer than a tick can be, or too large to be summed in 64 bits."""
    units = exact_units(np.array(prices), largest_factor=500)
    assert units.tolist() == prices


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
