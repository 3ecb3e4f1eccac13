"""A request as people type it into a form: every field a text, and an empty one says nothing.

What lives here: `read_typed`, from texts to what `read_request` takes. What to add: a field of the form. What stays
out: judging what was typed (`request`, `furnish`); here it is only taken apart.
"""

from collections.abc import Mapping
from typing import Any

from coinhts_core.errors import BadRequestError
from coinhts_core.lineup_file import read_value
from coinhts_core.requests.strict import strict_json
from coinhts_core.wording import clipped

_AS_TYPED = ("strategy", "start_date", "end_date", "timeframe")
_KNOBS = "params"
_LONGEST_VALUE = 64


def read_typed(fields: Mapping[str, str]) -> dict[str, Any]:
    """Coins apart by commas or spaces, knobs as JSON or as a line each, such as fast = 20."""
    typed = {name: text.strip() for name, text in fields.items()}
    told: dict[str, Any] = {name: typed[name] for name in _AS_TYPED if typed.get(name)}
    if symbols := typed.get("symbols", "").replace(",", " ").split():
        told["symbols"] = symbols
    if knobs := _knobs(typed.get(_KNOBS, "")):
        told[_KNOBS] = knobs
    if cash := typed.get("cash", "").replace(",", "").replace(" ", ""):
        told["account"] = {"cash": _value(cash)}
    return told


def _knobs(text: str) -> Any:
    if text.startswith("{"):
        try:
            return strict_json(text.encode(errors="replace"))
        except BadRequestError as error:
            raise BadRequestError(field=_KNOBS, reason=str(error.reason)) from None
    return _lines(text)


def _lines(text: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not name or not sign or not value:
            raise BadRequestError(field=_KNOBS, reason=f"{clipped(line, 80)!r} is not like fast = 20")
        if name in told:
            raise BadRequestError(field=_KNOBS, reason=f"{clipped(name, 80)} is there twice")
        told[name] = _value(value)
    return told


def _value(text: str) -> Any:
    """As on the command line; what is too long for a value is left to be refused as the text it is."""
    return text if len(text) > _LONGEST_VALUE else read_value(text)
