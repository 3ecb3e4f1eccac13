"""What the stored minutes say of a position: its coin's last close, and its worst and best moment.

What lives here: `Prices`, over a lake. What stays out: what a position earned (`holding`). Where the lake has no
answer, or cannot be read, there is a reason instead of a price; what people wrote themselves is told all the same.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from coinhts_core.backtests.undefined import Undefined
from coinhts_core.candles.frame import MINUTES
from coinhts_core.days import DayRange
from coinhts_core.errors import CoinhtsError
from coinhts_core.holdings.holding import Holding
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market, Timeframe

_MINUTE = Timeframe.M1.length
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Mark:
    """The last stored close of a coin, and when its minute ended."""

    price_krw: Decimal
    at: datetime


@dataclass(frozen=True)
class Course:
    """The worst and the best moment while it was held, as fractions of the entry's price, and until when was looked."""

    mae: float
    mfe: float
    until: datetime


class Prices:
    """A lake, asked once for each coin's last close."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._marks: dict[str, Mark | Undefined] = {}

    def mark(self, symbol: str) -> Mark | Undefined:
        if symbol not in self._marks:
            self._marks[symbol] = self._last_close(Market(symbol))
        return self._marks[symbol]

    def course(self, holding: Holding) -> Course | Undefined:
        """From the whole minutes between entry and exit, or to the last that is stored while it is open."""
        try:
            return self._measured(holding, Market(holding.symbol))
        except CoinhtsError as error:
            return Undefined(f"the stored minutes cannot be read: {error}")

    def _last_close(self, symbol: Market) -> Mark | Undefined:
        try:
            days = [day for day, entry in self._lake.heads(MINUTES, symbol).items() if entry.rows]
            if not days:
                return Undefined(f"no minutes of {symbol} are stored")
            rows = self._lake.read(MINUTES, symbol, days[-1], days[-1], ["opened_at", "close"])
        except CoinhtsError as error:
            return Undefined(f"the stored minutes cannot be read: {error}")
        opened_at, close = rows.sort("opened_at").select("opened_at", "close").row(-1)
        return Mark(Decimal(str(close)), opened_at.astimezone(UTC) + _MINUTE)

    def _measured(self, holding: Holding, symbol: Market) -> Course | Undefined:
        stored = self._lake.heads(MINUTES, symbol)
        first = holding.opened_at.date()
        last = (holding.closed_at - _INSTANT).date() if holding.closed_at else max(stored, default=date.min)
        if last < first and holding.closed_at is None:
            return Undefined(f"no minutes of {symbol} are stored since its entry")
        absent = [day for day in DayRange(first, last) if day not in stored]
        if absent:
            return Undefined(f"the minutes of {symbol} on {absent[0]} are not stored ({len(absent)} such days)")
        rows = self._lake.read(MINUTES, symbol, first, last, ["opened_at", "high", "low"]) if last >= first else None
        return _course(holding, rows)


def _course(holding: Holding, rows: pl.DataFrame | None) -> Course | Undefined:
    """What was paid and got counts, too: a minute that is not whole is left out, and may have held them."""
    known = [holding.entry_price_krw, *([holding.exit_price_krw] if holding.exit_price_krw else [])]
    until = holding.closed_at
    if rows is not None:
        closes_at = pl.col("opened_at") + _MINUTE
        is_held = (pl.col("opened_at") >= holding.opened_at) & (
            closes_at <= (until or datetime.max.replace(tzinfo=UTC))
        )
        held = rows.filter(is_held)
        if not held.is_empty():
            worst, best, newest = held.select(pl.min("low"), pl.max("high"), pl.max("opened_at")).row(0)
            known += [Decimal(str(worst)), Decimal(str(best))]
            until = until or newest.astimezone(UTC) + _MINUTE
    if until is None:
        return Undefined("no whole minute since its entry is stored")
    entry = holding.entry_price_krw
    return Course(float((min(known) - entry) / entry), float((max(known) - entry) / entry), until)
