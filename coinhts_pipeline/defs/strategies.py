"""Strategies: their decisions, their rehearsals, how they did, and the daily work that keeps all of it current.

What lives here: `signals/…`, `backtests/…`, `performance/…`, the leaderboard, their checks, jobs, schedule and
sensors. What stays out: deciding and folding (`coinhts_core.rehearsal`).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date

import dagster as dg

from coinhts_core.agenda import Agenda
from coinhts_core.backtests.report import as_image, percent, svg_curves
from coinhts_core.candles.registry import Registered
from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.hashes import digest
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.performance import PERFORMANCE, Standing, common_window, standing, table
from coinhts_core.rehearsal import MINUTES, Rehearsal
from coinhts_core.rules import rules_on
from coinhts_core.settings import Settings, read_settings
from coinhts_core.signals import SIGNALS
from coinhts_core.backtests.chain import BACKTESTS, WAITING
from coinhts_pipeline.io_managers.blocks import Block, Whole, in_blocks
from coinhts_pipeline.io_managers.lake import column_schema, markdown
from coinhts_pipeline.partitions import SYMBOLS, days_by_symbol, rectangles, symbol_days
from coinhts_pipeline.resources import House, Rooms
from coinhts_pipeline.verdicts import asset_body

REHEARSE_DAYS = "rehearse_days"
PUBLISH_PERFORMANCE = "publish_performance"


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    partitions = symbol_days(settings.start_date)
    rooms_of = [_rooms_of(entry, partitions) for entry in lineup.values()]
    chain = dg.AssetSelection.assets(dg.AssetKey(["candles", "minute"])) | dg.AssetSelection.key_prefixes(
        ["signals"], ["backtests"], ["positions"]
    )
    rehearse_days = dg.define_asset_job(
        REHEARSE_DAYS,
        chain,
        partitions_def=partitions,
        description="Candles to positions, for some symbols and days: the main job.",
    )
    publish_performance = dg.define_asset_job(
        PUBLISH_PERFORMANCE,
        dg.AssetSelection.key_prefixes(["performance"]) | dg.AssetSelection.keys("leaderboard"),
        description="How every strategy did, and the leaderboard.",
    )
    return dg.Definitions(
        assets=[*(asset for assets, _ in rooms_of for asset in assets), _leaderboard(lineup)],
        asset_checks=[check for _, check in rooms_of],
        jobs=[rehearse_days, publish_performance],
        schedules=[_daily()],
        sensors=[_on_stale_chain(), _on_backtests_changed(lineup)],
    )


def _rooms_of(
    entry: Entry, partitions: dg.MultiPartitionsDefinition
) -> tuple[list[dg.AssetsDefinition], dg.AssetChecksDefinition]:
    shared = {"io_manager_key": "lake", "kinds": {"parquet", "numpy"}}
    daily = {**shared, "partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}
    signals_key, backtests_key = (dg.AssetKey([room, entry.name]) for room in ("signals", "backtests"))

    @dg.asset(
        key=signals_key,
        group_name="signals",
        deps=[dg.AssetKey(["candles", "minute"])],
        description=f"{entry.description}\n\nDecisions at the close of each bar of the day.",
        code_version=entry.signals_code[:16],
        metadata={"dagster/column_schema": column_schema(SIGNALS), **_knobs(entry)},
        check_specs=[dg.AssetCheckSpec("decisions_are_not_waiting", asset=signals_key)],
        **daily,
    )
    @asset_body
    def signals(context: dg.AssetExecutionContext, house: House) -> Iterator[dg.Output[Iterator[Block]] | dg.AssetCheckResult]:
        waiting: list[str] = []
        yield in_blocks(_blocks(house.rooms, entry, context, _signals_block, waiting))
        yield _none_waiting("decisions_are_not_waiting", waiting)

    @dg.asset(
        key=backtests_key,
        group_name="backtests",
        deps=[dg.AssetKey(["candles", "minute"]), signals_key],
        description=f"What {entry.account.cash:,.0f} KRW would have become with {entry.name}: one row a day, folded on.",
        code_version=entry.backtests_code[:16],
        metadata={"dagster/column_schema": column_schema(BACKTESTS), **_knobs(entry)},
        check_specs=[dg.AssetCheckSpec("days_are_not_waiting", asset=backtests_key)],
        **daily,
    )
    @asset_body
    def backtests(context: dg.AssetExecutionContext, house: House) -> Iterator[dg.Output[Iterator[Block]] | dg.AssetCheckResult]:
        waiting: list[str] = []
        yield in_blocks(_blocks(house.rooms, entry, context, _backtests_block, waiting))
        yield _none_waiting("days_are_not_waiting", waiting)

    @dg.asset_check(asset=backtests_key, description="Every stored day is what a rehearsal of now would store.")
    def chain_is_current(house: House) -> dg.AssetCheckResult:
        agenda = Agenda(house.rooms.lake, house.rooms.ledger, {entry.name: entry})
        last = last_complete_day(now())
        active = [of for of in house.rooms.symbols.values() if of.is_active]
        behind = {f"{day} {of.symbol}": why for of in active for day, why in sorted(agenda.stale(of, last).items())}
        return dg.AssetCheckResult(
            passed=not behind,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(behind)} days; `coinhts backfill --stale` completes them" if behind else "all current",
            metadata=dict(list(behind.items())[:50]),
        )

    @dg.asset(
        key=["performance", entry.name],
        group_name="performance",
        deps=[backtests_key],
        description=f"How {entry.name} did, symbol by symbol, from its anchor to the end of its unbroken chain.",
        code_version=entry.backtests_code[:16],
        metadata={"dagster/column_schema": column_schema(PERFORMANCE)},
        check_specs=[dg.AssetCheckSpec("no_symbol_lags_behind", asset=dg.AssetKey(["performance", entry.name]))],
        **shared,
    )
    @asset_body
    def performance(house: House) -> Iterator[dg.Output[Whole] | dg.AssetCheckResult]:
        replaces = house.rooms.lake.number_of_whole(f"performance/{entry.name}")
        standings = _standings(house.rooms, [entry])
        yield _published(table(standings, _fee_rate(entry)), standings, replaces, f"{entry.name}: equity by coin")
        lagging = [f"{day} {of.registered.symbol}" for of in standings for day in of.lagging]
        yield dg.AssetCheckResult(
            check_name="no_symbol_lags_behind",
            passed=not lagging,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"days": lagging[:50]},
        )

    return [signals, backtests, performance], chain_is_current


def _leaderboard(lineup: Mapping[str, Entry]) -> dg.AssetsDefinition:
    @dg.asset(
        key="leaderboard",
        deps=[dg.AssetKey(["performance", name]) for name in lineup],
        group_name="performance",
        io_manager_key="lake",
        kinds={"parquet"},
        code_version="1",
        metadata={"dagster/column_schema": column_schema(PERFORMANCE)},
        check_specs=[dg.AssetCheckSpec("strategies_share_a_window", asset="leaderboard")],
    )
    @asset_body
    def leaderboard(house: House) -> Iterator[dg.Output[Whole] | dg.AssetCheckResult]:
        """Which strategy suits which coin: every strategy and coin over the days they all have."""
        replaces = house.rooms.lake.number_of_whole("leaderboard")
        standings = _standings(house.rooms, list(lineup.values()))
        window = common_window(standings)
        fee_rate = _fee_rate(*lineup.values())
        rows = table([of for of in standings if of.days], fee_rate, window).sort("total_return", descending=True, nulls_last=True)
        yield _published(rows, standings, replaces, "equity by strategy and coin")
        yield dg.AssetCheckResult(
            check_name="strategies_share_a_window",
            passed=window is not None or not standings,
            metadata={"window": " to ".join(map(str, window or ()))},
        )

    return leaderboard


def _blocks(
    rooms: Rooms,
    entry: Entry,
    context: dg.AssetExecutionContext,
    block_of: Callable[[Rehearsal, Entry, Registered, list[date]], Block],
    waiting: list[str],
) -> Iterator[Block]:
    registered = rooms.symbols
    for symbol, days in days_by_symbol(context.partition_keys).items():
        rehearsal = Rehearsal(rooms.lake, entry, registered[symbol], days[-1])
        block = block_of(rehearsal, entry, registered[symbol], days)
        yield block
        waiting += [f"{day} {symbol}" for day in days if block.entry(day).data_version == WAITING]


def _signals_block(rehearsal: Rehearsal, entry: Entry, registered: Registered, days: list[date]) -> Block:
    del entry
    candles = rehearsal.candle_versions()
    inputs = {day: {MINUTES: candles[day]} for day in days if day in candles}
    return Block(registered.symbol, rehearsal.signals(days), inputs)


def _backtests_block(rehearsal: Rehearsal, entry: Entry, registered: Registered, days: list[date]) -> Block:
    candles, decided = rehearsal.candle_versions(), rehearsal.signal_entries(days)
    inputs = {
        day: {MINUTES: candles[day], f"signals/{entry.name}": decided[day].data_version}
        for day in days
        if day in candles
    }
    return Block(registered.symbol, rehearsal.backtests(days), inputs)


def _none_waiting(name: str, waiting: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=not waiting,
        severity=dg.AssetCheckSeverity.WARN,
        description="`coinhts backfill` collects the days before them" if waiting else "none waits for candles",
        metadata={"days": waiting[:50]},
    )


def _standings(rooms: Rooms, entries: list[Entry]) -> list[Standing]:
    return [standing(rooms.lake, entry, of) for entry in entries for of in rooms.symbols.values() if of.is_active]


def _published(rows, standings: list[Standing], replaces: int, title: str) -> dg.Output[Whole]:
    curves = {f"{of.strategy} {of.registered.symbol}": of.equity(of.days[0], of.days[-1]) for of in standings if of.days}
    heads = sorted((of.strategy, str(of.registered.symbol), of.head) for of in standings)
    return dg.Output(
        Whole(DayRows.of(PERFORMANCE, rows), replaces),
        data_version=dg.DataVersion(digest(*heads)),
        metadata={
            "equity": dg.MetadataValue.md(as_image(svg_curves(curves, title), title) if curves else "nothing yet"),
            "figures": dg.MetadataValue.md(markdown(rows)),
            **{f"{of.strategy} {of.registered.symbol} last day": str(of.days[-1]) for of in standings if of.days},
        },
    )


def _fee_rate(*entries: Entry) -> float:
    return entries[0].account.costs(rules_on(last_complete_day(now()))).fee_rate if entries else 0.0


def _knobs(entry: Entry) -> Mapping[str, dg.MetadataValue]:
    return {
        "parameters": dg.MetadataValue.json(entry.strategy.parameters()),
        "account": dg.MetadataValue.json(entry.account.facts()),
    }


def _daily() -> dg.ScheduleDefinition:
    @dg.schedule(
        job_name=REHEARSE_DAYS,
        cron_schedule="10 0 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def rehearse_days_daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Yesterday, and whatever was missed before it, for every active symbol (09:10 KST)."""
        last = last_complete_day(context.scheduled_execution_time)
        with Rooms.open(read_settings()) as rooms:
            agenda = Agenda(rooms.lake, rooms.ledger, rooms.lineup)
            wanted = {of.symbol: agenda.to_extend(of, last, last) for of in rooms.symbols.values() if of.is_active}
        yield from _range_runs(wanted, context.instance, context.scheduled_execution_time.isoformat())

    return rehearse_days_daily


def _on_stale_chain() -> dg.SensorDefinition:
    @dg.sensor(job_name=REHEARSE_DAYS, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def on_stale_chain(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Days that new code, repaired candles or an earlier start left behind are folded again."""
        with Rooms.open(read_settings()) as rooms:
            agenda = Agenda(rooms.lake, rooms.ledger, rooms.lineup)
            last = last_complete_day(now())
            stale = {of.symbol: agenda.stale(of, last) for of in rooms.symbols.values() if of.is_active}
            codes = [entry.backtests_code for entry in rooms.lineup.values()]
        why = digest(*codes, *(f"{day} {symbol} {why}" for symbol, days in stale.items() for day, why in days.items()))
        yield from _range_runs(stale, context.instance, why)

    return on_stale_chain


def _range_runs(
    wanted: Mapping[str, Mapping[date, str] | set[date]], instance: dg.DagsterInstance, run_key: str
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    order = instance.get_dynamic_partitions(SYMBOLS.name or "")
    blocks = rectangles(wanted, order)
    if not blocks:
        yield dg.SkipReason("every day is current")
    for block in blocks:
        yield dg.RunRequest(run_key=f"{run_key} {sorted(block.tags.values())}", tags=block.tags)


def _on_backtests_changed(lineup: Mapping[str, Entry]) -> dg.SensorDefinition:
    keys = [dg.AssetKey(["backtests", name]) for name in lineup]

    @dg.sensor(job_name=PUBLISH_PERFORMANCE, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def on_backtests_changed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """How strategies did is worked out again after their days changed, at most once a minute."""
        records = [context.instance.get_latest_materialization_event(key) for key in keys]
        newest = max((record.timestamp for record in records if record), default=0.0)
        if f"{newest:.6f}" == (context.cursor or f"{0.0:.6f}"):
            return dg.SkipReason("no day has changed")
        context.update_cursor(f"{newest:.6f}")
        return dg.RunRequest(run_key=f"{newest:.6f}")

    return on_backtests_changed
