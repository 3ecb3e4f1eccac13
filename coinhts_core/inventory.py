"""The inventory: what is known of each day of a symbol's minute candles, and every hole with its reason.

What lives here: day by day states out of lake and ledger, and holes as stretches. What stays out: mending them
(`coinhts_pipeline.data`), and what a state is (`candles.coverage`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby

import polars as pl

from coinhts_core.candles.collection import answers
from coinhts_core.candles.coverage import Answer, State, day_state
from coinhts_core.candles.frame import MINUTES
from coinhts_core.candles.quarantine import BadBars, find_bad_bars
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.revisions import find_revised_days
from coinhts_core.days import DayRange
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.markets import Timeframe

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Hole:
    """Days, or minutes, without candles, or a bad bar, and why."""

    symbol: str
    first: date | datetime
    last: date | datetime
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Inventory:
    """One symbol's days: their states, the rows stored, the bars not believed, and how many days were revised."""

    registered: Registered
    states: Mapping[date, State]
    reasons: Mapping[date, str]
    rows: int
    bad: BadBars = field(default_factory=dict)
    revised: int = 0

    def count(self, state: State) -> int:
        return sum(found == state for found in self.states.values())

    def days(self, *wanted: State) -> list[date]:
        return [day for day, state in self.states.items() if state in wanted]

    def holes(self) -> list[Hole]:
        """Stretches of days with the same state and reason, those with candles left out; bad bars one by one."""
        kinds = groupby(self.states, key=lambda day: (self.states[day], self.reasons.get(day, "")))
        stretches = ((state, reason, list(days)) for (state, reason), days in kinds if state != State.TRADED)
        return [hole for state, reason, days in stretches for hole in self._holes(state, reason, days)]

    def _holes(self, state: State, reason: str, days: list[date]) -> Iterator[Hole]:
        symbol = self.registered.symbol
        if state is not State.BAD_BARS:
            yield Hole(symbol, days[0], days[-1], state, reason)
            return
        for day in days:
            for of in self.bad.get(day, ()):
                at = of.opened_at or day
                yield Hole(symbol, at, at, state, of.rule)


def take_inventory(lake: Lake, ledger: Ledger, registered: Registered, days: DayRange) -> Inventory:
    symbol, span = registered.symbol, (days.first, days.last)
    stored = lake.heads(MINUTES, symbol)
    answered = answers(ledger, symbol, *span)
    states = {
        day: day_state(day, registered, answered.get(day), stored[day].content_hash if day in stored else None)
        for day in days
    }
    rows = sum(entry.rows for day, entry in stored.items() if day in days)
    bad = find_bad_bars(ledger, symbol, Timeframe.M1, *span) if State.BAD_BARS in states.values() else {}
    return Inventory(registered, states, _reasons(answered), rows, bad, len(find_revised_days(ledger, symbol, *span)))


def quiet_stretches(symbol: str, candles: pl.DataFrame, at_least: timedelta) -> Iterable[Hole]:
    """Minutes in a row without a trade, between bars that were stored; at most as long as the day they lie in."""
    spans = candles.select(
        last="opened_at",
        gap=pl.col("opened_at").diff().over("day") - _MINUTE,
    ).filter(pl.col("gap") >= at_least)
    for last, gap in spans.iter_rows():
        yield Hole(symbol, last - gap, last - _MINUTE, State.NO_TRADE)


def _reasons(answered: Mapping[date, Answer]) -> dict[date, str]:
    return {day: answer.reason for day, answer in answered.items() if answer.reason}
