from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coinhts_core.backtests.tearsheet.plots import (
    HEIGHT,
    MOST_POINTS,
    Scale,
    Tick,
    dots,
    drawing,
    line,
    nothing,
    thinned,
    time_ticks,
)

amounts = st.floats(-1e15, 1e15).filter(lambda value: not value or abs(value) > 1e-4)


@given(st.lists(amounts, min_size=1, max_size=20))
def test_a_scale_holds_its_values(values):
    """All within the drawing, the largest on top; ticks are few, within, and apart."""
    column = np.array(values)
    scale = Scale.of(column)
    heights = scale.heights(column)
    assert ((heights > 0) & (heights < HEIGHT)).all()
    assert heights[np.argmax(column)] == heights.min()
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(earlier < later for earlier, later in pairwise(ticks))
    assert len({tick.words for tick in scale.amounts()}) == len(ticks)
    assert all(-1e-9 <= tick.place <= 1 + 1e-9 for tick in scale.amounts())


def test_rounding_is_drawn_as_a_level_line():
    """An account that stands still does not shake."""
    scale = Scale.of(np.array([1e7, 1e7 + 1e-8]))
    assert scale.high - scale.low > 1e5


@given(st.floats(1e-9, 1e12))
def test_a_step_is_round_and_large_enough(size):
    """One, two, two and a half or five of a power of ten."""
    step = Scale(0.0, size).step(5)
    assert size / 5 * (1 - 1e-9) <= step <= size / 5 * 2.5 * (1 + 1e-9)
    assert float(f"{step:.15e}".split("e", maxsplit=1)[0]) in {1.0, 2.0, 2.5, 5.0}


def test_an_anchor_is_an_edge():
    """Drawdowns hang from 0, counts stand on it; without a value there is still an axis."""
    assert Scale.of(np.array([-0.5, -0.1]), anchor=0.0).high == 0.0
    assert Scale.of(np.array([5.0]), anchor=0.0).low == 0.0
    assert Scale.of(np.zeros(2), anchor=0.0).low < 0.0
    assert Scale.of(np.array([np.nan])).low < Scale.of(np.array([np.nan])).high


@given(st.integers(1, 3_000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_the_ends_and_the_extremes(count, seed):
    """A fall of one day is still seen among years."""
    values = np.random.default_rng(seed).normal(size=count)
    chosen = thinned(values)
    assert len(chosen) <= MOST_POINTS + 1
    assert (np.diff(chosen) > 0).all()
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert (values[chosen].min(), values[chosen].max()) == (values.min(), values.max())
    assert count > MOST_POINTS or len(chosen) == count


def test_a_line_is_interrupted_where_nothing_is_known():
    """A gap is no slope."""
    across, down = np.arange(5.0), np.array([np.nan, 1.0, 2.0, np.nan, 3.0])
    assert line(across, down) == "M1.0 1.0L2.0 2.0M4.0 3.0"
    assert dots(across[:2], down[1:3]) == "M0.0 1.0h0M1.0 2.0h0"


@given(st.datetimes(datetime(2017, 1, 1), datetime(2026, 1, 1)), st.integers(1, 5_000), st.integers(1, 1_500))  # noqa: DTZ001 - hypothesis wants them so
def test_an_axis_of_time_has_few_round_moments(first, count, minutes):
    """From minutes to decades, in order, each at its place."""
    moments = [first.replace(tzinfo=UTC) + timedelta(minutes=minutes * place) for place in range(count)]
    ticks = time_ticks(moments)
    places = [place for place, _ in ticks]
    assert places == sorted(set(places))
    assert len(ticks) <= 6
    assume(timedelta(hours=3) < moments[-1] - moments[0] and moments[-1] - moments[0] < timedelta(days=365 * 5))
    assert ticks
    assert all(0 <= place < count for place in places)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (2, ["01-01", "12:00", "01-02", "12:00"]),
        (5, ["01-01", "01-02", "01-03", "01-04", "01-05"]),
        (120, ["2026-01", "2026-02", "2026-03", "2026-04"]),
        (1_500, ["2026", "2027", "2028", "2029", "2030"]),
    ],
)
def test_moments_are_told_as_precisely_as_their_step(days, words):
    """Hours within days, days within months, months within years."""
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(days * 24)]
    assert [told for _, told in time_ticks(moments)] == words
    assert time_ticks(moments[:1]) == time_ticks([]) == []


def test_a_drawing_speaks_to_those_who_do_not_see_it(tree):
    """It is one image with a sentence; the axes' words are for eyes only."""
    ticks = [Tick(0.5, "half"), Tick(0.99, "end"), Tick(1.5, "beyond")]
    figure = tree(drawing("a", "it rose", [], across=ticks, down=ticks[:1], caption="A", note="B", legend={"c": "d"}))
    image = figure.find("div/svg")
    assert image.get("role") == "img"
    assert image.find("title").text == "it rose"
    assert image.find("title").get("id") == image.get("aria-labelledby")
    assert [axis.get("aria-hidden") for axis in figure.findall("div/div")] == ["true", "true"]
    assert [(span.text, span.get("class")) for span in figure.findall(".//div[@class='across']/span")] == [
        ("half", None),
        ("end", "last"),
    ]
    assert figure.find("figcaption/small").text == "B"
    assert figure.find("ul/li").text == "d"


def test_where_there_is_nothing_to_draw_the_reason_stands(tree):
    """Under the same caption."""
    figure = tree(nothing("a", "A", "none"))
    assert [child.text for child in figure] == ["A", "none"]
