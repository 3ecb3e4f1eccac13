"""Writing `strategies.toml`: one change at a time, comments kept, and never a file that could not be read.

What lives here: `change`. What stays out: reading it (`lineup`).
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from coinhts_core.errors import BadLineupError
from coinhts_core.lineup import Entry, lineup_of
from coinhts_core.markets import Market

_ACCOUNT = "account."
_OF_ALL_COINS = ("strategy", "enabled")
_OWN = (*_OF_ALL_COINS, "timeframe")


def change(
    file: Path, user_folder: Path, name: str, facts: Mapping[str, Any], symbol: Market | None = None
) -> Mapping[str, Entry]:
    """Set what a section says, for one coin where that is named; None takes a value back. The lineup from then on."""
    try:
        document = tomlkit.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    except (TOMLKitError, UnicodeDecodeError, OSError) as error:
        raise BadLineupError(file=file, reason=str(error).split("\n", 1)[0]) from error
    section = _table(document, name)
    target = _table(_table(section, "symbols"), symbol) if symbol else section
    for key, value in facts.items():
        _set(section if key in _OF_ALL_COINS else target, key, value)
    text = tomlkit.dumps(document)
    lineup = lineup_of(text, file, user_folder)
    _replace(file, text)
    return lineup


def read_value(text: str) -> Any:
    """A value as TOML spells it; what it does not know is a text, and nothing at all takes the value back."""
    try:
        return tomllib.loads(f"value = {text}")["value"] if text else None
    except tomllib.TOMLDecodeError:
        return text


def _table(document: Any, name: str) -> Any:
    if name not in document:
        document[name] = tomlkit.table()
    return document[name]


def _set(section: Any, key: str, value: Any) -> None:
    """`account.cash` is the account's, the section's own words its own, all else a knob of the strategy."""
    place = section
    if key.startswith(_ACCOUNT):
        place, key = _inline(section, "account"), key.removeprefix(_ACCOUNT)
    elif key not in _OWN:
        place = _inline(section, "parameters")
    if value is None:
        place.pop(key, None)
    else:
        place[key] = value


def _inline(section: Any, name: str) -> Any:
    if name not in section:
        section[name] = tomlkit.inline_table()
    return section[name]


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}-{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
