"""Upbit's candles: pages of at most 200 bars, newest first, put together into one frame that lacks none.

What lives here: paging back in time, and judging that pages fit together. What stays out: whether a bar is
believable (`candles.frame`).

A bar exists only where something was traded, so the bars of a page say where the next one begins, and arithmetic
does not. A missing bar cannot be told from a quiet minute, hence a page is believed only when it is full, or when it
holds the same moments asked again (the unfinished bar may have moved) and nothing lies before it. Each page is asked
for from the last but one bar of the page before, and has to begin with its last: one wrong moment hides no others.

What is said of a moment may be wrong without making the rest of the answer so. An amount that is empty or missing
becomes null, one that is no number NaN, and a moment that is told in two ways stays twice; who sifts the bars finds
them, and them alone. A row of another market, or without a moment that can be read, is no candle, and as nobody knows
which candle is missing in its place, the whole answer is refused; so is a body that is not JSON as the standard has
it, such as one with NaN for a number (`strict_json`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from coinhts_core.candles.frame import CANDLES
from coinhts_core.errors import CoinhtsError, UnknownMarketError
from coinhts_core.exchanges.upbit.calls import VENUE, Calls, unavailable
from coinhts_core.exchanges.upbit.listings import fetch_markets
from coinhts_core.markets import Market, Timeframe
from coinhts_core.wording import clipped, nearest

Row = tuple[datetime, tuple[float | None, ...]]

_FULL = 200
_YEARS = range(2000, 2200)
_PLACES = {Timeframe.D1: "days", Timeframe.W1: "weeks"}
_NUMBERS = (int, Decimal)
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
    """Different rows, and their moments, oldest first."""

    rows: list[Row]
    moments: list[datetime]
    is_full: bool

    @property
    def oldest(self) -> datetime:
        return self.moments[0]

    @property
    def newest(self) -> datetime | None:
        return self.moments[-1] if self.moments else None


def fetch_candles(
    calls: Calls, symbol: Market, timeframe: Timeframe, opened_from: datetime, closed_by: datetime
) -> pl.DataFrame:
    """Bars that opened at or after the one moment and had closed by the other, oldest first, not judged yet."""
    told: dict[Row, None] = {}
    if opened_from + timeframe.length <= closed_by:
        for page in _pages(calls, symbol, timeframe, closed_by):
            told |= dict.fromkeys(page.rows)
            if all(moment < opened_from for moment in page.moments[:2]):
                break
    wanted = sorted(
        (row for row in told if opened_from <= row[0] <= closed_by - timeframe.length), key=lambda row: row[0]
    )
    columns = zip(*(amounts for _, amounts in wanted), strict=True) if wanted else [()] * len(_FIELDS)
    moments = [moment for moment, _ in wanted]
    return pl.DataFrame(dict(zip(CANDLES.names, [moments, *columns], strict=True)), schema=CANDLES.empty().schema)


def oldest_day(calls: Calls, symbol: Market) -> date:
    """The day of the first daily bar: a few pages of weeks, and the days of the first week."""
    weeks = [page.oldest for page in _pages(calls, symbol, Timeframe.W1, None)]
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
    return newest.moments[-1].date() if newest else None


def most_calls(first_day: date, day: date) -> int:
    """Calls for a day without a quiet minute. A young coin's last page may not be full, and is then confirmed."""
    pages = -(-1_440 // (_FULL - 1))
    return pages + 2 if day < first_day + timedelta(weeks=1) else pages


def _pages(calls: Calls, symbol: Market, timeframe: Timeframe, before: datetime | None) -> Iterator[_Page]:
    """Pages back in time, each overlapping the one before by a bar and none of them lacking any, until nothing is left.

    The last one is the only one that may be not full.
    """
    page = _page(calls, symbol, timeframe, before)
    while page.is_full:
        yield page
        edge, before = page.moments[:2]
        page = _page(calls, symbol, timeframe, before)
        if page.newest != edge:
            reason = f"candles of {symbol} before {before} that begin at {page.newest}, where one at {edge} was told"
            raise unavailable(reason=reason)
    again = _page(calls, symbol, timeframe, before)
    if again.moments != page.moments or (page.rows and _page(calls, symbol, timeframe, page.oldest).rows):
        reason = f"{len(page.moments)} candles of {symbol} up to {before or 'now'}, where there are more"
        raise unavailable(reason=reason)
    if page.rows:
        yield page


def _page(calls: Calls, symbol: Market, timeframe: Timeframe, before: datetime | None) -> _Page:
    """Bars that opened before a moment. An answer that counts the moment in is as full, and no fuller.

    Of two bars at a moment the venue counts both, but where hardly a moment is told once, nothing is full.
    """
    place = _PLACES.get(timeframe, f"minutes/{timeframe.minutes}")
    query: dict[str, object] = {"market": symbol, "count": _FULL}
    if before:
        query["to"] = before.strftime("%Y-%m-%dT%H:%M:%S")
    answer = calls.get("candle", f"/v1/candles/{place}", query)
    if answer is None:
        raise _unknown(calls, symbol)
    rows = list(dict.fromkeys(_row(row, symbol) for row in answer))
    is_full = len(rows) >= _FULL
    if before:
        rows = [row for row in rows if row[0] != before]
    moments = sorted({moment for moment, _ in rows})
    if before and moments and moments[-1] > before:
        raise unavailable(reason=f"a candle of {symbol} at {moments[-1]} among those before {before}")
    return _Page(rows, moments, is_full and len(moments) > _FULL // 2)


def _unknown(calls: Calls, symbol: Market) -> CoinhtsError:
    listed = [listing.symbol for listing in fetch_markets(calls)]
    if symbol in listed:
        return unavailable(reason=f"no candles of {symbol}, which it lists")
    return UnknownMarketError(symbol=symbol, venue=VENUE, hint=nearest(symbol, listed))


def _row(row: Any, symbol: Market) -> Row:
    try:
        if row["market"] != symbol:
            raise unavailable(reason=f"a candle of {clipped(row['market'], 40)} among those of {symbol}")
        opened_at = _moment(row["candle_date_time_utc"])
    except (KeyError, TypeError, ValueError) as error:
        reason = f"a row that is no candle of {symbol} ({type(error).__name__}: {error}): {row}"
        raise unavailable(reason=clipped(reason)) from error
    if opened_at.year not in _YEARS:
        raise unavailable(reason=f"a candle of {symbol} at {opened_at}")
    return opened_at, tuple(_amount(row.get(name)) for name in _FIELDS)


def _moment(told: str) -> datetime:
    """As Upbit spells moments, and no other way; strptime would take longer than all the rest of a row."""
    moment = datetime.fromisoformat(told)
    if moment.isoformat() != told or moment.tzinfo:
        msg = f"{told!r} is not spelled as a moment is"
        raise ValueError(msg)
    return moment.replace(tzinfo=UTC)


def _amount(value: Any) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, _NUMBERS) and not isinstance(value, bool)
    return float(value) if is_number else math.nan  # always this one NaN, so that a row equals itself
