"""Strategies: their decisions and rehearsals, and the daily work that keeps the chain current.

What lives here: `signals/…`, `backtests/…`, their checks, the main job, its schedule and the sensor for what is stale.
What stays out: deciding and folding (`coinhts_core.rehearsal`), and how the strategies did (`performance`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from coinhts_core.agenda import Agenda
from coinhts_core.backtests.chain import BACKTESTS, WAITING
from coinhts_core.candles.frame import MINUTES
from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.hashes import digest
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.rehearsal import Rehearsal
from coinhts_core.settings import Settings, read_settings
from coinhts_core.signals import SIGNALS
from coinhts_pipeline.columns import described
from coinhts_pipeline.gate import breach_of
from coinhts_pipeline.io_managers.blocks import Block, in_blocks
from coinhts_pipeline.partitions import days_by_symbol, range_runs, symbol_days
from coinhts_pipeline.plots import plot
from coinhts_pipeline.resources import House
from coinhts_pipeline.rooms import Rooms
from coinhts_pipeline.verdicts import asset_body

REHEARSE_DAYS = "rehearse_days"
_UNFINISHED = [*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]
_CANDLES = dg.AssetKey(MINUTES.split("/"))
_LAWFUL = "strategy_keeps_the_laws"
_SHOWN = 50  # of the days a check complains about

Results = Iterator[dg.Output[Iterator[Block]] | dg.AssetCheckResult]
BlockOf = Callable[[Rehearsal, Entry, Market, list[date]], Block]


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    partitions = symbol_days(settings.start_date)
    rooms = dg.AssetSelection.key_prefixes(["signals"], ["backtests"], ["positions"])
    rehearse_days = dg.define_asset_job(
        REHEARSE_DAYS,
        dg.AssetSelection.assets(_CANDLES) | rooms,
        description="Candles to positions, for some symbols and days: the main job.",
    )
    return dg.Definitions(
        assets=[make(entry, partitions) for entry in lineup.values() for make in (_signals, _backtests)],
        asset_checks=[_chain_is_current(entry) for entry in lineup.values()],
        jobs=[rehearse_days],
        schedules=[rehearse_days_daily],
        sensors=[on_stale_chain],
    )


def _signals(entry: Entry, partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(["signals", entry.name])

    @dg.asset(
        key=key,
        deps=[_CANDLES],
        description=f"{entry.description}\n\nDecisions at the close of each bar of the day.",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="signals",
        kinds={"parquet", "numpy"},
        code_version=entry.signals_code[:16],
        io_manager_key="lake",
        tags={"strategy": entry.name},
        metadata={**described(SIGNALS.columns, candles=[_CANDLES]), **_knobs(entry)},
        check_specs=[
            dg.AssetCheckSpec(_LAWFUL, asset=key, description="No decision knows what comes after its bar."),
            dg.AssetCheckSpec(
                "decisions_are_not_waiting",
                asset=key,
                description="Every listed day had the candles its decisions look at; none was stored empty to wait.",
            ),
        ],
    )
    @asset_body
    def signals(context: dg.AssetExecutionContext, house: House) -> Results:
        breach = breach_of(house.rooms.settings, entry)
        yield dg.AssetCheckResult(check_name=_LAWFUL, passed=breach is None, description=str(breach or "it keeps all"))
        if breach:
            raise breach
        waiting: list[str] = []
        yield in_blocks(_blocks(house.rooms, entry, context.partition_keys, _signals_block, waiting))
        yield _none_waiting("decisions_are_not_waiting", waiting)

    return signals


def _backtests(entry: Entry, partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(["backtests", entry.name])

    @dg.asset(
        key=key,
        deps=[_CANDLES, dg.AssetKey(["signals", entry.name])],
        description=f"What {entry.account.cash:,.0f} KRW would have become with {entry.name}, a row a day, folded on.",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="backtests",
        kinds={"parquet", "numba"},
        code_version=entry.backtests_code[:16],
        io_manager_key="lake",
        tags={"strategy": entry.name},
        metadata={
            **described(BACKTESTS.columns, candles=[_CANDLES], signals=[dg.AssetKey(["signals", entry.name])]),
            **_knobs(entry),
        },
        check_specs=[
            dg.AssetCheckSpec(
                "days_are_not_waiting",
                asset=key,
                description="Every listed day was folded: no day of candles is missing between it and the anchor.",
            )
        ],
    )
    @asset_body
    def backtests(context: dg.AssetExecutionContext, house: House) -> Results:
        waiting: list[str] = []
        yield in_blocks(_blocks(house.rooms, entry, context.partition_keys, _backtests_block, waiting))
        yield _none_waiting("days_are_not_waiting", waiting)

    return backtests


def _chain_is_current(entry: Entry) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(["backtests", entry.name]),
        additional_deps=[dg.AssetKey(["positions", entry.name])],
        description="Every stored day, with its signals and positions, is what a rehearsal of now would store.",
    )
    def chain_is_current(house: House) -> dg.AssetCheckResult:
        agenda = Agenda(house.rooms.lake, house.rooms.ledger, {entry.name: entry})
        last = last_complete_day(now())
        stale = {f"{day} {of.symbol}": why for of in house.rooms.active for day, why in agenda.stale(of, last).items()}
        return dg.AssetCheckResult(
            passed=not stale,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(stale)} days; `coinhts backfill --stale` completes them" if stale else "all current",
            metadata=dict(sorted(stale.items())[:_SHOWN]),
        )

    return chain_is_current


@dg.schedule(
    job_name=REHEARSE_DAYS,
    cron_schedule="10 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Yesterday, and whatever was missed before it, for every active symbol (09:10 KST).",
)
def rehearse_days_daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    last = last_complete_day(context.scheduled_execution_time)
    with Rooms.open(read_settings()) as rooms:
        agenda = Agenda(rooms.lake, rooms.ledger, rooms.lineup)
        wanted = {of.symbol: agenda.to_extend(of, last, last) for of in rooms.active}
    yield from _runs_or_nothing(wanted, context.instance, context.scheduled_execution_time.isoformat())


@dg.sensor(
    job_name=REHEARSE_DAYS,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Days that new code, repaired candles or an earlier start left behind are folded again.",
)
def on_stale_chain(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    if context.instance.get_runs_count(dg.RunsFilter(job_name=REHEARSE_DAYS, statuses=_UNFINISHED)):
        yield dg.SkipReason("a run is at work; what it leaves behind is looked at afterwards")
        return
    with Rooms.open(read_settings()) as rooms:
        agenda = Agenda(rooms.lake, rooms.ledger, rooms.lineup)
        last = last_complete_day(now())
        stale = {of.symbol: agenda.stale(of, last).keys() for of in rooms.active}
        codes = [entry.backtests_code for entry in rooms.lineup.values()]
    hour = f"{now():%Y-%m-%d %H}"  # what failed is tried again, but not every minute
    named = sorted(f"{day} {symbol}" for symbol, days in stale.items() for day in days)
    yield from _runs_or_nothing(stale, context.instance, digest(hour, *codes, *named))


def _runs_or_nothing(
    wanted: Mapping[Market, Iterable[date]], instance: dg.DagsterInstance, run_key: str
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    requests = list(range_runs(wanted, instance, run_key))
    yield from requests
    if not requests:
        yield dg.SkipReason("every day is current")


def _blocks(rooms: Rooms, entry: Entry, keys: Iterable[str], block_of: BlockOf, waiting: list[str]) -> Iterator[Block]:
    registered = rooms.symbols
    for symbol, days in days_by_symbol(keys).items():
        rehearsal = Rehearsal(rooms.lake, entry, registered[symbol], days[-1])
        block = block_of(rehearsal, entry, symbol, days)
        yield block
        waiting += [f"{day} {symbol}" for day in days if block.entry(day).data_version == WAITING]


def _signals_block(rehearsal: Rehearsal, entry: Entry, symbol: Market, days: list[date]) -> Block:
    del entry
    candles = rehearsal.candle_versions()
    inputs = {day: {MINUTES: candles[day]} for day in days if day in candles}
    block = Block(symbol, rehearsal.signals(days), inputs)
    if not block.to_store:
        return block
    newest = max(block.to_store)
    rows = block.to_store[newest].frame
    prices, sides = rows["price_krw"].to_list(), rows["side"].to_list()
    return replace(block, shown=plot(prices, f"decisions of {newest}, KRW", sides))


def _backtests_block(rehearsal: Rehearsal, entry: Entry, symbol: Market, days: list[date]) -> Block:
    candles, decided = rehearsal.candle_versions(), rehearsal.signal_entries(days)
    inputs = {
        day: {MINUTES: candles[day], f"signals/{entry.name}": decided[day].data_version}
        for day in days
        if day in candles
    }
    block = Block(symbol, rehearsal.backtests(days), inputs)
    equity = [worth for _, rows in sorted(block.to_store.items()) for worth in rows.frame["equity_close_krw"]]
    return replace(block, shown=plot(equity, f"equity to {days[-1]}, KRW"))


def _none_waiting(name: str, waiting: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=not waiting,
        severity=dg.AssetCheckSeverity.WARN,
        description="`coinhts backfill` collects the days before them" if waiting else "none waits for candles",
        metadata={"days": waiting[:_SHOWN]},
    )


def _knobs(entry: Entry) -> Mapping[str, dg.JsonMetadataValue]:
    return {
        "parameters": dg.MetadataValue.json(entry.strategy.parameters()),
        "account": dg.MetadataValue.json(entry.account.facts()),
    }
