from datetime import UTC, datetime

import pytest

from coinhts_core.alerts.alert import Letter, at_least, body_of, moment, title_of

NIGHT = datetime(2026, 1, 31, 20, 30, 5, tzinfo=UTC)


def test_times_are_told_as_in_korea_too():
    """With the date, which may be another."""
    assert moment(NIGHT) == "2026-01-31 20:30:05 UTC (02-01 05:30 KST)"


@pytest.mark.parametrize(
    ("repeats", "told"), [(0, []), (1, ["raised once more since"]), (5, ["raised 5 times more since"])]
)
def test_a_letter_says_when_and_how_often(repeats, told):
    """Below what it has to say."""
    letter = Letter(7, "key", "error", "title", "one\ntwo", NIGHT, repeats)
    assert letter.lines == ["one", "two", *told, "2026-01-31 20:30:05 UTC (02-01 05:30 KST), alert 7"]


def test_levels_are_in_order():
    """From the given one upwards."""
    assert at_least("info") == ["info", "warning", "error", "critical"]
    assert at_least("error") == ["error", "critical"]


@pytest.mark.parametrize("hostile", ["a\r\nBcc: x", "\0\x1b[31m", "\u202e", "x" * 100_000, "y\n" * 100_000])
def test_hostile_words_are_printable_and_short(hostile):
    """A title is one line, a body a page."""
    assert title_of(hostile).isprintable()
    assert len(title_of(hostile)) < 250
    assert all(line.isprintable() for line in body_of(hostile).split("\n"))
    assert len(body_of(hostile)) < 3_100
