"""What people say of a position, judged field by field before anything is done with it.

What lives here: the fields, what each takes, and which of them a deed asks for. What to add: a field, as one line of
`_READERS`. What stays out: whether fields fit one another (`holding`).

Numbers of a JSON body are read as they are written, like those of the command line: no digit is lost on the way.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any, get_args

from coinhts_core.errors import BadMarketError, BadPositionError
from coinhts_core.holdings.holding import State
from coinhts_core.markets import Market
from coinhts_core.wording import clipped, nearest

LONGEST_BODY = 65_536
FEW, MOST = 100, 1_000  # of a list
_EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)  # bitcoin's first year
_ZONES = {"UTC": UTC, "KST": timezone(timedelta(hours=9))}
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,100}", re.ASCII)
_PLACES = 8
_LONGEST_MARKET = 40
_LONGEST_NOTE = 2_000

Said = Mapping[str, object]
Reader = Callable[[str, object], Any]


@dataclass(frozen=True)
class Deed:
    """The fields that something done to a position must have, and those it may have."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    def read(self, said: Said) -> dict[str, Any]:
        """What was said, each field as what it is; null says nothing."""
        known = (*self.needs, *self.takes)
        for name in said:
            if name not in known:
                reason = f"there is no such field here; it takes {', '.join(known)}{nearest(name, known)}"
                raise BadPositionError(field=clipped(name, 80), reason=reason)
        found = {name: _READERS[name](name, value) for name, value in said.items() if value is not None}
        for name in self.needs:
            if name not in found:
                raise BadPositionError(field=name, reason="it is missing")
        return found


def read_body(body: bytes) -> dict[str, object]:
    """One flat JSON object, each number as the text it is written in."""
    if len(body) > LONGEST_BODY:
        raise BadPositionError(field="body", reason=f"it is longer than {LONGEST_BODY} bytes")
    try:
        said = _FLAT.decode(body.decode())
    except UnicodeDecodeError:
        raise BadPositionError(field="body", reason="it is not a text in UTF-8") from None
    except RecursionError:
        raise BadPositionError(field="body", reason="it is nested too deep") from None
    except json.JSONDecodeError as error:
        reason = f"it is no JSON ({error.msg.lower()} in line {error.lineno}, column {error.colno})"
        raise BadPositionError(field="body", reason=reason) from None
    if not isinstance(said, dict):
        raise BadPositionError(field="body", reason="it is not a JSON object")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadPositionError(field=clipped(name, 80), reason="it is there twice")
        found[name] = value
    return found


_FLAT = json.JSONDecoder(object_pairs_hook=_once, parse_float=str, parse_int=str, parse_constant=str)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadPositionError(field=name, reason=f"{clipped(value, 80)} is no text and no number")
    return value


def _symbol(name: str, value: object) -> Market:
    text = _text(name, value)
    try:
        market = Market.parse(text[:_LONGEST_MARKET])
    except BadMarketError as error:
        raise BadPositionError(field=name, reason=str(error)) from None
    if not market.startswith("KRW-"):
        raise BadPositionError(field=name, reason=f"{market} is not bought with won; write it like KRW-BTC")
    return market


def _moment(name: str, value: object) -> datetime:
    text = _text(name, value).strip()
    words, _, zone = text.rpartition(" ")
    try:
        if zone in _ZONES:
            moment = datetime.fromisoformat(words)
            is_told = moment.tzinfo is None
            moment = moment.replace(tzinfo=_ZONES[zone])
        else:
            moment = datetime.fromisoformat(text)
            is_told = moment.tzinfo is not None
        at = moment.astimezone(UTC) if is_told else None
    except (ValueError, OverflowError):
        at = None
    if at is None:
        reason = f"{text!r} is no time with its zone; write it like 2026-01-02T12:04:05+09:00 or 2026-01-02 12:04 KST"
        raise BadPositionError(field=name, reason=reason)
    if at < _EARLIEST:
        raise BadPositionError(field=name, reason=f"it is before {_EARLIEST.year}, when there were no coins")
    return at


def _number(name: str, value: object, *, below: Decimal, unit: str, is_positive: bool = False) -> Decimal:
    text = _text(name, value).strip()
    number = Decimal(text) if _NUMBER.fullmatch(text) else None
    least = "above 0" if is_positive else "from 0"
    if number is None or number < 0 or number >= below or (is_positive and not number):
        reason = f"{text!r} is no number of {unit} {least} to below {below:,}, written like 1234.5"
        raise BadPositionError(field=name, reason=reason)
    if number != round(number, _PLACES):
        raise BadPositionError(field=name, reason=f"{text!r} has more than {_PLACES} decimals")
    return abs(round(number, _PLACES))


def _note(name: str, value: object) -> str:
    text = _text(name, value)
    if len(text) > _LONGEST_NOTE:
        raise BadPositionError(field=name, reason=f"it is longer than {_LONGEST_NOTE} characters")
    if not all(letter.isprintable() or letter == "\n" for letter in text):
        raise BadPositionError(field=name, reason="it holds what cannot be printed")
    return text


def _key(name: str, value: object) -> str:
    text = _text(name, value)
    if not _KEY.fullmatch(text):
        raise BadPositionError(field=name, reason=f"{text!r} is not 1 to 100 letters, digits and signs of ASCII")
    return text


def _version(name: str, value: object) -> int:
    text = _text(name, value)
    if not _WHOLE.fullmatch(text) or not int(text):
        raise BadPositionError(field=name, reason=f"{text!r} is no version, which count from 1")
    return int(text)


def _states(name: str, value: object) -> tuple[State, ...]:
    text = _text(name, value)
    found = tuple(state for state in get_args(State) if state == text)
    if not found:
        raise BadPositionError(field=name, reason=f"{text!r} is none of {', '.join(get_args(State))}")
    return found


def _offset(name: str, value: object) -> int:
    text = _text(name, value)
    if not _WHOLE.fullmatch(text):
        raise BadPositionError(field=name, reason=f"{text!r} is no whole number from 0")
    return int(text)


def _limit(name: str, value: object) -> int:
    text = _text(name, value)
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MOST:
        raise BadPositionError(field=name, reason=f"{text!r} is no whole number from 1 to {MOST}")
    return int(text)


_price: Reader = partial(_number, below=Decimal(10) ** 12, unit="KRW", is_positive=True)
_rate: Reader = partial(_number, below=Decimal("0.1"), unit="the amount, a fraction")
_READERS: dict[str, Reader] = {
    "symbol": _symbol,
    "opened_at": _moment,
    "entry_price_krw": _price,
    "volume_base": partial(_number, below=Decimal(10) ** 15, unit="coins", is_positive=True),
    "entry_fee_rate": _rate,
    "closed_at": _moment,
    "exit_price_krw": _price,
    "exit_fee_rate": _rate,
    "slippage_krw": partial(_number, below=Decimal(10) ** 15, unit="KRW"),
    "note": _note,
    "key": _key,
    "version": _version,
    "state": _states,
    "limit": _limit,
    "offset": _offset,
}
ENTRY = ("opened_at", "entry_price_krw", "volume_base", "entry_fee_rate")
EXIT = ("closed_at", "exit_price_krw", "exit_fee_rate", "slippage_krw")
OPEN = Deed(("symbol", "entry_price_krw", "volume_base"), ("opened_at", "entry_fee_rate", "note", "key"))
AMEND = Deed(("version",), (*ENTRY, *EXIT, "note"))
CLOSE = Deed(("version", "exit_price_krw"), ("closed_at", "exit_fee_rate", "slippage_krw", "note"))
END = Deed(("version",))
LIST = Deed((), ("symbol", "state", "limit", "offset"))
