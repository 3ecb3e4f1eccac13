"""Candles: minute bars and day bars, as the exchange said them.

What lives here: their assets, checks, jobs and schedules. What stays out: asking and judging
(`coinhts_core.candles`), which markets there are (`markets`), and what is made of the bars (`strategies`).
"""

from collections.abc import Iterator, Mapping
from datetime import date

import dagster as dg

from coinhts_core.candles.agreement import disagreements
from coinhts_core.candles.collection import answers, collect, record
from coinhts_core.candles.coverage import days_missing
from coinhts_core.candles.frame import CANDLES, judge_day
from coinhts_core.candles.registry import Registered
from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.errors import NotStoredError
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market, Timeframe
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.io_managers.blocks import Block, in_blocks
from coinhts_pipeline.io_managers.lake import column_schema
from coinhts_pipeline.partitions import SYMBOLS, days_by_symbol, symbol_days
from coinhts_pipeline.resources import House, Rooms
from coinhts_pipeline.verdicts import asset_body

_MINUTE = dg.AssetKey(["candles", "minute"])
_DAY = dg.AssetKey(["candles", "day"])
_NOT_LISTED = DayRows.of(CANDLES, CANDLES.empty()).entry


class Collect(dg.Config):
    """Whether days that are already covered are asked for once more."""

    refresh: bool = False


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del lineup

    @dg.asset(
        key=_MINUTE,
        partitions_def=symbol_days(settings.start_date),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="candles",
        kinds={"parquet", "polars"},
        code_version="1",
        io_manager_key="lake",
        metadata={"dagster/column_schema": column_schema(CANDLES)},
        check_specs=[dg.AssetCheckSpec("days_are_complete", asset=_MINUTE)],
    )
    @asset_body
    def minute(
        context: dg.AssetExecutionContext, config: Collect, house: House
    ) -> Iterator[dg.Output[Iterator[Block]] | dg.AssetCheckResult]:
        """Minute bars of a UTC day. A minute without a trade has no bar; coverage knows which days were answered."""
        refused: dict[str, str] = {}
        yield in_blocks(
            _collected(house.rooms, days_by_symbol(context.partition_keys), refused, refresh=config.refresh)
        )
        yield dg.AssetCheckResult(
            check_name="days_are_complete",
            passed=not refused,
            description="every day asked for was answered completely" if not refused else "some days are missing",
            metadata=dict(sorted(refused.items())[:50]),
        )

    @dg.asset(
        key=_DAY,
        partitions_def=SYMBOLS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="candles",
        kinds={"parquet", "polars"},
        code_version="1",
        io_manager_key="lake",
        metadata={"dagster/column_schema": column_schema(CANDLES)},
        check_specs=[
            dg.AssetCheckSpec(name, asset=_DAY) for name in ("day_bars_are_fresh", "day_bars_agree_with_minutes")
        ],
    )
    @asset_body
    def day(
        context: dg.AssetExecutionContext, house: House
    ) -> Iterator[dg.Output[Iterator[Block]] | dg.AssetCheckResult]:
        """The exchange's own daily bars, since the coin was listed: years of them in a few calls."""
        symbols, behind = [Market(key) for key in sorted(context.partition_keys)], dict[str, str]()
        yield in_blocks(_daily(house.rooms, symbols, behind))
        yield dg.AssetCheckResult(check_name="day_bars_are_fresh", passed=not behind, metadata=behind)
        differing = [f"{symbol} {words}" for symbol in symbols for words in _differing(house.rooms, symbol)]
        yield dg.AssetCheckResult(
            check_name="day_bars_agree_with_minutes",
            passed=not differing,
            severity=dg.AssetCheckSeverity.WARN,
            description="where both are stored: prices exactly, volumes nearly",
            metadata={"differences": differing[:50]},
        )

    collect_day_candles = dg.define_asset_job("collect_day_candles", [_DAY])

    @dg.schedule(
        job=collect_day_candles,
        cron_schedule="20 0 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def collect_day_candles_daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        """Day bars of every active symbol (09:20 KST)."""
        with Rooms.open(read_settings()) as rooms:
            symbols = [of.symbol for of in rooms.active]
        for symbol in symbols:
            run_key = f"{symbol} {context.scheduled_execution_time.isoformat()}"
            yield dg.RunRequest(run_key=run_key, partition_key=symbol)

    return dg.Definitions(
        assets=[minute, day],
        jobs=[collect_day_candles],
        schedules=[collect_day_candles_daily],
    )


def _collected(
    rooms: Rooms,
    wanted: Mapping[Market, list[date]],
    refused: dict[str, str],
    *,
    refresh: bool,
) -> Iterator[Block]:
    """Symbol by symbol: ask, hand over to be published, and only then record the days as covered."""
    registered = rooms.symbols
    for symbol, days in wanted.items():
        covered = {} if refresh else _covered(rooms, registered[symbol], days)
        asked_at = now()
        collection = collect(rooms.exchange, registered[symbol], days, covered, asked_at)
        yield Block(symbol, {**covered, **dict.fromkeys(collection.unlisted, _NOT_LISTED), **collection.answered})
        record(rooms.ledger, collection, asked_at)
        refused |= {f"{day} {symbol}": reason for day, reason in collection.refused.items()}


def _covered(rooms: Rooms, registered: Registered, days: list[date]) -> dict[date, DayEntry]:
    """The days that were answered completely and whose rows are still there."""
    stored = rooms.lake.heads("candles/minute", registered.symbol)
    answered = answers(rooms.ledger, registered.symbol, days[0], days[-1])
    missing = days_missing(days, registered, answered, {day: entry.rows for day, entry in stored.items()})
    return {day: stored[day] for day in days if day in stored and day not in missing}


def _daily(rooms: Rooms, symbols: list[Market], behind: dict[str, str]) -> Iterator[Block]:
    for symbol in symbols:
        registered, asked_at = rooms.symbols[symbol], now()
        last = min(last_complete_day(asked_at), registered.delisted_on or date.max)
        frame = rooms.exchange.days(symbol, registered.first_day, last)
        by_day = {opened_at.date(): bar for (opened_at,), bar in frame.group_by("opened_at", maintain_order=True)}
        judged = {day: judge_day(bar, symbol, day, Timeframe.D1, asked_at=asked_at) for day, bar in by_day.items()}
        yield Block(symbol, {day: DayRows.of(CANDLES, bar, asked_at=asked_at) for day, bar in judged.items()})
        if last not in judged:
            behind[str(symbol)] = f"the last bar is of {max(judged, default='no day')}"


def _differing(rooms: Rooms, symbol: Market) -> list[str]:
    try:
        days, minutes = (
            rooms.lake.read(asset, symbol, date.min, date.max) for asset in ("candles/day", "candles/minute")
        )
    except NotStoredError:
        return []
    return disagreements(days, minutes)
