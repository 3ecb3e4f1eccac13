import re
from base64 import b64decode
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coinhts_pipeline.plots import plot

AMOUNT = st.floats(0.0, 1e9)


def drawn(values, sides=()):
    """Give the Markdown, and the image in it."""
    told = plot(values, "close on 2026-01-02, KRW", sides)["plot"].value
    (image,) = re.findall(r"base64,([^)]+)\)", told)
    return told, ET.fromstring(b64decode(image))  # noqa: S314 our own drawing


def paths(svg):
    return [of.get("d") for of in svg]


@given(st.lists(AMOUNT, min_size=2, max_size=50), st.integers(1, 60))
@example([float(of % 997) * 1e6 for of in range(1_440)], 1)
def test_any_curve_is_short_enough_to_be_seen_without_a_click(values, pace):
    """It lies within its picture, from the first value to the last, and says its lowest and highest in words."""
    told, svg = drawn(values, [(place % pace == 0) - (place % 2) for place in range(len(values))])
    assert len(told) < 1_000
    points = [tuple(map(int, at.split())) for at in re.findall(r"\d+ \d+", paths(svg)[0])]
    assert (points[0][0], points[-1][0]) == (0, 240)
    assert all(0 <= y <= 60 for _, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert f"{min(values):,.12g} to {max(values):,.12g}" in told


def test_decisions_are_marked_where_they_were_made():
    """An entry points up from below, an exit down from above, and nothing is nothing."""
    _, svg = drawn([1.0, 2.0, 3.0, 2.0, 1.0], [0, 1, 0, -1, 0])
    assert paths(svg)[1] == "M60 30m-4 8h8l-4-7zM180 30m-4-8h8l-4 7z"
    assert len(paths(drawn([1.0, 2.0], [0, 0])[1])) == 1


def test_of_many_decisions_the_last_are_marked_and_that_is_said():
    """Whoever looks at the curve is not left to think that there were no more."""
    told, svg = drawn([1.0] * 30, [1] * 30)
    assert paths(svg)[1].count("M") == 8
    assert told.endswith("; the last 8 of 30 decisions")


@pytest.mark.parametrize("values", [[], [5.0]])
def test_less_than_two_values_are_no_curve(values):
    """Nothing is shown rather than an empty frame."""
    assert plot(values, "equity") == {}
