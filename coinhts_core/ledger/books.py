"""Books of positions in the ledger: each day of a book written whole, and read in one query.

What lives here: replacing and finding the days of a book. What stays out: what a position is worth
(`positions`). A book belongs to one owner (`backtest:<strategy>`, `paper`, `live`, `manual`); nobody writes
into another's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Cursor

from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.positions import Position


@dataclass(frozen=True)
class BookDay:
    """Positions held at any time of a day, the price they are marked at, the chain they were read off."""

    chain_id: str
    mark_price_krw: float
    held: tuple[Position, ...]


def replace_days(ledger: Ledger, book: str, symbol: str, days: Mapping[date, BookDay]) -> int:
    """The given days of one symbol, all of them or none; the number of positions written."""
    queries = load_queries("positions")
    named = {"book": book, "symbol": symbol, "days": list(days)}
    with ledger.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(queries["lock_book"], named)
        cursor.execute(queries["forget_days"], named)
        _copy(cursor, queries["copy_days"], ((book, symbol, day, of.chain_id) for day, of in days.items()))
        return _copy(
            cursor,
            queries["copy_positions"],
            (row for day, of in days.items() for row in _rows(book, symbol, day, of)),
        )


def find_positions(ledger: Ledger, book: str, symbols: Sequence[str], first: date, last: date) -> list[dict[str, Any]]:
    wanted = {"book": book, "symbols": [str(symbol) for symbol in symbols], "first": first, "last": last}
    with ledger.transaction() as connection:
        cursor = connection.execute(load_queries("positions")["find_positions"], wanted)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def chain_ids(ledger: Ledger, book: str, symbol: str, first: date, last: date) -> dict[date, str]:
    """Which chain each stored day of a book was read off."""
    wanted = {"book": book, "symbol": symbol, "first": first, "last": last}
    with ledger.transaction() as connection:
        return dict(connection.execute(load_queries("positions")["find_position_days"], wanted).fetchall())


def _copy(cursor: Cursor[Any], statement: Any, rows: Iterable[tuple[Any, ...]]) -> int:
    count = 0
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def _rows(book: str, symbol: str, day: date, of: BookDay) -> Iterable[tuple[Any, ...]]:
    """Floats are written in their shortest form, which NUMERIC keeps digit by digit."""
    for position in of.held:
        yield (
            book, symbol, day, position.number,
            position.opened_at, position.entry_price_krw, position.volume_base, position.entry_fee_krw,
            position.closed_at, position.exit_price_krw, position.exit_fee_krw,
            of.mark_price_krw, position.profit_krw(of.mark_price_krw), of.chain_id,
        )  # fmt: skip
