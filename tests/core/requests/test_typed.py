from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadRequestError
from coinhts_core.requests.request import read_request
from coinhts_core.requests.typed import read_typed

FIELDS = ("strategy", "symbols", "start_date", "end_date", "timeframe", "cash", "params", "of_nobody")


def test_a_form_says_what_a_command_says():
    """Each field as what it is; what stands around it does not count."""
    typed = {
        "strategy": " sma_cross ",
        "symbols": "KRW-BTC, krw-eth\tXRP",
        "start_date": "2026-01-01",
        "end_date": "2026-01-31",
        "timeframe": "1h",
        "cash": "5,000,000",
        "params": "fast = 10\n\n slow=50 \nname = all in\nis_on = true",
    }
    assert read_typed(typed) == {
        "strategy": "sma_cross",
        "symbols": ["KRW-BTC", "krw-eth", "XRP"],
        "start_date": "2026-01-01",
        "end_date": "2026-01-31",
        "timeframe": "1h",
        "account": {"cash": 5_000_000},
        "params": {"fast": 10, "slow": 50, "name": "all in", "is_on": True},
    }


def test_what_is_empty_says_nothing():
    """A form sends every field."""
    assert read_typed(dict.fromkeys(FIELDS, " ")) == {}


def test_knobs_may_be_json():
    """As the API takes them."""
    assert read_typed({"params": ' {"fast": 10, "slow": 5e1}'}) == {"params": {"fast": 10, "slow": 50.0}}


@pytest.mark.parametrize("text", ["fast", "fast =", "= 3", "fast = 1\nfast = 2", "{", '{"a": NaN}', '{"a": 1, "a": 2}'])
def test_knobs_that_are_none_are_refused_as_knobs(text):
    """Whichever way they are written."""
    with pytest.raises(BadRequestError) as refused:
        read_typed({"params": text})
    assert refused.value.field == "params"


@given(st.dictionaries(st.sampled_from(FIELDS), st.text() | st.sampled_from(["[" * 99, "a=" + "[" * 9_999, "x=inf"])))
def test_whatever_is_typed_is_read_or_refused(typed):
    """And never breaks anything, however deep or long."""
    with suppress(BadRequestError):
        assert read_request(read_typed({"strategy": "sma_cross"} | typed)).kind == "backtest"
