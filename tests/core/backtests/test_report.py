from base64 import b64decode
from xml.etree import ElementTree as ET

import pytest

from coinhts_core.backtests.report import as_image, percent, svg_curves, text_curve


def test_curves_are_an_image():
    """Well-formed, a line for each curve within the frame, and nobody's name is markup."""
    curves = {"a <b> & c": [100.0, 50.0, 150.0], "flat": [100.0, 100.0], "empty": []}
    image = ET.fromstring(svg_curves(curves, 'equity "of" <all>', ("first", "last")))  # noqa: S314 - our own text
    lines = [element for element in image if element.tag.endswith("polyline")]
    texts = [element.text for element in image if element.tag.endswith("text")]
    assert texts == ['equity "of" <all>', "150", "50", "first", "last", "a <b> & c +50.00%", "flat +0.00%"]
    points = [tuple(map(float, pair.split(","))) for line in lines for pair in line.get("points").split()]
    assert len(lines) == 2
    assert {min(x for x, _ in points), max(x for x, _ in points)} == {110, 900}
    assert {min(y for _, y in points), max(y for _, y in points)} == {34, 334}
    assert points[1][1] == max(y for _, y in points)


def test_nothing_is_no_image():
    """Without a single value there is nothing to draw."""
    assert svg_curves({}, "empty", ("", "")) == svg_curves({"a": []}, "empty", ("", "")) == ""


def test_an_image_travels_inside_markdown():
    """The page that shows it needs no other file."""
    content = as_image("<svg/>", "title").removeprefix("![title](data:image/svg+xml;base64,").removesuffix(")")
    assert b64decode(content) == b"<svg/>"


def test_a_curve_of_characters_rises_where_the_values_rise():
    """The highest line first, every line as wide as asked for, and no column empty at the bottom."""
    lines = text_curve([float(value) for value in range(100)], width=20, height=4)
    assert [len(line) for line in lines] == [20] * 4
    assert " " not in lines[-1]
    assert lines[0].endswith("█")
    assert lines[0].startswith(" ")
    heights = [sum(" ▁▂▃▄▅▆▇█".index(line[column]) for line in lines) for column in range(20)]
    assert heights == sorted(heights)


def test_a_point_is_no_curve():
    """One value has no course; a flat one has no height to divide by."""
    assert text_curve([1.0]) == []
    assert len(set(text_curve([2.0, 2.0], width=5, height=2)[-1])) == 1


@pytest.mark.parametrize(("fraction", "text"), [(0.1234, "+12.34%"), (-0.5, "-50.00%"), (0.0, "+0.00%")])
def test_fractions_are_printed_as_percent(fraction, text):
    """With their sign; what is undefined is a dash."""
    assert percent(fraction) == text
    assert percent(None) == "\N{EN DASH}"
