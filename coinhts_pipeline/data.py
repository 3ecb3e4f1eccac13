"""Data: downloading candles alone, and mending what can be mended.

What lives here: what the `data` commands do. What stays out: what is missing and why (`coinhts_core.inventory`).
"""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from coinhts_core.candles.coverage import State
from coinhts_core.candles.frame import MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.days import DayRange
from coinhts_core.errors import CheckFailedError, DaysUnansweredError, NotStoredError
from coinhts_core.inventory import Hole, Inventory, quiet_stretches, take_inventory
from coinhts_pipeline.backfill import Plan, Progress, Runner, execute, plan_stale
from coinhts_pipeline.defs.strategies import REHEARSE_DAYS
from coinhts_pipeline.installation import Installation
from coinhts_pipeline.partitions import SYMBOLS, rectangles

_CANDLES = [dg.AssetKey(MINUTES.split("/"))]


def inventories(installation: Installation, symbols: Sequence[Registered], days: DayRange) -> list[Inventory]:
    rooms = installation.rooms
    return [take_inventory(rooms.lake, rooms.ledger, of, days) for of in symbols]


def download_plan(installation: Installation, found: Sequence[Inventory]) -> Plan:
    """The days nobody has answered for yet, as runs of the candles alone."""
    return _planned(installation, found, State.NOT_FETCHED, State.UNAVAILABLE)


def repair_plan(installation: Installation, found: Sequence[Inventory]) -> Plan:
    """Those, and the days whose answer had bad bars."""
    return _planned(installation, found, State.NOT_FETCHED, State.UNAVAILABLE, State.BAD_BARS)


def _planned(installation: Installation, found: Sequence[Inventory], *wanted: State) -> Plan:
    missing = {of.registered.symbol: of.days(*wanted) for of in found}
    order = installation.instance.get_dynamic_partitions(SYMBOLS.name or "")
    return Plan(rectangles(missing, order), assets_a_day=1)


def download(runner: Runner, planned: Plan, progress: Progress | None = None) -> None:
    for block in planned.blocks:
        runner.run(REHEARSE_DAYS, tags=block.tags, progress=progress, only=_CANDLES)


def repair(runner: Runner, symbols: Sequence[Registered], planned: Plan, progress: Progress | None = None) -> Plan:
    """Ask again for what is missing, then fold again what stood on it; the plan of the latter."""
    download(runner, planned, progress)
    stale = plan_stale(runner.installation, symbols)
    execute(runner, stale, progress)
    return stale


def judge(found: Sequence[Inventory]) -> None:
    """A command whose days did not come, or came with bars that are not believed, does not end as if they had."""
    if unanswered := sum(of.count(State.NOT_FETCHED) + of.count(State.UNAVAILABLE) for of in found):
        raise DaysUnansweredError(days=unanswered)
    if doubtful := sum(of.count(State.BAD_BARS) for of in found):
        reason = f"{doubtful} symbol-days hold bars that are not believed; `coinhts data gaps` names them"
        raise CheckFailedError(check="candles", reason=reason)


def holes(installation: Installation, found: Sequence[Inventory], days: DayRange, at_least: timedelta) -> list[Hole]:
    """Days without candles, and quiet stretches within days that have some, each with its reason."""
    named: list[Hole] = []
    for of in found:
        named += of.holes()
        try:
            candles = installation.rooms.lake.read(
                MINUTES, of.registered.symbol, days.first, days.last, ["day", "opened_at"]
            )
        except NotStoredError:
            continue
        named += quiet_stretches(of.registered.symbol, candles, at_least)
    return named
