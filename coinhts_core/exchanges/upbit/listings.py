"""What Upbit lists: markets with their warnings, what they last traded at, and their ticks.

What lives here: reading the answers that are not candles. What stays out: how they are asked for (`calls`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from coinhts_core.errors import BadMarketError, RefusedError
from coinhts_core.exchanges import MarketListing
from coinhts_core.exchanges.upbit.calls import VENUE, Calls, Group, unavailable
from coinhts_core.markets import Market
from coinhts_core.wording import clipped

T = TypeVar("T")


@dataclass(frozen=True)
class Ticker:
    """The last trade of a market, and what changed since the last close: a fall is negative."""

    price_krw: Decimal
    change_krw: Decimal
    change_rate: Decimal
    turnover_24h_krw: Decimal
    traded_at: datetime


def fetch_markets(calls: Calls) -> list[MarketListing]:
    """Everything that is listed, by symbol."""
    listings = _rows(calls, "market", "/v1/market/all", {"is_details": "true"}, _listing)
    if not listings or len({listing.symbol for listing in listings}) != len(listings):
        raise unavailable(reason="a list without a single market, or with one of them twice")
    return sorted(listings, key=lambda listing: listing.symbol)


def fetch_tickers(calls: Calls, symbols: Sequence[Market]) -> dict[Market, Ticker]:
    return _by_market(calls, "ticker", "/v1/ticker", symbols, _ticker)


def fetch_ticks(calls: Calls, symbols: Sequence[Market]) -> dict[Market, Decimal]:
    """The step of each market's prices at its price of now."""
    return _by_market(calls, "orderbook", "/v1/orderbook/instruments", symbols, _tick)


def _by_market(
    calls: Calls, group: Group, path: str, symbols: Sequence[Market], read: Callable[[Any], tuple[Market, T]]
) -> dict[Market, T]:
    rows = _rows(calls, group, path, {"markets": ",".join(symbols)}, read) if symbols else []
    if sorted(answered := [symbol for symbol, _ in rows]) != sorted(symbols):
        reason = f"an answer about {', '.join(answered)} to a question about {', '.join(symbols)}"
        raise unavailable(reason=reason)
    return dict(rows)


def _rows(calls: Calls, group: Group, path: str, query: Mapping[str, object], read: Callable[[Any], T]) -> list[T]:
    rows = calls.get(group, path, query)
    if rows is None:
        raise RefusedError(reason=f"{VENUE} knows no such market: {clipped(query)}")
    return [_read(row, read) for row in rows]


def _listing(row: Any) -> MarketListing:
    event = row.get("market_event") or {}
    cautions = event.get("caution") or {}
    return MarketListing(
        Market(_text(row["market"])),
        _text(row["korean_name"]),
        _text(row["english_name"]),
        is_warned=_truth(event.get("warning", False)),
        cautions=tuple(sorted(name for name, is_given in cautions.items() if _truth(is_given))),
    )


def _ticker(row: Any) -> tuple[Market, Ticker]:
    return Market(_text(row["market"])), Ticker(
        _positive(row["trade_price"]),
        _number(row["signed_change_price"]),
        _number(row["signed_change_rate"]),
        _number(row["acc_trade_price_24h"]),
        datetime.fromtimestamp(float(_number(row["trade_timestamp"])) / 1_000, UTC),
    )


def _tick(row: Any) -> tuple[Market, Decimal]:
    """Upbit writes a tick as a text or as a number."""
    size = row["tick_size"]
    return Market(_text(row["market"])), _positive(Decimal(size) if isinstance(size, str) else size)


def _read(row: Any, read: Callable[[Any], T]) -> T:
    try:
        return read(row)
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError, OSError, BadMarketError) as error:
        reason = f"a row that cannot be read ({type(error).__name__}: {error}): {row}"
        raise unavailable(reason=clipped(reason)) from error


def _text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    msg = f"{value!r} is not a text"
    raise TypeError(msg)


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    msg = f"{value!r} is neither true nor false"
    raise TypeError(msg)


def _number(value: Any) -> Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    msg = f"{value!r} is not a number"
    raise TypeError(msg)


def _positive(value: Any) -> Decimal:
    number = _number(value)
    if number.is_finite() and number > 0:
        return number
    msg = f"{value} is not above zero"
    raise ValueError(msg)
