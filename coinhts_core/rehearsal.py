"""A rehearsal: one strategy over one symbol, from its anchor to a day, out of what the lake holds.

What lives here: reading candles and stored decisions, deciding and folding what is not stored as expected.
What stays out: the arithmetic (`signals`, `backtests`), and writing (the caller publishes the days it asked
for).

A stored day is a cache, never a truth: it is used when it was made from exactly what is expected now. So the
outcome is a function of candles, configuration and code alone, whatever was stored before, and in any order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import takewhile

import numpy as np
import polars as pl

from coinhts_core.backtests.chain import BACKTESTS, NOT_LISTED, WAITING, first_link, next_link, stored_day
from coinhts_core.backtests.engine import Day
from coinhts_core.backtests.fold import DayFold, State, fold_day
from coinhts_core.candles.bars import Bars
from coinhts_core.candles.frame import CANDLES
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.resample import resample
from coinhts_core.days import DayRange
from coinhts_core.errors import NotStoredError
from coinhts_core.frames import Schema
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.markets import Timeframe
from coinhts_core.rules import rules_on
from coinhts_core.signals import SIGNALS, decide, decisions_frame, made_from, window_start
from coinhts_core.strategies import Decisions

MINUTES = "candles/minute"


@dataclass(frozen=True)
class Decided:
    """A day's decisions; the entry alone when the lake holds them already."""

    decisions: Decisions
    stored: DayRows | DayEntry

    @property
    def entry(self) -> DayEntry:
        return self.stored.entry if isinstance(self.stored, DayRows) else self.stored


@dataclass(frozen=True)
class Folded:
    """What a day did to the account, and the link that makes it this day."""

    link: str
    fold: DayFold


@dataclass(frozen=True)
class Collected:
    """The days in an unbroken line from the anchor, and their bars; a missing day ends the line."""

    entries: Mapping[date, DayEntry]
    bars: Bars
    rows: Mapping[date, slice]

    @cached_property
    def days(self) -> list[date]:
        return list(self.entries)

    @cached_property
    def hashes(self) -> list[str]:
        return [entry.content_hash for entry in self.entries.values()]

    @cached_property
    def starts(self) -> list[int]:
        return [rows.start for rows in self.rows.values()]


class Rehearsal:
    """One strategy, one symbol, up to a day; all is read once, and decided or folded when first asked for."""

    def __init__(self, lake: Lake, entry: Entry, registered: Registered, last: date) -> None:
        self._lake = lake
        self._entry = entry
        self._registered = registered
        self._last = last

    def signals(self, days: Iterable[date]) -> dict[date, DayRows | DayEntry]:
        decided = self._decided
        return {day: decided[day].stored if day in decided else self._without_rows(SIGNALS, day) for day in days}

    def backtests(self, days: Iterable[date]) -> dict[date, DayRows]:
        return {day: self._backtest_of(day) for day in days}

    def links(self, days: Iterable[date]) -> dict[date, str]:
        """The data version each day's backtest should have now."""
        return {day: self._folded[day].link if day in self._folded else self._without_link(day) for day in days}

    def signal_entries(self, days: Iterable[date]) -> dict[date, DayEntry]:
        rows = self.signals(days)
        return {day: of.entry if isinstance(of, DayRows) else of for day, of in rows.items()}

    def candle_versions(self) -> dict[date, str]:
        return {day: entry.data_version for day, entry in self._collected.entries.items()}

    @property
    def days(self) -> list[date]:
        """The days in an unbroken line from the anchor."""
        return self._collected.days

    @cached_property
    def prices(self) -> dict[date, tuple[float, float]]:
        """The first open and last close of each day that has a bar."""
        bars, rows = self._collected.bars, self._collected.rows
        traded = {day: bars[of] for day, of in rows.items() if of.start < of.stop}
        return {day: (float(of.open[0]), float(of.close[-1])) for day, of in traded.items()}

    @cached_property
    def _collected(self) -> Collected:
        timeframe = self._entry.strategy.timeframe
        entries, minutes = self._minutes()
        bars = Bars.from_frame(resample(minutes, Timeframe.M1, timeframe), timeframe.length)
        return Collected(entries, bars, {day: bars.rows_of(day) for day in entries})

    def _minutes(self) -> tuple[dict[date, DayEntry], pl.DataFrame]:
        first, last = self._registered.anchor, min(self._last, self._registered.delisted_on or self._last)
        try:
            stored = self._lake.read_with_entries(MINUTES, self._registered.symbol, first, last)
        except NotStoredError:
            return {}, CANDLES.empty()
        unbroken = list(takewhile(stored.entries.__contains__, DayRange(first, last)))
        rows = stored.rows.filter(pl.col("day").is_in(unbroken))
        return {day: stored.entries[day] for day in unbroken}, rows

    @cached_property
    def _made_from(self) -> dict[date, str]:
        """What each day's decisions are expected to stand on; a bar of a week stands on its days."""
        collected, strategy, code = self._collected, self._entry.strategy, self._entry.signals_code
        days_a_bar = -(-strategy.timeframe.minutes // Timeframe.D1.minutes)
        windows = (window_start(collected.starts[: place + 1], strategy.warmup) for place in range(len(collected.days)))
        return {
            day: made_from(collected.hashes[max(start + 1 - days_a_bar, 0) : place + 1], strategy, code)
            for place, (day, start) in enumerate(zip(collected.days, windows, strict=True))
        }

    @cached_property
    def _decided(self) -> dict[date, Decided]:
        """Every day of the unbroken line, as stored where that is what is expected now, else decided anew."""
        as_expected = self._decided_before()
        return {day: as_expected.get(day) or self._decide(day) for day in self._collected.days}

    def _decided_before(self) -> dict[date, Decided]:
        asset, span = f"signals/{self._entry.name}", (self._registered.anchor, self._last)
        try:
            stored = self._lake.read_with_entries(asset, self._registered.symbol, *span, ["day", "side"])
        except NotStoredError:
            return {}
        sides = {day: rows["side"].to_numpy().astype(np.int8) for (day,), rows in stored.rows.group_by("day")}
        return {
            day: Decided(sides.get(day, np.empty(0, np.int8)), entry)
            for day, expected in self._made_from.items()
            if (entry := stored.entries.get(day)) and entry.made_from == expected
        }

    def _decide(self, day: date) -> Decided:
        bars, rows = self._collected.bars, self._collected.rows[day]
        decisions = decide(self._entry.strategy, bars, rows.start, rows.stop)
        frame = decisions_frame(self._entry.strategy, bars, rows.start, rows.stop, decisions)
        return Decided(decisions, DayRows.of(SIGNALS, frame, made_from=self._made_from[day]))

    def _backtest_of(self, day: date) -> DayRows:
        if day not in self._folded:
            return self._without_rows(BACKTESTS, day)
        folded = self._folded[day]
        return DayRows.of(BACKTESTS, stored_day(day, folded.fold), data_version=folded.link)

    @cached_property
    def _folded(self) -> dict[date, Folded]:
        """Every day of the unbroken line, folded from the anchor."""
        entry, collected = self._entry, self._collected
        link = first_link(entry.name, self._registered.symbol, self._registered.anchor)
        state, fractions = State(entry.account.cash), entry.account.fractions(collected.bars)
        limits = entry.account.limits(entry.strategy.hold_bars)
        folded: dict[date, Folded] = {}
        for day, rows in collected.rows.items():
            decided, rules = self._decided[day], rules_on(day)
            hashes = collected.entries[day].content_hash, decided.entry.content_hash
            link = next_link(link, *hashes, entry.terms, rules.as_facts())
            brought = Day(collected.bars[rows], decided.decisions, fractions[rows])
            fold = fold_day(state, brought, entry.account.costs(rules), limits)
            folded[day] = Folded(link, fold)
            state = fold.state
        return folded

    def _without_rows(self, schema: Schema, day: date) -> DayRows:
        return DayRows.of(schema, schema.empty(), data_version=self._without_link(day))

    def _without_link(self, day: date) -> str:
        return WAITING if self._registered.is_listed_on(day) else NOT_LISTED
