"""Backfill: candles to positions for symbols x days, as few range runs, leaving alone what is current.

What lives here: planning, running and counting. What stays out: how the command looks (`cli`), which days need work
(`coinhts_core.agenda`).
"""

import gc
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg
from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.utils import make_new_run_id

from coinhts_core.agenda import Agenda
from coinhts_core.candles.frame import DAYS
from coinhts_core.candles.registry import Registered
from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.markets import Market
from coinhts_pipeline.defs.candles import COLLECT_DAY_CANDLES
from coinhts_pipeline.defs.performance import PUBLISH_PERFORMANCE
from coinhts_pipeline.defs.strategies import REHEARSE_DAYS
from coinhts_pipeline.installation import Installation
from coinhts_pipeline.partitions import SYMBOLS, Rectangle, rectangles, symbol_range
from coinhts_pipeline.told import untold_days
from coinhts_pipeline.verdicts import failure_of, is_passing

# A quarter of an hour, beside what each run waits by itself.
_PAUSES_S = (15, 30, *[60] * 14)
_log = logging.getLogger("coinhts.backfill")
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The runs that bring the asked days up to date."""

    blocks: list[Rectangle]
    assets_a_day: int

    @property
    def partitions(self) -> int:
        return sum(len(block) for block in self.blocks)

    @property
    def steps(self) -> int:
        return self.partitions * self.assets_a_day


@dataclass(frozen=True)
class Runner:
    """Executes jobs in this process, against the installation's own Dagster."""

    installation: Installation
    definitions: dg.Definitions

    def run(
        self,
        job: str,
        tags: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        only: Sequence[dg.AssetKey] | None = None,
    ) -> None:
        """One run of a job, or of some of its assets; `progress` hears of each partition that is finished.

        Where lake or ledger were away it is run again, after pauses that grow: what was done by then is left alone.
        """
        for pause_s in (*_PAUSES_S, None):
            result = self._executed(job, tags, progress, only)
            if result.success:
                return
            failure = failure_of(result)
            if pause_s is None or not is_passing(result):
                raise failure
            _log.warning("it is run again in %s s: %s", pause_s, failure)
            time.sleep(pause_s)

    def _executed(
        self,
        job: str,
        tags: Mapping[str, str] | None,
        progress: Progress | None,
        only: Sequence[dg.AssetKey] | None,
    ) -> dg.ExecuteInProcessResult:
        instance = self.installation.instance
        run_id = make_new_run_id()
        if progress:
            instance.add_event_listener(run_id, lambda event: _heard(event, progress))
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=run_id,
            tags=tags,
            run_config=_QUIET,
            asset_selection=only,
            raise_on_error=False,
        )


def plan(installation: Installation, symbols: Sequence[Registered], first: date, last: date) -> Plan:
    """All from `first` (or the first absent day, when that is earlier) to `last` that is not current, or untold."""
    agenda, instance, rooms = _agenda(installation), installation.instance, installation.rooms
    days = DayRange(first, last)
    wanted = {of.symbol: agenda.to_extend(of, first, last) | untold_days(instance, rooms, of, days) for of in symbols}
    return _planned(installation, wanted)


def plan_stale(installation: Installation, symbols: Sequence[Registered]) -> Plan:
    """The stored days that something left behind."""
    agenda, last = _agenda(installation), last_complete_day(now())
    return _planned(installation, {of.symbol: set(agenda.stale(of, last)) for of in symbols})


def behind(installation: Installation) -> str:
    """What there is to collect and to fold again, in words."""
    active = installation.rooms.active
    last = last_complete_day(now())
    to_extend, stale = (
        plan(installation, active, last, last).partitions,
        plan_stale(installation, active).partitions,
    )
    if not to_extend:
        return f"all current up to {last}"
    return f"{to_extend} symbol-days to collect or fold ({stale} of them stale); `coinhts backfill` does it"


def execute(runner: Runner, planned: Plan, progress: Progress | None = None) -> None:
    """The runs of a plan, then how the strategies did, unless that is known and every day was current.

    Strategies of days decide on the exchange's own day bars, which come first, by a job of their own.
    """
    rooms = runner.installation.rooms
    if planned.blocks and any(entry.looks_at_days for entry in rooms.lineup.values()):
        collect_day_bars(runner, rooms.active)
    gc.freeze()  # what is loaded by now stays: nobody need look for garbage in it time and again
    for block in planned.blocks:
        runner.run(REHEARSE_DAYS, tags=block.tags, progress=progress)
    if planned.blocks or not rooms.lake.number_of_whole("leaderboard"):  # a run may have died before this one
        runner.run(PUBLISH_PERFORMANCE)


def collect_day_bars(runner: Runner, symbols: Sequence[Registered]) -> bool:
    """Those of all symbols in one run, unless they are there up to yesterday; tells whether there was any."""
    lake, yesterday = runner.installation.rooms.lake, last_complete_day(now())
    newest = {of.symbol: max(lake.heads(DAYS, of.symbol), default=date.min) for of in symbols}
    if all(newest[of.symbol] >= min(yesterday, of.delisted_on or yesterday) for of in symbols):
        return False
    order = runner.installation.instance.get_dynamic_partitions(SYMBOLS.name or "")
    runner.run(COLLECT_DAY_CANDLES, tags=symbol_range([key for key in order if key in newest]))
    return True


def _agenda(installation: Installation) -> Agenda:
    rooms = installation.rooms
    return Agenda(rooms.lake, rooms.ledger, rooms.lineup)


def _planned(installation: Installation, wanted: dict[Market, set[date]]) -> Plan:
    order = installation.instance.get_dynamic_partitions(SYMBOLS.name or "")
    return Plan(rectangles(wanted, order), assets_a_day=1 + 3 * len(installation.rooms.lineup))


def _heard(event: EventLogEntry, progress: Progress) -> None:
    if event.dagster_event and event.dagster_event.event_type == DagsterEventType.ASSET_MATERIALIZATION:
        progress("/".join(event.dagster_event.asset_key.path) if event.dagster_event.asset_key else "")
