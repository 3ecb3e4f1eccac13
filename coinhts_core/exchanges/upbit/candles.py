"""Upbit's candles: pages of at most 200 bars, newest first, put together into one frame that lacks none.

What lives here: paging back in time, and judging that pages fit together. What stays out: whether a bar is
believable (`candles.frame`).

A bar exists only where something was traded, so the oldest bar of a page says where the next one begins, and
arithmetic does not. A missing bar cannot be told from a quiet minute, hence a page is believed only when it is
full, or when it holds the same bars asked again (the unfinished one may have moved) and nothing lies before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from coinhts_core.candles.frame import CANDLES
from coinhts_core.errors import CoinhtsError, UnknownMarketError, clipped, nearest
from coinhts_core.exchanges.upbit.calls import VENUE, Calls, unavailable
from coinhts_core.exchanges.upbit.listings import fetch_markets
from coinhts_core.markets import Market, Timeframe

Bars = dict[datetime, tuple[float, ...]]

_FULL = 200
_YEARS = range(2000, 2200)
_PLACES = {Timeframe.D1: "days", Timeframe.W1: "weeks"}
_FIELDS = (
    "opening_price",
    "high_price",
    "low_price",
    "trade_price",
    "candle_acc_trade_volume",
    "candle_acc_trade_price",
)


@dataclass(frozen=True)
class _Page:
    bars: Bars
    is_full: bool


def fetch_candles(
    calls: Calls, symbol: Market, timeframe: Timeframe, opened_from: datetime, closed_by: datetime
) -> pl.DataFrame:
    """Bars that opened at or after the one moment and had closed by the other, oldest first."""
    bars: Bars = {}
    length = timedelta(minutes=timeframe.minutes)
    if opened_from + length <= closed_by:
        for page in _pages(calls, symbol, timeframe, closed_by):
            _merge(bars, page, symbol)
            if min(page) < opened_from:
                break
    wanted = [moment for moment in sorted(bars) if moment >= opened_from and moment + length <= closed_by]
    columns = zip(*(bars[moment] for moment in wanted), strict=True) if wanted else [()] * len(_FIELDS)
    return pl.DataFrame(dict(zip(CANDLES.names, [wanted, *columns], strict=True)), schema=CANDLES.empty().schema)


def oldest_day(calls: Calls, symbol: Market) -> date:
    """The day of the first daily bar: a few pages of weeks, and the days of the first week."""
    weeks = [min(page) for page in _pages(calls, symbol, Timeframe.W1, None)]
    if not weeks:
        raise unavailable(reason=f"{symbol} has no candle")
    days = fetch_candles(calls, symbol, Timeframe.D1, weeks[-1], weeks[-1] + timedelta(weeks=1))
    if days.is_empty():
        raise unavailable(reason=f"the first week of {symbol} has no daily candle")
    first: datetime = days["opened_at"][0]
    return first.date()


def newest_day(calls: Calls, symbol: Market) -> date | None:
    """The day of the last daily bar, if there is any."""
    newest = next(_pages(calls, symbol, Timeframe.D1, None), None)
    return max(newest).date() if newest else None


def most_calls(first_day: date, day: date) -> int:
    """Calls for a day without a quiet minute. A young coin's last page may not be full, and is then confirmed."""
    pages = 1_440 // _FULL + 1
    return pages + 2 if day < first_day + timedelta(weeks=1) else pages


def _pages(calls: Calls, symbol: Market, timeframe: Timeframe, before: datetime | None) -> Iterator[Bars]:
    """Pages back in time, none of them lacking a bar, until nothing lies before."""
    while (page := _page(calls, symbol, timeframe, before)).is_full:
        yield page.bars
        before = min(page.bars)
    again = _page(calls, symbol, timeframe, before)
    if again.bars.keys() != page.bars.keys() or (page.bars and _page(calls, symbol, timeframe, min(page.bars)).bars):
        reason = f"{len(page.bars)} candles of {symbol} up to {before or 'now'}, where there are more"
        raise unavailable(reason=reason)
    if page.bars:
        yield page.bars


def _page(calls: Calls, symbol: Market, timeframe: Timeframe, before: datetime | None) -> _Page:
    """Bars that opened before a moment. An answer that counts the moment in is as full, and no fuller."""
    place = _PLACES.get(timeframe, f"minutes/{timeframe.minutes}")
    query: dict[str, object] = {"market": symbol, "count": _FULL}
    if before:
        query["to"] = before.strftime("%Y-%m-%dT%H:%M:%S")
    rows = calls.get("candle", f"/v1/candles/{place}", query)
    if rows is None:
        raise _unknown(calls, symbol)
    bars: Bars = {}
    for row in rows:
        _merge(bars, _bar(row, symbol), symbol)
    is_full = len(bars) >= _FULL
    if before:
        bars.pop(before, None)
        if bars and max(bars) > before:
            raise unavailable(reason=f"a candle of {symbol} at {max(bars)} among those before {before}")
    return _Page(bars, is_full)


def _unknown(calls: Calls, symbol: Market) -> CoinhtsError:
    listed = [listing.symbol for listing in fetch_markets(calls)]
    if symbol in listed:
        return unavailable(reason=f"no candles of {symbol}, which it lists")
    return UnknownMarketError(symbol=symbol, venue=VENUE, hint=nearest(symbol, listed))


def _merge(bars: Bars, others: Bars, symbol: Market) -> None:
    for moment, bar in others.items():
        if bars.setdefault(moment, bar) != bar:
            raise unavailable(reason=f"two different candles of {symbol} at {moment}")


def _bar(row: Any, symbol: Market) -> Bars:
    try:
        if row["market"] != symbol:
            raise unavailable(reason=f"a candle of {clipped(row['market'], 40)} among those of {symbol}")
        opened_at = datetime.strptime(row["candle_date_time_utc"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        if opened_at.year not in _YEARS:
            raise unavailable(reason=f"a candle of {symbol} at {opened_at}")
        return {opened_at: tuple(_number(row[name]) for name in _FIELDS)}
    except (KeyError, TypeError, ValueError) as error:
        reason = f"a candle of {symbol} that cannot be read ({type(error).__name__}: {error}): {row}"
        raise unavailable(reason=clipped(reason)) from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        msg = f"{value!r} is not a number"
        raise TypeError(msg)
    return float(value)
