import pytest

from coinhts_core.errors import UnknownMarketError
from coinhts_core.wording import clipped, nearest, worded


def test_long_facts_are_cut_with_their_length():
    """The start is enough to recognise them by."""
    assert clipped("y" * 301) == "y" * 200 + "… (301 characters)"
    assert clipped("y" * 300) == "y" * 300


def test_what_was_meant_is_suggested():
    """The nearest choice, or silence."""
    refusal = UnknownMarketError(symbol="KRW-DOGG", venue="upbit", hint=nearest("KRW-DOGG", ["KRW-BTC", "KRW-DOGE"]))
    assert str(refusal) == "market KRW-DOGG is not listed on upbit; did you mean KRW-DOGE?"
    assert nearest("zzz", ["KRW-BTC"]) == nearest("x" * 10_000, ["KRW-BTC"]) == ""


@pytest.mark.parametrize(
    ("message", "middle"),
    [("Input should be 1", "input should be 1"), ("Value error, fast is slow", "fast is slow"), ("", "")],
)
def test_pydantics_sentences_fit_into_ours(message, middle):
    """Without its prefix, beginning in lower case."""
    assert worded(message) == middle
