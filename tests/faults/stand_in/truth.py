"""What the stand-in would say if nothing went wrong: the sample market in Upbit's shapes.

What lives here: rows as Upbit documents them. What to add: the rows of a further endpoint. What stays out: how
they are sent (`server`) and what spoils them (`faults`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache

import polars as pl

from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market, Timeframe
from coinhts_core.rules import rules_on
from tests.faults.stand_in.longer import longer_bars

SAMPLE = SampleExchange()
_LISTED = {listing.symbol: listing for listing in SAMPLE.markets()}
KST = timedelta(hours=9)
MOST_ROWS = 200
_SECONDS = len("2026-01-01T00:00:00")
_DAY = timedelta(days=1)
_PORTIONS = {Timeframe.D1: 49, Timeframe.W1: 420}


@dataclass
class Truth:
    """The market as it is seen at a moment, with the markets that have left it, and stretches nobody traded in."""

    now: datetime
    delisted: dict[str, date] = field(default_factory=dict)
    quiet: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def markets(self) -> list[dict]:
        return [
            {
                "market": listing.symbol,
                "korean_name": listing.korean_name,
                "english_name": listing.english_name,
                "market_event": {
                    "warning": listing.is_warned,
                    "caution": {"PRICE_FLUCTUATIONS": listing.symbol == "KRW-PEPE", "SMALL_ACCOUNTS": False},
                },
            }
            for listing in _LISTED.values()
            if self.is_listed(listing.symbol)
        ]

    def is_listed(self, symbol: str) -> bool:
        last = self.last_day(symbol)
        return self.is_known(symbol) and (last is None or self.now.date() <= last)

    def is_known(self, symbol: str) -> bool:
        return symbol in _LISTED and SAMPLE.first_day(Market(symbol)) <= self.now.date()

    def last_day(self, symbol: str) -> date | None:
        if symbol in self.delisted:
            return self.delisted[symbol]
        return SAMPLE.last_day(Market(symbol)) if self.is_known(symbol) else None

    def candles(self, symbol: str, timeframe: Timeframe, to: datetime, count: int, *, inclusive: bool = False) -> list:
        """The bars before a moment, newest first; one that is not over yet is among them."""
        limit = to + timedelta(microseconds=1) if inclusive else to
        bars, found = [], 0
        for portion in self._portions(Market(symbol), timeframe, limit):
            bars.insert(0, portion.filter(pl.col("opened_at") < limit))
            found += bars[0].height
            if found >= min(count, MOST_ROWS):
                break
        if not bars:
            return []
        rows = pl.concat(bars)[-min(count, MOST_ROWS) :].reverse().iter_rows(named=True)
        return [self._row(symbol, timeframe, row) for row in rows]

    def tickers(self, symbols: list[str]) -> list[dict]:
        rows = []
        for symbol in symbols:
            today, before = self.candles(symbol, Timeframe.D1, self.now + _DAY, 2)
            price, close = today["trade_price"], before["trade_price"]
            rows.append(
                {
                    "market": symbol,
                    "trade_price": price,
                    "change": "RISE" if price > close else "FALL" if price < close else "EVEN",
                    "change_price": abs(price - close),
                    "change_rate": abs(price / close - 1.0),
                    "signed_change_price": price - close,
                    "signed_change_rate": price / close - 1.0,
                    "acc_trade_price_24h": today["candle_acc_trade_price"],
                    "trade_timestamp": today["timestamp"],
                }
            )
        return rows

    def instruments(self, symbols: list[str]) -> list[dict]:
        return [
            {
                "market": symbol,
                "quote_currency": "KRW",
                "tick_size": str(rules_on(self.now.date()).tick_at(Decimal(repr(row["trade_price"])))),
            }
            for symbol in symbols
            for row in self.candles(symbol, Timeframe.M1, self.now, 1)
        ]

    def _portions(self, symbol: Market, timeframe: Timeframe, to: datetime) -> Iterator[pl.DataFrame]:
        """Portions of days, later ones first; each begins on a Monday, so that no week is cut."""
        last = min(to, self.now, *self._end_of(symbol)).date()
        first = SAMPLE.first_day(symbol)
        is_minutes = timeframe.minutes < Timeframe.D1.minutes
        while last >= first:
            since = last if is_minutes else last - timedelta(days=_PORTIONS[timeframe] + last.weekday())
            bars = self._minutes(symbol, last) if is_minutes else self._days(symbol, since, last)
            yield bars if timeframe in {Timeframe.M1, Timeframe.D1} else longer_bars(bars, timeframe)
            last = since - _DAY

    def _end_of(self, symbol: Market) -> list[datetime]:
        last = self.last_day(symbol)
        return [datetime(last.year, last.month, last.day, tzinfo=UTC)] if last else []

    def _minutes(self, symbol: Market, day: date) -> pl.DataFrame:
        bars = _sample_minutes(symbol, day)
        for of, since, until in self.quiet:
            bars = bars.filter((pl.col("opened_at") < since) | (pl.col("opened_at") >= until)) if of == symbol else bars
        return bars.filter(pl.col("opened_at") <= self.now) if day == self.now.date() else bars

    def _days(self, symbol: Market, first: date, last: date) -> pl.DataFrame:
        days = (first + place * _DAY for place in range((last - first).days + 1))
        is_as_made = symbol not in {of for of, *_ in self.quiet}
        today = self.now.date()
        bars = (
            _sample_day(symbol, day)
            if is_as_made and day < today
            else longer_bars(self._minutes(symbol, day), Timeframe.D1)
            for day in days
        )
        return pl.concat(bars)

    def _row(self, symbol: str, timeframe: Timeframe, bar: dict) -> dict:
        opened_at = bar["opened_at"]
        last_tick = min(opened_at + timedelta(minutes=timeframe.minutes) - timedelta(milliseconds=1), self.now)
        row = {
            "market": symbol,
            "candle_date_time_utc": opened_at.isoformat()[:_SECONDS],
            "candle_date_time_kst": (opened_at + KST).isoformat()[:_SECONDS],
            "opening_price": bar["open"],
            "high_price": bar["high"],
            "low_price": bar["low"],
            "trade_price": bar["close"],
            "timestamp": int(last_tick.timestamp() * 1_000),
            "candle_acc_trade_price": bar["turnover_krw"],
            "candle_acc_trade_volume": bar["volume"],
        }
        if timeframe is Timeframe.W1:
            return row | {"first_day_of_period": opened_at.date().isoformat()}
        return row if timeframe is Timeframe.D1 else row | {"unit": timeframe.minutes}


@lru_cache(maxsize=256)
def _sample_minutes(symbol: Market, day: date) -> pl.DataFrame:
    return SAMPLE.minutes(symbol, day)


@cache
def _sample_day(symbol: Market, day: date) -> pl.DataFrame:
    return longer_bars(SAMPLE.minutes(symbol, day), Timeframe.D1)
