"""Markets: the exchange's list, and which coins of it are followed.

What lives here: the list's asset, check, job and schedule, and the sensor for coins that are new. What stays out:
registering (`coinhts_core.candles.registry`), and candles.
"""

from collections.abc import Iterator, Mapping

import dagster as dg
import polars as pl

from coinhts_core.candles.registry import note_delistings, register
from coinhts_core.errors import NotStoredError
from coinhts_core.frames import Column, Schema
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.settings import ALL_KRW, Settings, read_settings
from coinhts_pipeline.io_managers.blocks import Whole
from coinhts_pipeline.io_managers.lake import column_schema
from coinhts_pipeline.partitions import SYMBOLS
from coinhts_pipeline.resources import House, Rooms
from coinhts_pipeline.verdicts import asset_body

MARKETS = Schema(
    "markets",
    1,
    (
        Column("symbol", "text", meaning="Upbit's code"),
        Column("korean_name", "text", meaning="as the exchange writes it"),
        Column("english_name", "text", meaning="as the exchange writes it"),
        Column("is_warned", "bool", meaning="whether the exchange warns of it"),
    ),
)


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup

    @dg.asset(
        key="markets",
        group_name="candles",
        kinds={"parquet"},
        code_version="1",
        io_manager_key="lake",
        metadata={"dagster/column_schema": column_schema(MARKETS)},
        check_specs=[dg.AssetCheckSpec("followed_symbols_are_listed", asset="markets")],
    )
    @asset_body
    def markets(house: House) -> Iterator[dg.Output[Whole] | dg.AssetCheckResult]:
        """Every market the exchange lists, with its names and whether it carries a warning."""
        replaces = house.rooms.lake.number_of_whole("markets")
        listings = [vars(listing) for listing in house.rooms.exchange.markets()]
        rows = DayRows.of(MARKETS, pl.DataFrame(listings).sort("symbol"))
        yield dg.Output(Whole(rows, replaces), data_version=dg.DataVersion(rows.entry.content_hash))
        gone = sorted({of.symbol for of in house.rooms.active} - set(rows.frame["symbol"]))
        ended = note_delistings(house.rooms.ledger, house.rooms.exchange, gone)
        yield dg.AssetCheckResult(
            check_name="followed_symbols_are_listed",
            passed=not gone,
            metadata={symbol: f"last day {ended.get(symbol, 'unknown')}" for symbol in gone},
        )

    refresh_markets = dg.define_asset_job("refresh_markets", ["markets"])

    @dg.schedule(
        job=refresh_markets,
        cron_schedule="5 0 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def refresh_markets_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """The market list, just after midnight UTC (09:05 KST)."""
        return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())

    return dg.Definitions(
        assets=[markets],
        jobs=[refresh_markets],
        schedules=[refresh_markets_daily],
        sensors=[on_new_market],
    )


@dg.sensor(minimum_interval_seconds=600, default_status=dg.DefaultSensorStatus.RUNNING)
def on_new_market(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Coins that the market list has and nobody follows yet: registered under `all-krw`, else only named."""
    del context
    settings = read_settings()
    with Rooms.open(settings) as rooms:
        try:
            listed = rooms.lake.read_whole("markets")["symbol"]
        except NotStoredError:
            return dg.SkipReason("the market list was never collected; run refresh_markets")
        new = [Market(symbol) for symbol in listed if symbol.startswith("KRW-") and symbol not in rooms.symbols]
        if not new:
            return dg.SkipReason("every listed coin is known")
        if settings.symbols != ALL_KRW:
            return dg.SkipReason(f"not followed: {', '.join(new)}; COINHTS_SYMBOLS names those that are")
        register(rooms.ledger, rooms.exchange, [*(of.symbol for of in rooms.active), *new], settings.start_date)
    return dg.SensorResult(dynamic_partitions_requests=[SYMBOLS.build_add_request(new)])
