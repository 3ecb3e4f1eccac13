import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadPositionError
from coinhts_core.holdings.said import AMEND, CLOSE, LIST, LONGEST_BODY, OPEN, read_body

_NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1",
    "1_000",
    "1,000",
    "\u0661",
    "0x10",
    "",
    "ten",
    "1" * 99,
    None,
]
_NUMBERS += ["9" * 30, "0.123456789", "1e-9", "--1", "1.", ".5", "\x00", "1\n2", True, [], {}, 1.5]
_HOSTILE = ["../../etc", "/abs", "%2e%2e", "\x00", "\u202e", "x" * 10_000, "KRW-BTC\n; DROP TABLE holdings", "{0}"]
_MARKETS = [*_HOSTILE, "USDT-BTC", "BTC-ETH", "KRW", "", "\u043arw-btc", 5, ["KRW-BTC"]]
_TIMES = [*_HOSTILE, "2026-01-02", "2026-01-02T03:04", "0001-01-01T00:00+09:00", "9999-12-31T23:59-09:00"]
_TIMES += ["1999-01-01T00:00Z", "now", "2026-02-30T00:00Z", "2026-01-02T00:00Z KST", "1767225600", True]
_FIELDS = {
    "symbol": _MARKETS,
    "opened_at": _TIMES,
    "closed_at": _TIMES,
    "entry_price_krw": [*_NUMBERS, *_HOSTILE, "0", "1e12"],
    "exit_price_krw": [*_NUMBERS, *_HOSTILE, "0", "1e12"],
    "volume_base": [*_NUMBERS, *_HOSTILE, "0", "1e15"],
    "entry_fee_rate": [*_NUMBERS, *_HOSTILE, "0.1"],
    "exit_fee_rate": [*_NUMBERS, *_HOSTILE, "0.1"],
    "slippage_krw": [*_NUMBERS, *_HOSTILE, "-0.01"],
    "note": ["\x00", "\x1b[31m", "\ud800", "x" * 2_001, ["a"], 5],
    "key": [*_HOSTILE[3:7], "", "a b", "열쇠", "k" * 101, 5],
    "version": [*_NUMBERS, "0", "1.0", "9" * 10],
    "state": ["", "OPEN", "gone", "open,closed", []],
    "limit": ["0", "1001", "-1", "1.5", "", "ten", "\u0663", "9" * 40],
    "offset": ["-1", "1.5", "", "ten", "\u0663", "9" * 40],
}
_DEEDS = {"closed_at": CLOSE, "exit_price_krw": CLOSE, "exit_fee_rate": CLOSE, "slippage_krw": CLOSE, "version": AMEND}
_DEEDS |= {"state": LIST, "limit": LIST, "offset": LIST}
_RIGHT = {
    OPEN: {"symbol": "KRW-BTC", "entry_price_krw": "1", "volume_base": "1"},
    CLOSE: {"version": "1", "exit_price_krw": "1"},
    AMEND: {"version": "1"},
    LIST: {},
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in _FIELDS.items() for value in values])
def test_a_hostile_value_is_refused_in_one_sentence_by_its_field(field, value):
    """Of any kind, in any field; null is as if nothing was said, which only what is needed refuses."""
    deed = _DEEDS.get(field, OPEN)
    said = _RIGHT[deed] | {field: value}
    if value is None and field not in deed.needs:
        assert field not in deed.read(said)
        return
    with pytest.raises(BadPositionError) as refused:
        deed.read(said)
    assert refused.value.field == field
    assert str(refused.value).isprintable()
    assert field in str(refused.value)
    assert len(str(refused.value)) < 500


@given(st.sampled_from(sorted(_FIELDS)), st.text() | st.floats() | st.integers() | st.lists(st.text()))
def test_whatever_is_said_is_read_or_refused_by_its_field(field, value):
    """And in no other way."""
    deed = _DEEDS.get(field, OPEN)
    refused = ""
    try:
        found = deed.read(_RIGHT[deed] | {field: value})
    except BadPositionError as error:
        found, refused = {}, error.field
    assert [*({field} & found.keys()), *([refused] if refused else [])] == [field]


@given(st.decimals("0.00000001", "999999999999", places=8))
def test_numbers_lose_no_digit(number):
    """Written with a point, as a number of JSON, or with an exponent as Python writes small ones."""
    body = f'{{"symbol": "KRW-BTC", "entry_price_krw": {number:f}, "volume_base": {number:e}}}'
    found = OPEN.read(read_body(body.encode()))
    assert found["entry_price_krw"] == found["volume_base"] == number


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T12:04:05+09:00", "2026-01-02T03:04:05Z", "2026-01-02 12:04:05 KST", "2026-01-02 03:04:05 UTC"],
)
def test_a_moment_is_read_in_any_zone_that_is_said(text):
    """And is UTC from then on."""
    found = OPEN.read(_RIGHT[OPEN] | {"opened_at": text})["opened_at"]
    assert found == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_markets_are_read_in_any_common_spelling():
    """As everywhere."""
    assert {OPEN.read(_RIGHT[OPEN] | {"symbol": text})["symbol"] for text in ("krw-btc", "BTC/KRW", "BTC_KRW")} == {
        "KRW-BTC"
    }


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        (b"", "body", "no JSON"),
        (b"[]", "body", "not a JSON object"),
        (b'"x"', "body", "not a JSON object"),
        (b"{", "body", "no JSON"),
        (b'{"note": "\xff"}', "body", "UTF-8"),
        (b"[" * 60_000, "body", "nested too deep"),
        (b" " * (LONGEST_BODY + 1), "body", "longer than 65536 bytes"),
        (b'{"note": "a", "note": "b"}', "note", "twice"),
        (b'{"entry_price_krw": NaN}', "entry_price_krw", "'NaN'"),
        (b'{"entry_price_krw": 1e999}', "entry_price_krw", "'1e999'"),
        (b'{"entry_price_krw": -Infinity}', "entry_price_krw", "'-Infinity'"),
        (b'{"entry_price_krw": {"a": 1}}', "entry_price_krw", "no text and no number"),
        (b'{"entry_prise_krw": 1}', "entry_prise_krw", "did you mean entry_price_krw?"),
        (b'{"book": "live"}', "book", "there is no such field"),
        (b'{"symbol": "KRW-BTC", "volume_base": 1}', "entry_price_krw", "it is missing"),
    ],
)
def test_a_body_is_one_flat_object_of_known_fields(body, field, told):
    """Anything else is refused, naming the field where there is one."""
    with pytest.raises(BadPositionError, match="the position's ") as refused:
        OPEN.read(read_body(body))
    assert refused.value.field == field
    assert told in str(refused.value)


def test_a_body_is_read_as_it_was_written():
    """Texts stay what they are."""
    said = {"symbol": "KRW-BTC", "entry_price_krw": 1, "volume_base": 0.1, "note": "첫 매수\n둘째 줄", "key": "k-1"}
    found = OPEN.read(read_body(json.dumps(said).encode()))
    assert found == said | {"entry_price_krw": Decimal(1), "volume_base": Decimal("0.1")}
