"""Candles: minute bars and day bars, as the exchange said them.

What lives here: their assets, checks, jobs and schedules. What stays out: asking and judging
(`coinhts_core.candles`), which markets there are (`markets`), and what is made of the bars (`strategies`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

import dagster as dg
from pydantic import Field

from coinhts_core.candles.agreement import disagreements
from coinhts_core.candles.collection import Collection, answers, collect, record
from coinhts_core.candles.coverage import Answer, days_missing
from coinhts_core.candles.frame import CANDLES, BadBar, Sifted, sift
from coinhts_core.candles.quarantine import find_bad_bars, quarantine
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.revisions import find_revisions
from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.errors import NotStoredError, RefusedError
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market, Timeframe
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.findings import DAY_CHECKS, MINUTE_CHECKS, Findings, specs
from coinhts_pipeline.io_managers.blocks import Block, in_blocks
from coinhts_pipeline.partitions import SYMBOLS, days_by_symbol, rectangles, symbol_days, symbol_range
from coinhts_pipeline.plots import plot
from coinhts_pipeline.resources import House
from coinhts_pipeline.rooms import Rooms
from coinhts_pipeline.verdicts import asset_body

COLLECT_DAY_CANDLES = "collect_day_candles"
_MINUTE = dg.AssetKey(["candles", "minute"])
_DAY = dg.AssetKey(["candles", "day"])
_NOT_LISTED = DayRows.of(CANDLES, CANDLES.empty()).entry


class Collect(dg.Config):
    """Whether days that are already covered are asked for once more."""

    refresh: bool = Field(default=False, description="ask again for days that are covered already")


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
        tags={"source": "exchange", "timeframe": "1m"},
        metadata=described(CANDLES.columns),
        check_specs=specs(_MINUTE, MINUTE_CHECKS),
    )
    @asset_body
    def minute(
        context: dg.AssetExecutionContext, config: Collect, house: House
    ) -> Iterator[dg.Output[Iterator[Block]] | dg.AssetCheckResult]:
        """Minute bars of a UTC day. A minute without a trade has no bar; coverage knows which days were answered."""
        findings = Findings(MINUTE_CHECKS)
        wanted = days_by_symbol(context.partition_keys)
        yield in_blocks(_collected(house.rooms, wanted, findings, refresh=config.refresh))
        yield from findings.results()

    @dg.asset(
        key=_DAY,
        partitions_def=SYMBOLS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="candles",
        kinds={"parquet", "polars"},
        code_version="1",
        io_manager_key="lake",
        tags={"source": "exchange", "timeframe": "1d"},
        metadata=described(CANDLES.columns),
        check_specs=specs(_DAY, DAY_CHECKS),
    )
    @asset_body
    def day(
        context: dg.AssetExecutionContext, house: House
    ) -> Iterator[dg.Output[Iterator[Block]] | dg.AssetCheckResult]:
        """The exchange's own daily bars, since the coin was listed: years of them in a few calls."""
        symbols, findings = [Market(key) for key in sorted(context.partition_keys)], Findings(DAY_CHECKS)
        yield in_blocks(_daily(house.rooms, symbols, findings))
        for symbol in symbols:
            for at, difference in _differing(house.rooms, symbol):
                findings.add("day_bars_agree_with_minutes", f"{at:%Y-%m-%d} {symbol}", difference)
        yield from findings.results()

    collect_day_candles = dg.define_asset_job(
        COLLECT_DAY_CANDLES, [_DAY], description="The exchange's own daily bars of some coins, since each was listed."
    )

    @dg.schedule(
        job=collect_day_candles,
        cron_schedule="7 0 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Day bars of every active symbol, of neighbours in one run (09:07 KST).",
    )
    def collect_day_candles_daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        moment = context.scheduled_execution_time
        with Rooms.open(read_settings()) as rooms:
            wanted = {of.symbol: [moment.date()] for of in rooms.active}
        for block in rectangles(wanted, context.instance.get_dynamic_partitions(SYMBOLS.name or "")):
            run_key = f"{block.symbols[0]} to {block.symbols[-1]} {moment.isoformat()}"
            yield dg.RunRequest(run_key=run_key, tags=symbol_range(block.symbols))

    return dg.Definitions(
        assets=[minute, day],
        jobs=[collect_day_candles],
        schedules=[collect_day_candles_daily],
    )


@dataclass(frozen=True)
class _Known:
    """What was told of a symbol's days before, and what is stored of it."""

    told: Mapping[date, Answer]
    stored: Mapping[date, DayEntry]
    whole: Mapping[date, DayEntry]

    @classmethod
    def of(cls, rooms: Rooms, registered: Registered, days: list[date]) -> Self:
        stored = rooms.lake.heads("candles/minute", registered.symbol)
        told = answers(rooms.ledger, registered.symbol, days[0], days[-1])
        missing = days_missing(days, registered, told, {day: entry.content_hash for day, entry in stored.items()})
        return cls(told, stored, {day: stored[day] for day in days if day in stored and day not in missing})


def _collected(
    rooms: Rooms,
    wanted: Mapping[Market, list[date]],
    findings: Findings,
    *,
    refresh: bool,
) -> Iterator[Block]:
    """Symbol by symbol: ask, hand over to be published, and only then record what was answered."""
    symbols = rooms.symbols
    for symbol, days in wanted.items():
        registered, asked_at = symbols[symbol], now()
        known = _Known.of(rooms, registered, days)
        covered = {} if refresh else known.whole
        collection = collect(rooms.exchange, registered, days, covered, asked_at, whole=known.whole)
        revisions = find_revisions(rooms.lake, symbol, known.told, known.stored, collection.complete)
        block = _block(collection, covered, known)
        yield block
        record(rooms.ledger, collection, asked_at, revisions)
        kept = find_bad_bars(rooms.ledger, symbol, Timeframe.M1, days[0], days[-1]) if collection.refused else {}
        findings.add_collection(collection, kept, revisions)
        last = min(days[-1], last_complete_day(asked_at))
        if registered.is_active and registered.is_listed_on(last):
            _note_freshness(findings, block, known, last)


def _block(collection: Collection, covered: Mapping[date, DayEntry], known: _Known) -> Block:
    as_before = {**covered, **{day: known.stored[day] for day in collection.left_alone}}
    unlisted = dict.fromkeys(collection.unlisted, _NOT_LISTED)
    return Block(
        collection.registered.symbol,
        {**as_before, **unlisted, **collection.answered},
        shown=_drawn(collection.answered),
    )


def _drawn(days: Mapping[date, DayRows]) -> dict[str, dg.MarkdownMetadataValue]:
    """The newest day's closes."""
    if not days:
        return {}
    return plot(days[max(days)].frame["close"].to_list(), f"close on {max(days)}, KRW")


def _note_freshness(findings: Findings, block: Block, known: _Known, last: date) -> None:
    """A bar of the newest day asked for, or of the day before it, is at most 24 hours older than that day."""
    entries = {**known.stored, **{day: block.entry(day) for day in block.days}}
    newest = max((day for day, entry in entries.items() if entry.rows and day <= last), default=None)
    if newest is None or newest < last - timedelta(days=1):
        findings.add("bars_are_fresh", str(block.symbol), f"the newest bar up to {last} is of {newest or 'no day'}")


def _daily(rooms: Rooms, symbols: list[Market], findings: Findings) -> Iterator[Block]:
    registered = rooms.symbols
    for symbol in symbols:
        asked_at = now()
        last = min(last_complete_day(asked_at), registered[symbol].delisted_on or date.max)
        days = DayRange(registered[symbol].first_day, last)
        try:
            told = rooms.exchange.days(symbol, days.first, last)
            sifted = sift(told, symbol, days, Timeframe.D1, asked_at=asked_at)
        except RefusedError as error:
            if last not in rooms.lake.heads("candles/day", symbol):  # else nothing is missing: it ended, or was asked
                findings.add("day_bars_are_fresh", str(symbol), str(error))
            continue
        if sifted.is_bad_answer:
            findings.add("day_bars_are_fresh", str(symbol), f"{len(sifted.bad)} bars are bad: {sifted.bad[0]}")
            continue
        by_day = {opened_at.date(): bar for (opened_at,), bar in sifted.good.group_by("opened_at", maintain_order=True)}
        bars = {day: DayRows.of(CANDLES, bar, asked_at=asked_at) for day, bar in by_day.items()}
        yield Block(symbol, bars, shown=plot(sifted.good["close"].to_list(), "close of each day, KRW"))
        _note_bad_days(rooms, findings, symbol, days, sifted, asked_at=asked_at)
        if last not in by_day:
            findings.add("day_bars_are_fresh", str(symbol), f"the last bar is of {max(by_day, default='no day')}")


def _note_bad_days(
    rooms: Rooms, findings: Findings, symbol: Market, days: DayRange, sifted: Sifted, *, asked_at: datetime
) -> None:
    """Keep the bad ones in quarantine in the place of those of before; a bar of no day is told under the last."""
    bad: dict[date, list[BadBar]] = {}
    for of in sifted.bad:
        opened_on = of.opened_at.date() if of.opened_at else days.last
        day = opened_on if opened_on in days else days.last
        bad.setdefault(day, []).append(of)
        findings.add_bar("day_bars_keep_every_rule", symbol, day, of)
    with rooms.ledger.transaction() as connection, connection.cursor() as cursor:
        quarantine(cursor, symbol, Timeframe.D1, list(days), bad, asked_at=asked_at)


def _differing(rooms: Rooms, symbol: Market) -> list[tuple[datetime, str]]:
    try:
        days, minutes = (
            rooms.lake.read(asset, symbol, date.min, date.max) for asset in ("candles/day", "candles/minute")
        )
    except NotStoredError:
        return []
    return disagreements(days, minutes, Timeframe.D1)
