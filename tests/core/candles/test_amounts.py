import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.candles.amounts import Notation
from coinhts_core.errors import RefusedError


def read(texts, separator=","):
    column = pl.Series(texts, dtype=pl.String)
    return Notation.of(column, separator).read(column).to_list()


@pytest.mark.parametrize(
    ("texts", "separator", "numbers"),
    [
        (["1234.5", "7", "1e3", "-0.5", "+2"], ",", [1234.5, 7, 1000, -0.5, 2]),
        (["95,123,000", "1,234.5", "12"], ";", [95_123_000, 1234.5, 12]),
        (["95.123.000", "1.234,5", "0,12345678"], ";", [95_123_000, 1234.5, 0.12345678]),
        (["1 234 567,5", "0,5"], "\t", [1_234_567.5, 0.5]),
        (["1\u00a0234.5", "1\u202f000", "1'000"], "\t", [1234.5, 1000, 1000]),
        (["0.123", "0.456", "0.789"], ";", [0.123, 0.456, 0.789]),
        (["95.123", "95.124"], ",", [95.123, 95.124]),
        (["95123000"], ";", [95_123_000]),
        ([None, "5.", ".5", ""], ",", [None, 5, None, None]),
    ],
)
def test_a_notation_is_found_out_and_read(texts, separator, numbers):
    """By the numbers that only one of the two notations has."""
    assert read(texts, separator) == numbers


@pytest.mark.parametrize(
    ("texts", "separator", "told"),
    [
        (["95,123", "96,000"], ",", "'95,123' may be thousands or a fraction"),
        (["95,123", "96,000"], ";", "'95,123' may be thousands or a fraction"),
        (["95.123", "7"], ";", "'95.123' may be thousands or a fraction"),
        (["1.234,5", "1,234.5"], ";", "it mixes decimal points and decimal commas"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(texts, separator, told):
    """A price a thousand times too high would be believed by every later check."""
    with pytest.raises(RefusedError, match=told):
        read(texts, separator)


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity", "1e999", "abc", "1,2,3", "0x10", "1_000", "--1", "\ufffd"])
def test_what_is_no_number_is_none(word):
    """NaN and infinities included; its neighbours are read all the same."""
    assert Notation.POINT.read(pl.Series(["1.5", word, "1,000"])).to_list() == [1.5, None, 1000]
    assert Notation.COMMA.read(pl.Series(["1,5", word, "1.000"])).to_list() == [1.5, None, 1000]


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        (pl.Series([1, 2]), [1, 2]),
        (pl.Series([1.5, float("nan"), float("inf"), None]), [1.5, None, None, None]),
        (pl.Series([True]), [None]),
        (pl.Series([[1.0]]), [None]),
    ],
)
def test_columns_of_numbers_need_no_notation(column, numbers):
    """What is neither number nor text is none."""
    assert Notation.POINT.read(column).to_list() == numbers


@given(st.lists(st.floats(1e-8, 1e12).map(lambda number: round(number, 4)), min_size=1))
def test_every_number_comes_back_from_either_notation(numbers):
    """Grouped or not, with a comma or a point: the same double."""
    pointed = [f"{number:,.4f}" for number in numbers]
    swapped = [text.translate(str.maketrans(",.", ".,")) for text in pointed]
    assert Notation.POINT.read(pl.Series(pointed)).to_list() == numbers
    assert Notation.COMMA.read(pl.Series(swapped)).to_list() == numbers
