"""Upbit, by its public endpoints: no key is needed, and none is sent.

What lives here: the venue's class. What to add: a module beside it for each further kind of answer. What stays
out: orders, which need keys and a record of their own.

A market that left the list may keep its candles, from which its last day is then read, or may not.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Self

import polars as pl

from coinhts_core.errors import UnknownMarketError
from coinhts_core.exchanges import Exchange, MarketListing
from coinhts_core.exchanges.upbit.calls import VENUE, Calls, Pace
from coinhts_core.exchanges.upbit.candles import fetch_candles, most_calls, newest_day, oldest_day
from coinhts_core.exchanges.upbit.listings import Ticker, fetch_markets, fetch_tickers, fetch_ticks
from coinhts_core.exchanges.upbit.meeting_place import meeting_place
from coinhts_core.markets import Market, Timeframe
from coinhts_core.settings import Settings
from coinhts_core.wording import nearest

_LISTINGS_STAY_S = 60.0
_DAY = timedelta(days=1)


class UpbitExchange(Exchange):
    """Upbit; what limits its calls lies in a folder that all processes of the user share, whatever their homes."""

    def __init__(self, base_url: str, folder: Path, pace: Pace | None = None) -> None:
        pace = pace or Pace()
        self.calls_per_second = pace.per_second
        self._calls = Calls(base_url, folder, pace)
        self._listings: list[MarketListing] = []
        self._listed_at = -_LISTINGS_STAY_S

    @classmethod
    def open(cls, settings: Settings) -> Self:
        return cls(settings.upbit.base_url, meeting_place(settings.upbit.base_url))

    def close(self) -> None:
        self._calls.close()

    def calls_for(self, first_day: date, days: Iterable[date]) -> int:
        return sum(most_calls(first_day, day) for day in days)

    def blocked_until(self) -> datetime | None:
        return self._calls.blocked_until()

    def clock(self) -> datetime | None:
        return self._calls.clock("ticker", "/v1/ticker", {"markets": "KRW-BTC"})

    def markets(self) -> list[MarketListing]:
        if not self._listings or time.monotonic() > self._listed_at + _LISTINGS_STAY_S:
            self._listings = fetch_markets(self._calls)
            self._listed_at = time.monotonic()
        return list(self._listings)

    def first_day(self, symbol: Market) -> date:
        return oldest_day(self._calls, symbol)

    def last_day(self, symbol: Market) -> date | None:
        listed = [listing.symbol for listing in self.markets()]
        if symbol in listed:
            return None
        if newest := newest_day(self._calls, symbol):
            return newest
        raise UnknownMarketError(symbol=symbol, venue=VENUE, hint=nearest(symbol, listed))

    def minutes(self, symbol: Market, day: date) -> pl.DataFrame:
        return self.candles(symbol, Timeframe.M1, _midnight(day), _midnight(day + _DAY))

    def days(self, symbol: Market, first: date, last: date) -> pl.DataFrame:
        return self.candles(symbol, Timeframe.D1, _midnight(first), _midnight(last + _DAY))

    def candles(self, symbol: Market, timeframe: Timeframe, opened_from: datetime, closed_by: datetime) -> pl.DataFrame:
        """Bars of any length, oldest first; up to the moment of asking, no unfinished one is among them."""
        return fetch_candles(self._calls, symbol, timeframe, opened_from, closed_by)

    def tickers(self, symbols: Sequence[Market]) -> dict[Market, Ticker]:
        return fetch_tickers(self._calls, symbols)

    def ticks(self, symbols: Sequence[Market]) -> dict[Market, Decimal]:
        return fetch_ticks(self._calls, symbols)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
