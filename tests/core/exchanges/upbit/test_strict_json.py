from decimal import Decimal

import pytest

from coinhts_core.exchanges.upbit.strict_json import decoded


def test_numbers_stay_what_was_written():
    """A decimal is its text, not the double beside it; whole numbers are whole."""
    value = decoded('[{"a": 0.1, "b": 1.50E-5, "c": -12345678901234567890, "d": null}, true, "컵"]'.encode())
    assert value == [
        {"a": Decimal("0.1"), "b": Decimal("0.0000150"), "c": -12345678901234567890, "d": None},
        True,
        "컵",
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Expecting value"),
        (b"[1] [2]", "Extra data"),
        (b"[NaN]", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "the number 1e999"),
        (b"[1e-999]", "the number 1e-999"),
        (b"[0.%s1]" % (b"0" * 50), "the number 0.000"),
        (b"[%s]" % (b"9" * 5_000), "a number of 5000 digits"),
        (b"[01]", "Expecting"),
        (b"[0x1]", "Expecting"),
        (b'[{"a": 1, "a": 1}]', "a key that is given twice"),
        (b'[{"a": {"b": 1, "c": 2, "b": 3}}]', "a key that is given twice"),
        (b"[" * 21 + b"]" * 21, "nested more than 20 deep"),
        (b'{"a":' * 21 + b"1" + b"}" * 21, "nested more than 20 deep"),
        (b"[" * 100_000, "nested more than 20 deep"),
        (b"[" * 300_000, "more than 200000 values"),
        (b"[" + b"{}," * 300_000 + b"1]", "more than 200000 values"),
        (b'["\xff"]', "utf-8"),
        ('["é"]'.encode("utf-16"), "utf-8"),
        (b"\xef\xbb\xbf[]", "Expecting value"),
        (b'["a\nb"]', "Invalid control character"),
    ],
)
def test_what_is_not_json_of_an_answer_is_refused(body, reason):
    """With a ValueError, whose words name the trouble."""
    with pytest.raises(ValueError, match=reason):
        decoded(body)


def test_twenty_deep_is_not_too_deep():
    """The bound itself is allowed."""
    assert decoded(b"[" * 20 + b"]" * 20)
