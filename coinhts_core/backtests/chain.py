"""The chain: each day's identity stands on the day before, back to the anchor.

What lives here: the links, the schema of a stored day, and what a day becomes that cannot be folded yet. What
stays out: reading and writing (`rehearsal`), the fold (`fold`). The formulas are final: changing one makes
every stored day another.

    link(anchor - 1) = H("chain 1", strategy, symbol, anchor)
    link(D)          = H(link(D - 1), candles of D, signals of D, parameters, account, rules of D, code)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from coinhts_core.backtests.fold import DayFold
from coinhts_core.frames import Column, Schema
from coinhts_core.hashes import Fact, canonical, digest

WAITING = "waiting"  # a listed day whose chain still lacks a day of candles
NOT_LISTED = "not listed"  # a day before the anchor or after the delisting: no link at all

_DECISIONS = ("signals.decided_at", "signals.side")
_FILLED = (*_DECISIONS, "candles.opened_at", "candles.open", "candles.high", "candles.low", "candles.close")
BACKTESTS = Schema(
    "backtests",
    2,
    (
        Column("opened_at", "time", meaning="the day, 00:00 UTC", made_of=("candles.opened_at",)),
        Column("equity_open_krw", "float", meaning="worth when the day begins", made_of=_FILLED),
        Column("equity_close_krw", "float", meaning="worth when it ends", made_of=_FILLED),
        Column(
            "equity_worst_krw",
            "float",
            meaning="lowest worth on the way, at the lows of held coins",
            made_of=_FILLED,
        ),
        Column(
            "equity_optimistic_krw",
            "float",
            meaning="worth when it ends, had every bar in doubt gone well",
            made_of=_FILLED,
        ),
        Column("ambiguous", "int", meaning="bars in doubt since the first day", made_of=_FILLED),
        Column("last_price_krw", "float", meaning="the last close known", made_of=("candles.close",)),
        Column(
            "pending",
            "int",
            meaning="an order for the next bar: 1 buy, -1 sell, -2 sell since its time is up, 0 none",
            made_of=_DECISIONS,
        ),
        Column("fills", "text", meaning="the day's fills, as JSON", made_of=_FILLED),
        Column("held", "text", meaning="positions held at any time of the day, as JSON", made_of=_FILLED),
        Column("state", "text", meaning="all that the next day goes on from, as JSON", made_of=_FILLED),
    ),
)


@dataclass(frozen=True)
class Terms:
    """What is the same for every day of a chain."""

    parameters: Mapping[str, Fact]
    account: Mapping[str, Fact]
    code: str


def first_link(strategy: str, symbol: str, anchor: date) -> str:
    return digest("chain 1", strategy, symbol, anchor.isoformat())


def next_link(before: str, candles: str, signals: str, terms: Terms, rules: Mapping[str, Fact]) -> str:
    return digest(before, candles, signals, dict(terms.parameters), dict(terms.account), dict(rules), terms.code)


def positions_version(link: str) -> str:
    """Positions are read off a folded day, so their version follows from its link."""
    return link if link in {WAITING, NOT_LISTED} else digest(link)


def stored_days(folds: Mapping[date, DayFold]) -> pl.DataFrame:
    """A row a day."""
    return pl.DataFrame([_row(day, fold) for day, fold in folds.items()]) if folds else BACKTESTS.empty()


def _row(day: date, fold: DayFold) -> dict[str, Any]:
    return {
        "opened_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "equity_open_krw": fold.equity_open_krw,
        "equity_close_krw": fold.equity_close_krw,
        "equity_worst_krw": fold.equity_worst_krw,
        "equity_optimistic_krw": fold.equity_optimistic_krw,
        "ambiguous": fold.state.ambiguous,
        "last_price_krw": fold.state.last_price_krw,
        "pending": fold.state.pending,
        "fills": canonical([fill._asdict() for fill in fold.fills]),
        "held": canonical([position.facts() for position in fold.held]),
        "state": canonical(fold.state.facts()),
    }
