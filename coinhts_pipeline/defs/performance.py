"""Performance: how each strategy did, and the leaderboard.

What lives here: `performance/…`, `leaderboard`, their job, and the sensor that keeps them up with the backtests. What
stays out: figures (`coinhts_core.performance`) and drawing (`coinhts_core.backtests.report`).
"""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg
import polars as pl

from coinhts_core.backtests.report import as_image, svg_curves
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.candles.frame import MINUTES
from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.hashes import digest
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.performance import LEADERBOARD, PERFORMANCE, Standing, common_window, in_words, standing, table
from coinhts_core.rules import rules_on
from coinhts_core.settings import Settings, read_settings
from coinhts_core.standing_sheets import sheet_of
from coinhts_pipeline.columns import described
from coinhts_pipeline.io_managers.blocks import Whole
from coinhts_pipeline.io_managers.lake import markdown
from coinhts_pipeline.resources import House
from coinhts_pipeline.rooms import Rooms
from coinhts_pipeline.verdicts import asset_body

PUBLISH_PERFORMANCE = "publish_performance"
_CANDLES = dg.AssetKey(MINUTES.split("/"))
_SHOWN = 50  # of the days a check complains about

Results = Iterator[dg.Output[Whole] | dg.AssetCheckResult]


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings
    publish_performance = dg.define_asset_job(
        PUBLISH_PERFORMANCE,
        dg.AssetSelection.key_prefixes(["performance"]) | dg.AssetSelection.assets("leaderboard"),
        description="How every strategy did, and the leaderboard.",
    )
    return dg.Definitions(
        assets=[*(_performance(entry) for entry in lineup.values()), _leaderboard(lineup)],
        jobs=[publish_performance],
        sensors=[_on_backtests_changed([dg.AssetKey(["backtests", name]) for name in lineup])],
    )


def _performance(entry: Entry) -> dg.AssetsDefinition:
    key, backtests = (dg.AssetKey([room, entry.name]) for room in ("performance", "backtests"))

    @dg.asset(
        key=key,
        deps=[_CANDLES, backtests],
        description=f"How {entry.name} did, symbol by symbol, from its anchor to the end of its unbroken chain.",
        group_name="performance",
        kinds={"parquet", "numpy"},
        code_version=entry.backtests_code[:16],
        io_manager_key="lake",
        tags={"strategy": entry.name},
        metadata=described(PERFORMANCE.columns, candles=[_CANDLES], backtests=[backtests]),
        check_specs=[
            dg.AssetCheckSpec(
                "no_symbol_lags_behind",
                asset=key,
                description="Every stored day of an active symbol is in its unbroken chain, and so in the figures.",
            )
        ],
    )
    @asset_body
    def performance(house: House) -> Results:
        replaces = house.rooms.lake.number_of_whole(f"performance/{entry.name}")
        standings = _standings(house.rooms, [entry])
        rows, pages = table(standings, _fee_rate(entry)), _pages(house.rooms, entry, standings)
        yield _published(rows, standings, replaces, f"{entry.name}: equity by coin", pages)
        lagging = [f"{day} {of.registered.symbol}" for of in standings for day in of.lagging]
        yield dg.AssetCheckResult(
            check_name="no_symbol_lags_behind",
            passed=not lagging,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(lagging)} days stand behind a gap" if lagging else "every stored day counts",
            metadata={"days": lagging[:_SHOWN]},
        )

    return performance


def _leaderboard(lineup: Mapping[str, Entry]) -> dg.AssetsDefinition:
    compared = [dg.AssetKey(["performance", name]) for name in lineup]

    @dg.asset(
        key="leaderboard",
        deps=compared,
        group_name="performance",
        kinds={"parquet"},
        tags={"compares": "strategies"},
        code_version="1",
        io_manager_key="lake",
        metadata=described(LEADERBOARD.columns, performance=compared),
        check_specs=[
            dg.AssetCheckSpec(
                "strategies_share_a_window",
                asset="leaderboard",
                description="There are days that every strategy and coin has, or nothing could be compared.",
            )
        ],
    )
    @asset_body
    def leaderboard(house: House) -> Results:
        """Which strategy suits which coin: every strategy and coin over the days they all have, best first."""
        replaces = house.rooms.lake.number_of_whole("leaderboard")
        standings = [of for of in _standings(house.rooms, lineup.values()) if of.days]
        window = common_window(standings)
        rows = table(standings, _fee_rate(*lineup.values()), window)
        ranked = rows.sort("total_return", descending=True, nulls_last=True)
        yield _published(ranked, standings, replaces, "equity by strategy and coin")
        yield dg.AssetCheckResult(
            check_name="strategies_share_a_window",
            passed=window is not None or not standings,
            description="compared over {} to {}".format(*window) if window else "they have no day in common",
            metadata={"window": " to ".join(map(str, window or ()))},
        )

    return leaderboard


def _on_backtests_changed(keys: list[dg.AssetKey]) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=PUBLISH_PERFORMANCE,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="How strategies did is worked out again after their days changed, at most once a minute.",
    )
    def on_backtests_changed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        records = [context.instance.get_latest_materialization_event(key) for key in keys]
        newest = f"{max((record.timestamp for record in records if record), default=0.0):.6f}"
        seen, _, stood = (context.cursor or f"{0.0:.6f}").partition(" ")
        if newest == seen:
            return dg.SkipReason("no day has changed")
        stand = _versions(keys)
        context.update_cursor(f"{newest} {stand}")
        if stand == stood:
            return dg.SkipReason("days were made again and came out as they were")
        return dg.RunRequest(run_key=newest)

    return on_backtests_changed


def _versions(keys: Iterable[dg.AssetKey]) -> str:
    """The data versions of all days of these, as they are now."""
    with Rooms.open(read_settings()) as rooms:
        heads = ((key, of, rooms.lake.heads("/".join(key.path), of.symbol)) for key in keys for of in rooms.active)
        return digest(
            *(
                f"{key.path[-1]} {of.symbol} {day} {entry.data_version}"
                for key, of, days in heads
                for day, entry in sorted(days.items())
            )
        )


def _standings(rooms: Rooms, entries: Iterable[Entry]) -> list[Standing]:
    return [standing(rooms.lake, entry, of) for entry in entries for of in rooms.active]


def _pages(rooms: Rooms, entry: Entry, standings: list[Standing]) -> dict[str, dg.UrlMetadataValue]:
    """A tearsheet a coin, in COINHTS_HOME/reports, which the front serves."""
    shown, pages = [of for of in standings if of.days], {}
    for of in shown:
        symbol = of.registered.symbol
        page = rooms.settings.reports_folder / "performance" / entry.name / f"{symbol}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        draft = page.with_suffix(".draft")
        draft.write_text(tearsheet(sheet_of(entry, of, shown, _fee_rate(entry))), encoding="utf-8")
        draft.replace(page)
        place = page.relative_to(rooms.settings.reports_folder)
        pages[f"tearsheet {symbol}"] = dg.MetadataValue.url(f"/reports/{place}")
    return pages


def _published(
    rows: pl.DataFrame,
    standings: list[Standing],
    replaces: int,
    title: str,
    pages: Mapping[str, dg.UrlMetadataValue] | None = None,
) -> dg.Output[Whole]:
    shown = [of for of in standings if of.days]
    curves = {f"{of.strategy} {of.registered.symbol}": of.equity(of.days[0], of.days[-1]) for of in shown}
    days = min((str(of.days[0]) for of in shown), default=""), max((str(of.days[-1]) for of in shown), default="")
    drawn = as_image(svg_curves(curves, title, days), title) if curves else "nothing yet"
    version = digest(*(f"{of.strategy} {of.registered.symbol} {of.head}" for of in standings))
    whole = Whole(DayRows.of(PERFORMANCE, rows), replaces, version, preview=markdown(in_words(rows)))
    return whole.output({"equity": dg.MetadataValue.md(drawn), **(pages or {})})


def _fee_rate(*entries: Entry) -> float:
    today = rules_on(last_complete_day(now()))
    return entries[0].account.costs(today).fee_rate if entries else 0.0
