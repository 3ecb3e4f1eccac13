"""JSON as the standard has it, and no larger than an answer of a venue is.

What lives here: `decoded`. What stays out: what the values mean.

Python's own reader takes NaN, Infinity, 1e999 and a key given twice, the last one winning; each of them is a
wrong number waiting to be used. Numbers stay exact: whole ones are int, all others Decimal.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, NoReturn

_MOST_VALUES = 200_000
_DEEPEST = 20
_LONGEST_NUMBER = 40
_LARGEST_EXPONENT = 30


def decoded(body: bytes) -> Any:
    """Read a body, or raise a ValueError that says what is wrong with it."""
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MOST_VALUES:
        msg = f"more than {_MOST_VALUES} values"
        raise ValueError(msg)
    try:
        value = _READER.decode(body.decode("utf-8"))
    except RecursionError:
        value = None
        is_deep = True
    else:
        is_deep = any(islice(_levels(value), _DEEPEST, None))
    if is_deep:
        msg = f"values nested more than {_DEEPEST} deep"
        raise ValueError(msg)
    return value


def _levels(value: Any) -> Iterator[list[Any]]:
    """What lies at each depth that holds any list or object."""
    level = [value]
    while level := [each for each in level if isinstance(each, list | dict)]:
        yield level
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        _refuse(f"a number of {len(text)} digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER or abs((number := Decimal(text)).adjusted()) > _LARGEST_EXPONENT:
        _refuse(f"the number {text[:_LONGEST_NUMBER]}")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        _refuse("a key that is given twice")
    return fields


def _refuse(found: str) -> NoReturn:
    raise ValueError(found)


_READER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse, parse_float=_decimal, parse_int=_whole)
