"""The universe: which symbols coinhts follows, and from which day.

What lives here: registering symbols and their anchors in the ledger. What stays out: their candles
(`collection`).

A symbol's anchor is the later of COINHTS_START_DATE and the day of its first daily bar. Symbols are never
deleted: one that is no longer asked for turns inactive, and back again it catches up.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from coinhts_core.errors import ExchangeUnavailableError, UnknownMarketError
from coinhts_core.exchanges import Exchange
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Market
from coinhts_core.settings import ALL_KRW
from coinhts_core.wording import nearest

_log = logging.getLogger("coinhts.candles")


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


def universe(exchange: Exchange, symbols: Sequence[str], known: Sequence[Registered] = ()) -> list[Market]:
    """The symbols the settings ask for. The venue is asked only about those it was never asked about."""
    if symbols == ALL_KRW:
        return _all_krw(exchange, known)
    unknown = set(symbols) - {registered.symbol for registered in known}
    listed = [listing.symbol for listing in exchange.markets()] if unknown else []
    for symbol in symbols:
        if symbol in unknown and symbol not in listed:
            raise UnknownMarketError(symbol=symbol, venue=exchange.name, hint=nearest(symbol, listed))
    return [Market(symbol) for symbol in symbols]


def _all_krw(exchange: Exchange, known: Sequence[Registered]) -> list[Market]:
    """Everything the venue lists in KRW; while it does not answer, what it listed before."""
    try:
        return [listing.symbol for listing in exchange.markets() if listing.symbol.startswith("KRW-")]
    except ExchangeUnavailableError as error:
        if not known:
            raise
        _log.warning("the coins are those listed before", extra={"facts": {"reason": str(error)}})
        return [registered.symbol for registered in known if registered.is_active]


def register(ledger: Ledger, exchange: Exchange, symbols: Iterable[Market], start: date) -> list[Registered]:
    """The universe as the settings want it now; everything registered before stays readable."""
    wanted = list(symbols)
    queries = load_queries("symbols")
    known = {registered.symbol: registered for registered in registered_symbols(ledger)}
    rows = [_row(known.get(symbol) or _first_asked(exchange, symbol), start) for symbol in wanted]
    with ledger.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(queries["deactivate_others"], {"symbols": [str(symbol) for symbol in wanted]})
        cursor.executemany(queries["register_symbol"], rows)
    return registered_symbols(ledger)


def note_delistings(ledger: Ledger, exchange: Exchange, symbols: Iterable[Market]) -> dict[Market, date]:
    """Symbols that left the venue's list: from the day after their last one on, nothing is asked for.

    One that is back on the list is asked for again.
    """
    last_days = {symbol: _last_day(ledger, exchange, symbol) for symbol in symbols}
    rows = [{"symbol": str(symbol), "delisted_on": last} for symbol, last in last_days.items()]
    with ledger.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(load_queries("symbols")["note_delisting"], rows)
    return {symbol: last for symbol, last in last_days.items() if last}


def _last_day(ledger: Ledger, exchange: Exchange, symbol: Market) -> date | None:
    """A venue may have forgotten a symbol with its candles; then its end is the last day it is known by here."""
    try:
        return exchange.last_day(symbol)
    except UnknownMarketError:
        with ledger.transaction() as connection:
            row = connection.execute(load_queries("symbols")["find_last_sign"], {"symbol": str(symbol)}).fetchone()
        return row[0] if row else None


def _first_asked(exchange: Exchange, symbol: Market) -> Registered:
    first_day = exchange.first_day(symbol)
    return Registered(symbol, first_day, first_day, exchange.last_day(symbol), is_active=True)


def _row(of: Registered, start: date) -> dict[str, object]:
    return {
        "symbol": str(of.symbol),
        "first_day": of.first_day,
        "anchor": max(start, of.first_day),
        "delisted_on": of.delisted_on,
    }


def registered_symbols(ledger: Ledger) -> list[Registered]:
    """Every symbol ever registered, in the order of registration."""
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("symbols")["list_symbols"]).fetchall()
    return [Registered(Market(symbol), *row) for symbol, *row in rows]
