"""Named SQL: a file `queries/<noun>.sql` becomes a mapping from name to statement.

What lives here: the reading. What to add: nothing; a statement is added to its noun's file, as

    -- name: find_active_symbols
    -- What it finds, in one sentence.
    SELECT …;

What stays out: running statements (the room that needs them).
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import LiteralString

FOLDER = Path(__file__).with_name("queries")
_STATEMENT = re.compile(r"^-- name: (\w+)\n(?:--[^\n]*\n)+(.*?)(?=^-- name:|\Z)", re.MULTILINE | re.DOTALL)


@cache
def load_queries(noun: str) -> Mapping[str, LiteralString]:
    """Read once; every statement is known by its name."""
    text = (FOLDER / f"{noun}.sql").read_text(encoding="utf-8")
    return MappingProxyType({name: statement.strip() for name, statement in _STATEMENT.findall(text)})
