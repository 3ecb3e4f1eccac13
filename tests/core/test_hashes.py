from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.hashes import canonical, digest

facts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab원"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_digest_is_that_of_the_text_anyone_would_write():
    """Identities can be recomputed with nothing but JSON and sha-256, and never change."""
    text = '["chain 1",{"fast":5,"fee_rate":0.0005,"이름":null},[true,-1]]'
    assert (
        digest("chain 1", {"이름": None, "fee_rate": 0.0005, "fast": 5}, [True, -1])
        == sha256(text.encode()).hexdigest()
    )


@given(fact=facts)
def test_order_of_keys_is_no_fact(fact):
    """Equal facts have one spelling, whatever order their keys came in."""
    assert canonical(backwards(fact)) == canonical(fact)


def test_facts_do_not_run_into_each_other():
    """Where one fact ends and the next begins is part of the identity."""
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest(["ab", "c"]), digest("1", 1)}) == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_identity(value):
    """NaN differs from itself, so nothing may be identified by it."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest("fee", value)


def backwards(fact):
    if isinstance(fact, dict):
        return {key: backwards(fact[key]) for key in reversed(fact)}
    return [backwards(each) for each in fact] if isinstance(fact, list) else fact
