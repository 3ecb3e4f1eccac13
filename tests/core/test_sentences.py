import pytest

from coinhts_core.errors import BadMarketError, BadSettingError


def test_a_refusal_wants_exactly_its_facts():
    """A forgotten or invented fact shows at once, not in front of a person."""
    with pytest.raises(TypeError, match="BadMarketError is built with exactly its facts; check: text"):
        BadMarketError()
    with pytest.raises(TypeError, match="check: venue"):
        BadMarketError(text="x", venue="upbit")
    with pytest.raises(AttributeError):
        _ = BadMarketError(text="x").venue


@pytest.mark.parametrize("hostile", ["x" * 10_000, "a\nb\0c\x1b[31m", "{text}{0}", "\ud800", "../../etc"])
def test_hostile_facts_stay_one_short_line(hostile):
    """Whatever was typed, the sentence can be printed."""
    sentence = str(BadSettingError(name="COINHTS_X", value=hostile, reason=hostile))
    assert sentence.isprintable()
    assert len(sentence) < 700
    sentence.encode()
