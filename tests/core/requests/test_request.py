import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadRequestError
from coinhts_core.requests.request import Request, read_request

WHOLE = {
    "kind": "sweep",
    "strategy": "sma_cross",
    "params": {"slow": 60},
    "symbols": ["KRW-BTC", "BTC/KRW", "eth_krw"],
    "start_date": "2026-01-01",
    "end_date": "20260131",
    "timeframe": "1H",
    "account": {"cash": 5e6, "stop_loss": None},
    "grid": {"fast": [5, 10]},
}
_HOSTILE = [
    "../../etc/passwd",
    "/abs", "..", "%2e%2e", "a\x00b", "a\r\nb", "\u202egnp", "K" * 10_240, "\uff2b\uff32\uff37-BTC", "con", "",
    "'; DROP TABLE requests; --", "{{7*7}}", "\ud800", "KRW-BTC\n", 0, -1, 1.5, True, None, [], {}, [[]], {"a": {}},
    1e308, float("nan"), float("inf"), 2**70, ["KRW-BTC"] * 500, [None], "2026-02-30", "9999999999-01-01",
]  # fmt: skip


def refusal(**facts):
    with pytest.raises(BadRequestError) as refused:
        read_request({"strategy": "sma_cross", **facts})
    return refused.value


def read_or_refused(facts):
    try:
        return read_request(facts), None
    except BadRequestError as error:
        return None, error


def test_a_request_reads_as_the_command_is_written():
    """Days and coins in every common spelling, each coin once."""
    read = read_request(json.dumps(WHOLE).encode())
    assert (read.kind, read.strategy, read.timeframe, read.combinations) == ("sweep", "sma_cross", "1h", 2)
    assert read.symbols == ("KRW-BTC", "KRW-ETH")
    assert (read.start_date, read.end_date) == (date(2026, 1, 1), date(2026, 1, 31))
    assert read.account == {"cash": 5e6, "stop_loss": None}


def test_its_facts_read_back_to_the_same():
    """What is stored is what was asked."""
    read = read_request(WHOLE)
    assert read_request(read.facts()) == read
    assert read_request(json.dumps(read.facts()).encode()) == read


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"strategy": "../evil"}, "strategy"),
        ({"strategy": 7}, "strategy"),
        ({"kind": "yolo"}, "kind"),
        ({"mode": "live"}, "mode"),
        ({"symbols": []}, "symbols"),
        ({"symbols": "KRW-BTC"}, "symbols"),
        ({"symbols": ["KRW-BTC", 5]}, "symbols"),
        ({"symbols": ["KRW/../x"]}, "symbols"),
        ({"start_date": "2026-02-30"}, "start_date"),
        ({"start_date": 20260101}, "start_date"),
        ({"start_date": "2026-02-02", "end_date": "2026-02-01"}, "end_date"),
        ({"timeframe": "7m"}, "timeframe"),
        ({"timeframe": 60}, "timeframe"),
        ({"params": {"fast": [1]}}, "params.fast"),
        ({"params": {"fast": float("nan")}}, "params.fast"),
        ({"params": {"a\x00": 1}}, "params.a?"),
        ({"params": []}, "params"),
        ({"params": {f"knob{of}": 1 for of in range(41)}}, "params"),
        ({"account": {"cash": 2**60}}, "account.cash"),
        ({"kind": "sweep"}, "grid"),
        ({"grid": {"fast": [1]}}, "grid"),
        ({"kind": "sweep", "grid": {"fast": []}}, "grid.fast"),
        ({"kind": "sweep", "grid": {"fast": list(range(200)), "slow": list(range(200))}}, "grid"),
        ({"kind": "sweep", "grid": {"fast": [1]}, "mode": "study"}, "mode"),
        ({"kind": "walkforward", "grid": {"fast": [1]}, "folds": 0}, "folds"),
        ({"kind": "walkforward", "grid": {"fast": [1]}, "folds": "3"}, "folds"),
        ({"folds": 3}, "folds"),
        ({"ratio": 2.0}, "ratio"),
        ({"kind": "sweep", "grid": {"fast": [1]}, "by": "sharpe"}, "by"),
        ({"kind": "walkforward", "grid": {"fast": [1]}, "by": "sharp"}, "by"),
        ({"kind": "walkforward", "grid": {"fast": [1]}, "ratio": 0.0}, "ratio"),
        ({"kind": "walkforward", "grid": {"fast": [1]}, "anchored": 1}, "anchored"),
        ({"kind": "walkforward", "grid": {"fast": [1]}, "samples": 3}, "samples"),
        ({"kind": "sweep", "grid": {"fast": [1]}, "samples": 10_001}, "samples"),
        ({"kind": "sweep", "grid": {"fast": [1]}, "seed": -1}, "seed"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_whatever_is_wrong_the_field_is_named(facts, field):
    """In a sentence that says what is taken."""
    assert refusal(**facts).field == field


@pytest.mark.parametrize("field", Request.model_fields)
@pytest.mark.parametrize("value", _HOSTILE, ids=lambda value: repr(value)[:20])
def test_hostile_values_are_taken_as_they_are_or_refused_by_name(field, value):
    """Text, types and sizes that nobody should send break nothing, and stay one printable line."""
    facts = {"strategy": "sma_cross", "kind": "sweep", "grid": {"fast": [1]}} | {field: value}
    read, refused = read_or_refused(facts)
    if refused:
        assert str(refused.field).split(".")[0] in {field, "grid", "mode", "folds", "ratio", "anchored", "by"}
        assert str(refused).isprintable()
    else:
        assert json.loads(json.dumps(read.facts(), allow_nan=False)) == read.facts()


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null", b"true"])
def test_a_body_that_is_no_object_is_refused(body):
    """A list of requests is none."""
    with pytest.raises(BadRequestError, match="no JSON object"):
        read_request(body)


@given(st.dictionaries(st.sampled_from([*Request.model_fields, "x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
), max_size=6))  # fmt: skip
def test_no_request_breaks_the_reader(facts):
    """Whatever comes is read, or refused as a person would: never anything else."""
    read, refused = read_or_refused(facts)
    assert read or refused.field
