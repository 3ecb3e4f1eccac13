"""Quarantine: the bars that were not believed, as they came, until their day is answered better.

What lives here: keeping bad bars in the ledger, and finding them. What stays out: which bars are bad (`frame`).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from psycopg import Cursor
from psycopg.types.json import Jsonb

from coinhts_core.candles.frame import BadBar
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Market, Timeframe

BadBars = Mapping[date, Sequence[BadBar]]


def quarantine(
    cursor: Cursor[Any],
    symbol: Market,
    timeframe: Timeframe,
    days: Collection[date],
    bad: BadBars,
    *,
    asked_at: datetime,
) -> None:
    """Put the bad bars of the days that were answered in the place of those kept for these days before."""
    same = {"symbol": str(symbol), "timeframe": timeframe.value, "asked_at": asked_at}
    rows = [
        {**same, "day": day, "number": number, "opened_at": of.opened_at, "rule": of.rule, "bar": Jsonb(of.bar)}
        for day, bars in bad.items()
        for number, of in enumerate(bars, start=1)
    ]
    queries = load_queries("quarantine")
    cursor.execute(queries["release_bad_bars"], {**same, "days": list(days)})
    cursor.executemany(queries["quarantine_bar"], rows)


def find_bad_bars(ledger: Ledger, symbol: str, timeframe: Timeframe, first: date, last: date) -> BadBars:
    """The bad bars of some days, in order."""
    wanted = {"symbol": symbol, "timeframe": timeframe.value, "first": first, "last": last}
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("quarantine")["find_bad_bars"], wanted).fetchall()
    found: dict[date, list[BadBar]] = {}
    for day, rule, opened_at, bar in rows:
        found.setdefault(day, []).append(BadBar(rule, opened_at and opened_at.astimezone(UTC), bar))
    return found
