"""JSON read strictly: what a lenient reader lets through is refused, with the reason.

What lives here: `strict_json`. What stays out: what the document means (`request`).
"""

import json
import math
from typing import Any, NoReturn

from coinhts_core.errors import BadRequestError
from coinhts_core.wording import clipped

LONGEST = 65_536
_DEEPEST = 8
BODY = "body"


def strict_json(body: bytes) -> Any:
    """No name twice, no NaN, no number beyond all bounds, nothing deep, nothing long."""
    if len(body) > LONGEST:
        raise BadRequestError(field=BODY, reason=f"it is longer than {LONGEST} bytes")
    try:
        text = body.decode("utf-8")
        if _depth(text) > _DEEPEST:
            raise BadRequestError(field=BODY, reason=f"it is nested deeper than {_DEEPEST}")
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite, parse_int=_int)
    except UnicodeDecodeError:
        raise BadRequestError(field=BODY, reason="it is not a text in UTF-8") from None
    except json.JSONDecodeError as error:
        reason = f"it is no JSON ({error.msg.lower()} in line {error.lineno}, column {error.colno})"
        raise BadRequestError(field=BODY, reason=reason) from None


def _depth(text: str) -> int:
    """At most: brackets inside of strings count, too, and a body that holds so many is none of ours."""
    depth = deepest = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadRequestError(field=clipped(name, 80), reason="it is there twice")
        found[name] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise BadRequestError(field=BODY, reason=f"{word} is no number")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise BadRequestError(field=BODY, reason=f"{word[:40]} is beyond all numbers")
    return number


def _int(word: str) -> int:
    if len(word) > 16:  # noqa: PLR2004 - beyond what a double holds exactly
        raise BadRequestError(field=BODY, reason=f"{word[:40]} is beyond all whole numbers that are taken")
    return int(word)
