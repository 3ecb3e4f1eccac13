"""Markets: the exchange's list, and which coins of it are followed.

What lives here: the list's asset, check, job and schedule, and the sensor for coins that are new. What stays out:
registering (`coinhts_core.candles.registry`), the lists of past days (`coinhts_core.candles.listings`), and candles.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from coinhts_core.candles.listings import Changes, changes_since, record_listings
from coinhts_core.candles.registry import note_delistings, register
from coinhts_core.clock import now
from coinhts_core.errors import NotStoredError
from coinhts_core.exchanges import MarketListing
from coinhts_core.frames import Column, Schema
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.settings import ALL_KRW, Settings, read_settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.io_managers.blocks import Whole
from coinhts_pipeline.partitions import SYMBOLS
from coinhts_pipeline.resources import House
from coinhts_pipeline.rooms import Rooms
from coinhts_pipeline.verdicts import asset_body

MARKETS = Schema(
    "markets",
    2,
    (
        Column("symbol", "text", meaning="Upbit's code"),
        Column("korean_name", "text", meaning="as the exchange writes it"),
        Column("english_name", "text", meaning="as the exchange writes it"),
        Column("is_warned", "bool", meaning="whether the exchange warns of it"),
        Column("cautions", "text", meaning="the exchange's own words, with commas between them"),
    ),
)
_NAMED = 50  # of the markets that came or went


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup

    @dg.asset(
        key="markets",
        group_name="candles",
        kinds={"parquet"},
        code_version="2",
        io_manager_key="lake",
        tags={"source": "exchange"},
        metadata=described(MARKETS.columns),
        check_specs=[
            dg.AssetCheckSpec(
                "followed_symbols_are_listed",
                asset="markets",
                description="Every active symbol is on the exchange's list of today, or its end was noted before.",
            )
        ],
    )
    @asset_body
    def markets(house: House) -> Iterator[dg.Output[Whole] | dg.AssetCheckResult]:
        """Every market the exchange lists, with its names, warning and cautions; the ledger keeps each list."""
        rooms, today = house.rooms, now().date()
        replaces = rooms.lake.number_of_whole("markets")
        listed = rooms.exchange.markets()
        rows = DayRows.of(MARKETS, _frame(listed))
        changes = _told(changes_since(rooms.ledger, today, listed))
        yield Whole(rows, replaces, rows.entry.content_hash).output(changes)
        record_listings(rooms.ledger, today, listed)
        active = rooms.active
        gone = sorted({of.symbol for of in active} - {of.symbol for of in listed})
        ended_before = [of.symbol for of in active if of.delisted_on]
        ended = note_delistings(rooms.ledger, rooms.exchange, dict.fromkeys([*gone, *ended_before]))
        yield _judged(gone, ended_before, ended)

    refresh_markets = dg.define_asset_job(
        "refresh_markets", ["markets"], description="The exchange's list of markets, kept for its day."
    )

    @dg.schedule(
        job=refresh_markets,
        cron_schedule="5 0 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The market list, just after midnight UTC (09:05 KST).",
    )
    def refresh_markets_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())

    return dg.Definitions(
        assets=[markets],
        jobs=[refresh_markets],
        schedules=[refresh_markets_daily],
        sensors=[on_new_market],
    )


def _judged(
    gone: Sequence[Market], ended_before: Sequence[Market], ended: Mapping[Market, date]
) -> dg.AssetCheckResult:
    """A coin that left the list is told until its end is noted, and from then on only mentioned."""
    news = [symbol for symbol in gone if symbol not in ended_before or symbol not in ended]
    if news:
        told = f"not on the list any more: {_named(news)}"
    else:
        told = f"all are listed but those whose end was noted before, {_named(gone)}" if gone else "all are listed"
    return dg.AssetCheckResult(
        check_name="followed_symbols_are_listed",
        passed=not news,
        description=told,
        metadata={symbol: f"last day {ended.get(symbol, 'unknown')}" for symbol in gone},
    )


def _frame(listed: Sequence[MarketListing]) -> pl.DataFrame:
    return pl.DataFrame([{**vars(of), "cautions": ", ".join(of.cautions)} for of in listed]).sort("symbol")


def _told(changes: Changes) -> dict[str, Any]:
    """Which markets came and went, for the UI."""
    if changes.since is None:
        return {"compared_with": "no list was recorded before"}
    return {"compared_with": f"{changes.since}", "came": _named(changes.came), "went": _named(changes.went)}


def _named(symbols: Sequence[Market]) -> str:
    if not symbols:
        return "none"
    others = f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else ""
    return f"{len(symbols)}: {', '.join(symbols[:_NAMED])}{others}"


@dg.sensor(
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Coins that the market list has and nobody follows yet: registered under `all-krw`, else only named.",
)
def on_new_market(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
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
