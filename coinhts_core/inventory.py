"""The inventory: what is known of each day of a symbol's minute candles, and every hole with its reason.

What lives here: day by day states out of lake and ledger, and holes as stretches. What stays out: mending them
(`coinhts_pipeline.data`), and what a state is (`candles.coverage`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

import polars as pl

from coinhts_core.candles.collection import answers
from coinhts_core.candles.coverage import Answer, State, day_state
from coinhts_core.candles.registry import Registered
from coinhts_core.days import DayRange
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.rehearsal import MINUTES

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Hole:
    """Days, or minutes, without candles, and why."""

    symbol: str
    first: date | datetime
    last: date | datetime
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Inventory:
    """One symbol's days: their states and the rows stored."""

    registered: Registered
    states: Mapping[date, State]
    reasons: Mapping[date, str]
    rows: int

    def count(self, state: State) -> int:
        return sum(found == state for found in self.states.values())

    def days(self, *wanted: State) -> list[date]:
        return [day for day, state in self.states.items() if state in wanted]

    def holes(self) -> list[Hole]:
        """Stretches of days with the same state and reason, those with candles left out."""
        kinds = groupby(self.states, key=lambda day: (self.states[day], self.reasons.get(day, "")))
        stretches = ((state, reason, list(days)) for (state, reason), days in kinds)
        return [
            Hole(self.registered.symbol, days[0], days[-1], state, reason)
            for state, reason, days in stretches
            if state != State.TRADED
        ]


def take_inventory(lake: Lake, ledger: Ledger, registered: Registered, days: DayRange) -> Inventory:
    stored = lake.heads(MINUTES, registered.symbol)
    answered = answers(ledger, registered.symbol, days.first, days.last)
    states = {
        day: day_state(day, registered, answered.get(day), stored[day].rows if day in stored else 0) for day in days
    }
    rows = sum(entry.rows for day, entry in stored.items() if day in days)
    return Inventory(registered, states, _reasons(answered), rows)


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
