from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.volume_profile import Ranges, bars_in_place, frozen_resistance, rolling_resistance
from tests.core.strategies.candles import bars_of, noise

bars_with_wicks = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 12), st.integers(0, 5)), min_size=8, max_size=16
)
ROUNDING = Fraction(1, 10**9)


def ranges_of(rows):
    low, height, volume = np.array(rows, dtype=np.float64).T
    return Ranges(low, low, low + height, volume)


def profile_by_hand(ranges, begin, end, bins):
    """Edges and volumes as fractions, bar by bar and bin by bin."""
    bottom, top = Fraction(min(ranges.bottom[begin:end])), Fraction(max(ranges.high[begin:end]))
    edges = [bottom + (top - bottom) * place / bins for place in range(bins + 1)]
    volumes = [Fraction(0)] * bins
    for low, high, volume in zip(*(map(Fraction, column[begin:end]) for column in ranges[1:]), strict=True):
        for place, (lower, upper) in enumerate(pairwise(edges)):
            if high > low:
                volumes[place] += volume * max(min(high, upper) - max(low, lower), 0) / (high - low)
            elif lower <= low < upper or (place == bins - 1 and low == top):
                volumes[place] += volume
    return edges, volumes


@given(bars_with_wicks, st.integers(1, 6), st.sampled_from([8, 16]), st.sampled_from([0.05, 0.2, 0.5]))
def test_the_resistance_has_the_wanted_part_above_it(rows, window, bins, part):
    """With its own bin it is reached, without it is not; nothing resists where nothing moved or traded."""
    ranges = ranges_of(rows)
    found = rolling_resistance(ranges, window, part, bins)
    assert np.isnan(found.price[:window]).all()
    for bar in range(window, len(rows)):
        edges, volumes = profile_by_hand(ranges, bar - window, bar, bins)
        wanted = sum(volumes) * Fraction(part)
        if edges[0] == edges[-1] or not wanted:
            assert np.isnan(found.price[bar])
        else:
            place = edges.index(Fraction(found.price[bar]))
            assert sum(volumes[place:]) >= wanted * (1 - ROUNDING)
            assert sum(volumes[place + 1 :]) <= wanted * (1 + ROUNDING)
            assert found.bin_height[bar] == edges[1] - edges[0]


@given(bars_with_wicks, st.integers(1, 6), st.integers(0, 20))
def test_a_resistance_is_that_of_its_window(rows, window, first):
    """To the last bit, wherever the series began."""
    ranges = ranges_of(rows)
    whole = rolling_resistance(ranges, window, 0.2, 20)
    part = rolling_resistance(Ranges(*(column[first:] for column in ranges)), window, 0.2, 20)
    for ours, theirs in zip(part, whole, strict=True):
        assert np.array_equal(ours[window:], theirs[first + window :], equal_nan=True)


@pytest.mark.parametrize(("bottom", "top"), [(0.3, 0.9), (1.1, 7.3), (0.0007, 0.00073), (1e8, 1.5e8)])
def test_an_edge_belongs_to_the_bin_above_it(bottom, top):
    """Wherever rounding puts it; the top to the last one, and what is just below an edge to the bin below."""
    edges = [*(bottom + np.arange(20) * ((top - bottom) / 20)), top]
    for place, edge in enumerate(edges):
        for price, expected in ((edge, min(place, 19)), (np.nextafter(edge, 0.0), max(place - 1, 0))):
            low, high = np.array([bottom, max(price, bottom), 1.0]), np.array([top, max(price, bottom), 1.0])
            found = rolling_resistance(Ranges(low, low, high, np.array([1.0, 99.0, 1.0])), 2, 0.5, 20)
            assert found.price[2] == edges[expected]


def test_bodies_alone():
    """From the lowest open up; what a body has below that is lost."""
    bars = bars_of([90.0, 110.0, 1.0], open=[100.0, 100.0, 1.0], low=[1.0, 1.0, 1.0], high=[500.0, 500.0, 1.0])
    ranges = Ranges.of(bars, include_wicks=False)
    assert [column.tolist()[:2] for column in ranges[:3]] == [[100.0, 100.0], [90.0, 100.0], [100.0, 110.0]]
    found = rolling_resistance(ranges, 2, 0.5, 10)
    assert found.price[2] == 105.0
    assert Ranges.of(bars, include_wicks=True)[1:] == (bars.low, bars.high, bars.volume)


def test_frozen_bins_lose_what_is_traded_elsewhere():
    """Once all volume has left the first window's range, nothing resists any more, even if it comes back."""
    rows = [(10, 8, 1)] * 4 + [(100, 8, 1)] * 8 + [(10, 8, 1)] * 8
    found = frozen_resistance(ranges_of(rows), 4, 0.25, 8)
    assert found.price[4] == 16.0
    assert not np.isnan(found.price[5:8]).any()
    assert np.isnan(found.price[8:]).all()
    rolling = rolling_resistance(ranges_of(rows), 4, 0.25, 8)
    assert rolling.price[4] == found.price[4]
    assert rolling.price[12] == 106.0
    assert rolling.price[19] == 16.0


def test_frozen_and_rolling_begin_alike():
    """At the first bar behind the first window both stand on the same bins."""
    bars = noise(60, 1)
    ranges = Ranges.of(bars, include_wicks=True)
    rolling, frozen = rolling_resistance(ranges, 30, 0.2, 20), frozen_resistance(ranges, 30, 0.2, 20)
    assert frozen.price[30] == rolling.price[30]
    assert set(frozen.bin_height[30:]) == {rolling.bin_height[30]}
    assert frozen_resistance(Ranges(*(column[:0] for column in ranges)), 30, 0.2, 20).price.tolist() == []
    assert np.isnan(frozen_resistance(Ranges(*(column[:30] for column in ranges)), 30, 0.2, 20).price).all()


@given(st.lists(st.none() | st.integers(1, 6), max_size=30), st.integers(1, 8))
def test_bars_in_place_are_counted_back_from_each(steps, most):
    """Itself, and all before it in one go whose resistance is within a bin of its own."""
    prices = np.array([np.nan if step is None else step for step in steps], dtype=np.float64)
    heights = np.where(np.isnan(prices), np.nan, 1.0)
    expected = []
    for bar in range(len(prices)):
        near = [abs(prices[bar] - before) <= 1.0 for before in prices[: bar + 1][::-1][:most]]
        expected.append(near.index(False) if False in near else len(near))
    assert bars_in_place(prices, heights, most).tolist() == expected
