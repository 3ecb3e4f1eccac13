"""Effort: what a download costs, said before it is made.

What lives here: the calls of a plan and the hours they take, as facts and as words. What stays out: how many calls a
day needs, which the venue knows (`coinhts_core.exchanges`), and which days are missing (`data`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coinhts_core.candles.registry import Registered
from coinhts_core.days import DayRange
from coinhts_core.exchanges import Exchange
from coinhts_pipeline import screen
from coinhts_pipeline.backfill import Plan
from coinhts_pipeline.partitions import Rectangle

_HOUR_S = 3_600
_MINUTE_S = 60


@dataclass(frozen=True)
class Effort:
    """At most so many calls for each run of a plan, and so many a second that the venue permits."""

    planned: Plan
    calls_a_run: list[int]
    calls_per_second: float

    @property
    def calls(self) -> int:
        return sum(self.calls_a_run)

    @property
    def hours(self) -> float:
        return self.calls / self.calls_per_second / _HOUR_S

    def facts(self) -> dict[str, Any]:
        runs = [
            {"symbols": list(of.symbols), "first": of.first, "last": of.last, "calls": calls}
            for of, calls in zip(self.planned.blocks, self.calls_a_run, strict=True)
        ]
        totals = {"partitions": self.planned.partitions, "calls": self.calls, "hours": round(self.hours, 4)}
        return {**totals, "runs": runs}


def effort_of(exchange: Exchange, symbols: Sequence[Registered], planned: Plan) -> Effort:
    known = {str(of.symbol): of for of in symbols}

    def calls_for(block: Rectangle) -> int:
        days = DayRange(block.first, block.last)
        return sum(exchange.calls_for(known[symbol].first_day, days) for symbol in block.symbols)

    return Effort(planned, [calls_for(block) for block in planned.blocks], exchange.calls_per_second)


def show(effort: Effort) -> None:
    """Runs with the calls of each, and what they add up to."""
    planned = effort.planned
    if not planned.blocks:
        screen.say("every day is there; nothing to ask for")
        return
    count = len(planned.blocks)
    screen.say(f"{planned.partitions} symbol-days in {count} {'run' if count == 1 else 'runs'}; {_words(effort)}")
    rows = [
        [", ".join(of.symbols), str(of.first), str(of.last), f"{calls:,}"]
        for of, calls in zip(planned.blocks, effort.calls_a_run, strict=True)
    ]
    screen.table(["symbols", "first", "last", "calls"], rows, words=3)


def _words(effort: Effort) -> str:
    if not effort.calls:
        return "no calls, for it needs no network"
    rate = f"{effort.calls_per_second:g} calls a second"
    return f"at most {effort.calls:,} calls, {_span(effort.hours * _HOUR_S)} at {rate}"


def _span(seconds: float) -> str:
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} seconds"
    return f"{seconds / _MINUTE_S:.0f} minutes" if seconds < 2 * _HOUR_S else f"{seconds / _HOUR_S:.1f} hours"
