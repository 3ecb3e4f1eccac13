"""The universe: which symbols coinhts follows, and from which day.

What lives here: registering symbols and their anchors in the ledger. What stays out: their candles
(`collection`).

A symbol's anchor is the later of COINHTS_START_DATE and the day of its first daily bar. Symbols are never
deleted: one that is no longer asked for turns inactive, and back again it catches up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from coinhts_core.errors import UnknownMarketError, nearest
from coinhts_core.exchanges import Exchange
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Market
from coinhts_core.settings import ALL_KRW


@dataclass(frozen=True)
class Registered:
    """A symbol of the universe; before its anchor and after its delisting there is nothing to ask for."""

    symbol: Market
    first_day: date
    anchor: date
    delisted_on: date | None
    is_active: bool

    def is_listed_on(self, day: date) -> bool:
        return self.anchor <= day and (self.delisted_on is None or day <= self.delisted_on)


def universe(exchange: Exchange, symbols: Sequence[str]) -> list[Market]:
    """The symbols the settings ask for, each of them known to the venue."""
    listed = [listing.symbol for listing in exchange.markets()]
    if symbols == ALL_KRW:
        return [symbol for symbol in listed if symbol.startswith("KRW-")]
    for symbol in symbols:
        if symbol not in listed:
            raise UnknownMarketError(symbol=symbol, venue=exchange.name, hint=nearest(symbol, listed))
    return [Market(symbol) for symbol in symbols]


def register(ledger: Ledger, exchange: Exchange, symbols: Iterable[Market], start: date) -> list[Registered]:
    """The universe as the settings want it now; everything registered before stays readable."""
    wanted = list(symbols)
    queries = load_queries("symbols")
    first_days = {registered.symbol: registered.first_day for registered in registered_symbols(ledger)}
    rows = [
        {
            "symbol": str(symbol),
            "first_day": (first_day := first_days.get(symbol) or exchange.first_day(symbol)),
            "anchor": max(start, first_day),
            "delisted_on": exchange.last_day(symbol),
        }
        for symbol in wanted
    ]
    with ledger.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(queries["deactivate_others"], {"symbols": [str(symbol) for symbol in wanted]})
        cursor.executemany(queries["register_symbol"], rows)
    return registered_symbols(ledger)


def registered_symbols(ledger: Ledger) -> list[Registered]:
    """Every symbol ever registered, in the order of registration."""
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("symbols")["list_symbols"]).fetchall()
    return [Registered(Market(symbol), *row) for symbol, *row in rows]
