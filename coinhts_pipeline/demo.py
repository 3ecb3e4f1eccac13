"""The demo: thirty days of the universe, candles to positions, and what came of them.

What lives here: its steps and its outcome as facts. What stays out: how the outcome is drawn (`screen`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from coinhts_core.candles.frame import MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.performance import standing
from coinhts_pipeline.backfill import Plan, Progress, Runner, collect_day_bars, execute, plan
from coinhts_pipeline.installation import Installation

_DAYS = 30


@dataclass(frozen=True)
class Outcome:
    """What the demo did and found."""

    days: DayRange
    runs: int
    partitions: int
    figures: list[dict[str, Any]]
    curves: Mapping[str, Sequence[float]]
    candles: int


def demo_plan(installation: Installation) -> tuple[DayRange, list[Registered], Plan]:
    first = installation.settings.start_date
    days = DayRange(first, min(first + timedelta(days=_DAYS - 1), last_complete_day(now())))
    active = installation.rooms.active
    return days, active, plan(installation, active, days.first, days.last)


def run_demo(
    runner: Runner, days: DayRange, active: Sequence[Registered], planned: Plan, progress: Progress
) -> Outcome:
    rooms = runner.installation.rooms
    runs = _collect_once(runner, active)
    execute(runner, planned, progress)
    standings = [standing(rooms.lake, entry, of) for entry in rooms.lineup.values() for of in active]
    shown = [of for of in standings if of.days]
    return Outcome(
        days,
        runs + len(planned.blocks) + bool(planned.blocks),
        planned.partitions,
        rooms.lake.read_whole("leaderboard").to_dicts(),
        {f"{of.strategy} {of.registered.symbol}": of.equity(of.days[0], of.days[-1]) for of in shown},
        _candles(runner, active, days),
    )


def _collect_once(runner: Runner, active: Sequence[Registered]) -> int:
    """The market list and the day bars, unless they are there up to yesterday; the number of runs it took."""
    lake, runs = runner.installation.rooms.lake, 0
    if not lake.number_of_whole("markets"):
        runner.run("refresh_markets")
        runs += 1
    return runs + collect_day_bars(runner, active)


def _candles(runner: Runner, active: Sequence[Registered], days: DayRange) -> int:
    lake = runner.installation.rooms.lake
    return sum(entry.rows for of in active for day, entry in lake.heads(MINUTES, of.symbol).items() if day in days)
