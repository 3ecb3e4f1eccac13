"""Upbit, by its public endpoints: no key is needed, and none is sent.

What lives here: the venue's class. What to add: a module beside it for each further kind of answer. What stays
out: orders, which need keys and a record of their own.

A market that leaves the list is taken to keep its candles, from which its last day is read.
"""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Self

import polars as pl

from coinhts_core.exchanges import Exchange, MarketListing
from coinhts_core.exchanges.upbit.calls import Calls, Pace
from coinhts_core.exchanges.upbit.candles import fetch_candles, newest_day, oldest_day
from coinhts_core.exchanges.upbit.listings import Ticker, fetch_markets, fetch_tickers, fetch_ticks
from coinhts_core.markets import Market, Timeframe
from coinhts_core.settings import Settings

_LISTINGS_STAY_S = 60.0
_DAY = timedelta(days=1)


class UpbitExchange(Exchange):
    """Upbit; what limits its calls lies in a folder that all processes of the home share."""

    def __init__(self, base_url: str, folder: Path, pace: Pace | None = None) -> None:
        self._calls = Calls(base_url, folder, pace or Pace())
        self._listings: list[MarketListing] = []
        self._listed_at = -_LISTINGS_STAY_S

    @classmethod
    def open(cls, settings: Settings) -> Self:
        return cls(settings.upbit.base_url, settings.home / "exchanges" / "upbit")

    def close(self) -> None:
        self._calls.close()

    def markets(self) -> list[MarketListing]:
        if not self._listings or time.monotonic() > self._listed_at + _LISTINGS_STAY_S:
            self._listings = fetch_markets(self._calls)
            self._listed_at = time.monotonic()
        return list(self._listings)

    def first_day(self, symbol: Market) -> date:
        return oldest_day(self._calls, symbol)

    def last_day(self, symbol: Market) -> date | None:
        if any(listing.symbol == symbol for listing in self.markets()):
            return None
        return newest_day(self._calls, symbol)

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
