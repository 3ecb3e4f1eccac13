"""Decided: what the enabled strategies want done, as it is stored.

What lives here: the decisions of a day, each with its strategy and coin. What to add: nothing a strategy could say for
itself. What stays out: deciding (`rehearsal`), and telling people (`alerts`, the commands).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import polars as pl

from coinhts_core.errors import NotStoredError
from coinhts_core.lake.lake import Lake
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market

_COLUMNS = ("decided_at", "side", "price_krw", "confidence")


@dataclass(frozen=True)
class Decided:
    """One decision that is not to do nothing."""

    strategy: str
    symbol: Market
    decided_at: datetime
    side: Literal["enter", "leave"]
    price_krw: float
    confidence: float | None


def decided_on(lake: Lake, entry: Entry, symbols: Iterable[Market], day: date) -> list[Decided]:
    """A strategy's decisions of one day; none for coins whose day is not stored."""
    return [of for symbol in symbols for of in _of_symbol(lake, entry.name, symbol, day)]


def _of_symbol(lake: Lake, strategy: str, symbol: Market, day: date) -> list[Decided]:
    try:
        rows = lake.read(f"signals/{strategy}", symbol, day, day, _COLUMNS)
    except NotStoredError:
        return []
    made = rows.filter(pl.col("side") != 0).select(_COLUMNS).sort("decided_at")
    return [
        Decided(strategy, symbol, decided_at, "enter" if side > 0 else "leave", price_krw, confidence)
        for decided_at, side, price_krw, confidence in made.iter_rows()
    ]
