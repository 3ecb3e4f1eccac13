"""Sight: what of a symbol's stored candles a strategy sees, and what each day's window stands on.

What lives here: `Sight`: the unbroken line of days from the anchor, bars of every timeframe the strategy asks for, and
the hashes behind them. What stays out: deciding and folding (`rehearsal`), and what a window is (`signals`).

Bars shorter than a day are made of `candles/minute`. Bars of a day and longer are the exchange's own, of `candles/day`,
which reach back before the anchor; a day that was traded then needs both.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import takewhile

import polars as pl

from coinhts_core.candles.bars import Bars
from coinhts_core.candles.frame import CANDLES, DAYS, MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.resample import resample
from coinhts_core.days import DayRange
from coinhts_core.errors import NotStoredError
from coinhts_core.hashes import digest
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.reader import Stored
from coinhts_core.markets import Timeframe
from coinhts_core.signals import made_from
from coinhts_core.strategies import Strategy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sight:
    """A strategy's view of one symbol up to a day; all is read once, when it is first asked for."""

    def __init__(self, lake: Lake, strategy: Strategy, registered: Registered, last: date) -> None:
        self._lake = lake
        self._strategy = strategy
        self._registered = registered
        self._last = min(last, registered.delisted_on or last)

    @property
    def days(self) -> list[date]:
        """The days in an unbroken line from the anchor; a missing day ends the line."""
        return list(self.versions)

    @cached_property
    def versions(self) -> Mapping[date, str]:
        """Each day's candles as the chain knows them: its minutes, and its day bar where one is looked at."""
        minutes, days = self._minutes.entries, self._days.entries if self._looks_at_days else {}
        line = takewhile(self._is_whole, DayRange(self._registered.anchor, self._last))
        return {
            day: digest(minutes[day].content_hash, days[day].content_hash if day in days else "")
            if self._looks_at_days
            else minutes[day].content_hash
            for day in line
        }

    @cached_property
    def inputs(self) -> Mapping[date, str]:
        """The data version of each day's minutes."""
        return {day: self._minutes.entries[day].data_version for day in self.versions}

    @cached_property
    def bars(self) -> Bars:
        """The bars that are decided upon, with the longer ones beside them."""
        longer = {timeframe: self._bars_of(timeframe) for timeframe in self._strategy.looks_at}
        return replace(self._bars_of(self._strategy.timeframe), longer=longer)

    @cached_property
    def rows(self) -> Mapping[date, slice]:
        """Each day's bars among all."""
        return {day: self.bars.rows_of(day) for day in self.versions}

    @cached_property
    def minutes(self) -> Bars:
        return Bars.from_frame(self._minute_rows, Timeframe.M1.length)

    def made_from(self, day: date, code: str) -> str:
        """What the day's decisions are expected to stand on: every day of its windows, the knobs and the code."""
        strategy, first_row = self._strategy, self.rows[day].start
        begins_at = self.bars.opened_at[first_row] if first_row < len(self.bars) else 0
        seen = {strategy.timeframe: self._first_seen(self.bars, first_row - strategy.warmup)}
        for timeframe, warmup in strategy.looks_at.items():
            longer = self.bars.longer[timeframe]
            seen[timeframe] = self._first_seen(longer, longer.count_closed_by(begins_at) - warmup)
        of_days = [first for timeframe, first in seen.items() if timeframe.is_of_days]
        of_minutes = [first for timeframe, first in seen.items() if not timeframe.is_of_days]
        hashes = [*_between(self._minutes, of_minutes, day), *(_between(self._days, of_days, day) if of_days else [])]
        return made_from(hashes, strategy, code)

    def _first_seen(self, bars: Bars, row: int) -> date:
        """The day in which a window begins; one that wants more bars than there are begins before all days."""
        return (_EPOCH + timedelta(microseconds=int(bars.opened_at[row]))).date() if row >= 0 else date.min

    @property
    def _looks_at_days(self) -> bool:
        return any(timeframe.is_of_days for timeframe in (self._strategy.timeframe, *self._strategy.looks_at))

    def _is_whole(self, day: date) -> bool:
        """A day nobody traded has no day bar."""
        minutes = self._minutes.entries.get(day)
        return minutes is not None and (not self._looks_at_days or not minutes.rows or day in self._days.entries)

    @cached_property
    def _minutes(self) -> Stored:
        return self._stored(MINUTES, self._registered.anchor)

    @cached_property
    def _days(self) -> Stored:
        return self._stored(DAYS, self._registered.first_day)

    def _stored(self, asset: str, first: date) -> Stored:
        try:
            return self._lake.read_with_entries(asset, self._registered.symbol, first, self._last)
        except NotStoredError:
            return Stored(CANDLES.empty().with_columns(day=pl.lit(None, pl.Date)), {})

    @cached_property
    def _minute_rows(self) -> pl.DataFrame:
        rows = self._minutes.rows
        return rows if len(self.days) == len(self._minutes.entries) else rows.filter(pl.col("day").is_in(self.days))

    @cached_property
    def _day_rows(self) -> pl.DataFrame:
        last = max(self.days, default=date.min)
        return self._days.rows.filter(pl.col("day") <= last)

    def _bars_of(self, timeframe: Timeframe) -> Bars:
        if timeframe.is_of_days:
            return Bars.from_frame(resample(self._day_rows, Timeframe.D1, timeframe), timeframe.length)
        return Bars.from_frame(resample(self._minute_rows, Timeframe.M1, timeframe), timeframe.length)


def _between(stored: Stored, firsts: Sequence[date], last: date) -> list[str]:
    """The hashes of the days from the earliest first one on; none when nothing is looked at."""
    days = list(stored.entries)
    wanted = days[bisect_left(days, min(firsts)) : bisect_right(days, last)] if firsts else []
    return [stored.entries[day].content_hash for day in wanted]
