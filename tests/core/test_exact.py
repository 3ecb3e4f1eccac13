from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.exact import exact_signs

thirds = st.integers(1, 10**9).map(lambda number: (3 * number + 1) / 3)
ticks = st.integers(1, 10**9).map(lambda number: number / 100)


def compared(prices, fast, slow):
    """By hand, wherever a whole window stands."""
    ends = range(slow, len(prices) + 1)
    gaps = [sum(prices[end - fast : end]) * slow - sum(prices[end - slow : end]) * fast for end in ends]
    return [0] * (slow - 1) + [(gap > 0) - (gap < 0) for gap in gaps]


@given(st.lists(thirds, min_size=5, max_size=20))
def test_doubles_are_compared_in_their_own_bits(prices):
    """What is no decimal is the double that it is."""
    assert exact_signs(np.array(prices), 2, 5).tolist() == compared([Fraction(price) for price in prices], 2, 5)


@given(st.lists(ticks, min_size=5, max_size=20), st.integers(1, 4))
def test_decimals_are_compared_as_they_are_written(prices, fast):
    """Not as the doubles nearest to them."""
    assert exact_signs(np.array(prices), fast, 5).tolist() == compared([Fraction(str(of)) for of in prices], fast, 5)
