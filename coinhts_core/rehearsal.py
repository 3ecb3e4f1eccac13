"""A rehearsal: one strategy over one symbol, from its anchor to a day, out of what the lake holds.

What lives here: reading candles and stored decisions, deciding and folding what is not stored as expected.
What stays out: the arithmetic (`signals`, `backtests`), and writing (the caller publishes the days it asked
for).

A stored day is a cache, never a truth: it is used when it was made from exactly what is expected now. So the
outcome is a function of candles, configuration and code alone, whatever was stored before, and in any order.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from coinhts_core.backtests.chain import BACKTESTS, NOT_LISTED, WAITING, first_link, next_link, stored_days
from coinhts_core.backtests.engine import Day, Floats, minutes_within
from coinhts_core.backtests.fold import DayFold, State, fold_day
from coinhts_core.candles.bars import Bars
from coinhts_core.candles.registry import Registered
from coinhts_core.frames import Schema
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.reader import Stored
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.rules import rules_on
from coinhts_core.sight import Sight
from coinhts_core.signals import SIGNALS, decide, decisions_frame
from coinhts_core.strategies import Decisions


@dataclass(frozen=True)
class Decided:
    """A day's decisions, when they had to be made; the entry alone when the lake holds them."""

    decisions: Decisions | None
    stored: DayRows | DayEntry

    @property
    def entry(self) -> DayEntry:
        return self.stored.entry if isinstance(self.stored, DayRows) else self.stored


class Rehearsal:
    """One strategy, one symbol, up to a day; all is read once, and decided or folded when first asked for."""

    def __init__(self, lake: Lake, entry: Entry, registered: Registered, last: date) -> None:
        self._lake = lake
        self._entry = entry = entry.of(registered.symbol)
        self._registered = registered
        self._last = last
        self._sight = Sight(lake, entry.strategy, registered, last)

    def signals(self, days: Iterable[date]) -> dict[date, DayRows | DayEntry]:
        """Rows where they are new, else the entry alone."""
        decided = self._decided
        return {day: decided[day].stored if day in decided else self._without_rows(SIGNALS, day) for day in days}

    def backtests(self, days: Iterable[date]) -> dict[date, DayRows]:
        wanted = list(days)
        folds = self._folds([day for day in wanted if day in self._links])
        asked = {day: folds[day] for day in wanted if day in folds}
        folded = DayRows.of_days(BACKTESTS, stored_days(asked), dict.fromkeys(asked, 1), data_versions=self._links)
        return {day: folded[day] if day in folded else self._without_rows(BACKTESTS, day) for day in wanted}

    def links(self, days: Iterable[date]) -> dict[date, str]:
        """The data version each day's backtest should have now."""
        return {day: self._links.get(day) or self._without_link(day) for day in days}

    def signal_entries(self, days: Iterable[date]) -> dict[date, DayEntry]:
        rows = self.signals(days)
        return {day: of.entry if isinstance(of, DayRows) else of for day, of in rows.items()}

    def candle_versions(self) -> Mapping[date, str]:
        return self._sight.inputs

    @property
    def days(self) -> list[date]:
        """The days in an unbroken line from the anchor."""
        return self._sight.days

    @property
    def bars(self) -> Bars:
        """The bars of those days."""
        rows = list(self._sight.rows.values())
        return self._sight.bars[rows[0].start : rows[-1].stop] if rows else self._sight.bars[:0]

    @property
    def first_to_buy(self) -> int:
        """Which of these bars is the first that a decision of them could be filled at."""
        before = next(iter(self._sight.rows.values())).start if self._sight.rows else 0
        return max(self._entry.strategy.ready_after + 1 - before, 1)

    @cached_property
    def _decided(self) -> dict[date, Decided]:
        """Every day of the unbroken line, as stored where that is what is expected now, else decided anew."""
        stored = self._lake.heads(self._asset("signals"), self._registered.symbol)
        expected = {day: self._sight.made_from(day, self._entry.signals_code) for day in self.days}
        kept = {day: stored[day] for day, made_from in expected.items() if _is_made_from(stored.get(day), made_from)}
        fresh = self._decide({day: made_from for day, made_from in expected.items() if day not in kept})
        return {day: Decided(None, kept[day]) if day in kept else fresh[day] for day in expected}

    def _decide(self, fresh: Mapping[date, str]) -> dict[date, Decided]:
        """Days anew; neighbours in one pass, where that is the same."""
        strategy, bars, rows = self._entry.strategy, self._sight.bars, self._sight.rows
        decided: dict[date, Decisions] = {}
        frames = [SIGNALS.empty()]
        for days in self._stretches(fresh) if strategy.is_windowed else [[day] for day in fresh]:
            first, end = rows[days[0]].start, rows[days[-1]].stop
            decisions = decide(strategy, bars, first, end)
            frames.append(decisions_frame(strategy, bars, first, end, decisions))
            decided |= {day: decisions[rows[day].start - first : rows[day].stop - first] for day in days}
        heights = {day: len(decisions) for day, decisions in decided.items()}
        stored = DayRows.of_days(SIGNALS, pl.concat(frames), heights, made_from=fresh)
        return {day: Decided(decisions, stored[day]) for day, decisions in decided.items()}

    def _stretches(self, days: Iterable[date]) -> list[list[date]]:
        """Days whose bars follow each other without others between."""
        stretches: list[list[date]] = []
        for day in days:
            if stretches and self._sight.rows[stretches[-1][-1]].stop == self._sight.rows[day].start:
                stretches[-1].append(day)
            else:
                stretches.append([day])
        return stretches

    @cached_property
    def _links(self) -> dict[date, str]:
        """Every day of the unbroken line."""
        entry, sight = self._entry, self._sight
        terms, link = entry.terms, first_link(entry.name, self._registered.symbol, self._registered.anchor)
        links: dict[date, str] = {}
        for day, candles in sight.versions.items():
            link = next_link(link, candles, self._decided[day].entry.content_hash, terms, rules_on(day).as_facts())
            links[day] = link
        return links

    def _folds(self, wanted: Sequence[date]) -> dict[date, DayFold]:
        """The days wanted, folded from the nearest stored state whose link is the one expected now."""
        if not wanted:
            return {}
        before, state = self._nearest_state(min(wanted))
        account, limits = self._entry.account, self._entry.account.limits(self._entry.strategy.hold_bars)
        folds: dict[date, DayFold] = {}
        for day in self.days:
            if before < day <= max(wanted):
                folds[day] = fold_day(state, self._brought(day), account.costs(rules_on(day)), limits)
                state = folds[day].state
        return folds

    def _nearest_state(self, day: date) -> tuple[date, State]:
        """The last stored state before a day that can be gone on from, or the empty one before the anchor."""
        stored = self._lake.heads(self._asset("backtests"), self._registered.symbol)
        usable = [of for of in self.days if of < day and of in stored and stored[of].data_version == self._links[of]]
        if usable:
            rows = self._stored("backtests", usable[-1], usable[-1], ["state"])
            if rows.entries[usable[-1]].data_version == self._links[usable[-1]]:
                return usable[-1], State.from_facts(json.loads(rows.rows["state"][0]))
        return date.min, State(self._entry.account.cash)

    def _brought(self, day: date) -> Day:
        rows, minutes = self._sight.rows[day], None
        bars = self._sight.bars[rows]
        if self._entry.account.has_two_exits:
            minutes = minutes_within(bars, self._sight.minutes)
        return Day(bars, self._decisions_of(day), self._fractions[rows], minutes)

    def _decisions_of(self, day: date) -> Decisions:
        """As they were decided or stored; anew when another process stored others meanwhile."""
        decided = self._decided[day]
        if decided.decisions is not None:
            return decided.decisions
        rows, stored = self._sight.rows[day], self._sides.get(day)
        if stored and stored[0] == decided.entry:
            return stored[1]
        return decide(self._entry.strategy, self._sight.bars, rows.start, rows.stop)

    @cached_property
    def _sides(self) -> dict[date, tuple[DayEntry, Decisions]]:
        stored = self._stored("signals", self._registered.anchor, self._last, ["day", "side"])
        sides = {day: rows["side"].to_numpy().astype(np.int8) for (day,), rows in stored.rows.group_by("day")}
        return {day: (entry, sides.get(day, np.empty(0, np.int8))) for day, entry in stored.entries.items()}

    @cached_property
    def _fractions(self) -> Floats:
        """What an entry spends, by bars from the anchor on: nothing before it is part of the chain."""
        bars = self._sight.bars
        start = bars.rows_of(self._registered.anchor).start
        return np.concatenate([np.zeros(start), self._entry.account.fractions(bars[start:])])

    def _asset(self, room: str) -> str:
        return f"{room}/{self._entry.name}"

    def _stored(self, room: str, first: date, last: date, columns: Sequence[str]) -> Stored:
        return self._lake.read_with_entries(self._asset(room), self._registered.symbol, first, last, columns)

    def _without_rows(self, schema: Schema, day: date) -> DayRows:
        return DayRows.of(schema, schema.empty(), data_version=self._without_link(day))

    def _without_link(self, day: date) -> str:
        return WAITING if self._registered.is_listed_on(day) else NOT_LISTED


def _is_made_from(entry: DayEntry | None, made_from: str) -> bool:
    return entry is not None and entry.made_from == made_from
