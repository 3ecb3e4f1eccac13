import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadRequestError
from coinhts_core.requests.strict import LONGEST, strict_json

_NAMES = st.text(st.characters(codec="utf-8"), max_size=8)
_SCALARS = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    _SCALARS | _NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_what_json_means_is_what_is_read(value):
    """Strict is only stricter: whatever is read means what it always meant."""
    written = json.dumps(value).encode()
    with suppress(BadRequestError):
        assert strict_json(written) == value


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (b'{"strategy": "a", "strategy": "b"}', "strategy", "twice"),
        (b'{"params": {"fast": 1, "fast": 2}}', "fast", "twice"),
        (b'{"cash": NaN}', "body", "NaN"),
        (b'{"cash": -Infinity}', "body", "-Infinity"),
        (b'{"cash": 1e999}', "body", "1e999"),
        (b'{"cash": ' + b"9" * 5_000 + b"}", "body", "beyond"),
        (b"[" * 5_000 + b"]" * 5_000, "body", "deeper"),
        (b"\xff\xfe", "body", "UTF-8"),
        (b"", "body", "no JSON"),
        (b"{", "body", "no JSON"),
        (b"{} {}", "body", "no JSON"),
        (b'"' + b"a" * LONGEST + b'"', "body", "longer"),
    ],
)
def test_what_a_lenient_reader_lets_through_is_refused(body, field, reason):
    """And the sentence says why."""
    with pytest.raises(BadRequestError, match=reason) as refused:
        strict_json(body)
    assert refused.value.field == field
