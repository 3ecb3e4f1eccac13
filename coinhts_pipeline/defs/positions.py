"""Positions: what each rehearsed strategy held, day by day, in the ledger.

What lives here: `positions/<strategy>` and its check. What stays out: other books (paper, live, manual).
"""

import json
from collections.abc import Iterator, Mapping

import dagster as dg

from coinhts_core.backtests.chain import positions_version
from coinhts_core.lake.reader import Stored
from coinhts_core.ledger.books import BookDay
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.positions import Position
from coinhts_core.settings import Settings
from coinhts_pipeline.io_managers.blocks import in_blocks
from coinhts_pipeline.io_managers.ledger import BookBlock
from coinhts_pipeline.partitions import symbol_days
from coinhts_pipeline.verdicts import asset_body

_COLUMNS = {
    "day": ("date", "UTC"),
    "symbol": ("market", "Upbit's code"),
    "position": ("bigint", "counted from 1 over the coin's whole chain"),
    "opened_at": ("timestamptz", "when the entry was filled"),
    "entry_price_krw": ("numeric", "a coin, at the entry"),
    "volume_base": ("numeric", "coins held"),
    "entry_fee_krw": ("numeric", "paid on the way in"),
    "closed_at": ("timestamptz", "when the exit was filled; empty while it is open"),
    "exit_price_krw": ("numeric", "a coin, at the exit"),
    "exit_fee_krw": ("numeric", "paid on the way out"),
    "mark_price_krw": ("numeric", "the day's last price"),
    "profit_krw": ("numeric", "fees on both sides counted; while open, at the last price"),
    "chain_id": ("text", "the backtest's link it was read off"),
}


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    partitions = symbol_days(settings.start_date)
    return dg.Definitions(assets=[_positions(entry, partitions) for entry in lineup.values()])


def _positions(entry: Entry, partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(["positions", entry.name])

    @dg.asset(
        key=key,
        ins={"backtests": dg.AssetIn(key=["backtests", entry.name])},
        description=f"Positions that {entry.name} held at any time of the day, in the book backtest:{entry.name}.",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="positions",
        kinds={"postgres"},
        code_version="1",
        io_manager_key="ledger",
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(name, kind, description=told) for name, (kind, told) in _COLUMNS.items()]
            )
        },
        check_specs=[dg.AssetCheckSpec("at_most_one_position_is_open", asset=key)],
    )
    @asset_body
    def positions(
        backtests: Mapping[Market, Stored],
    ) -> Iterator[dg.Output[Iterator[BookBlock]] | dg.AssetCheckResult]:
        crowded: list[str] = []
        yield in_blocks(_read_off(entry.name, backtests, crowded))
        yield dg.AssetCheckResult(
            check_name="at_most_one_position_is_open", passed=not crowded, metadata={"days": crowded[:50]}
        )

    return positions


def _read_off(name: str, backtests: Mapping[Market, Stored], crowded: list[str]) -> Iterator[BookBlock]:
    for symbol, stored in backtests.items():
        held = {row["day"]: row for row in stored.rows.iter_rows(named=True)}
        links = {day: entry.data_version for day, entry in stored.entries.items()}
        days = {
            day: BookDay(
                link,
                held[day]["last_price_krw"] if day in held else 0.0,
                tuple(map(Position.from_facts, json.loads(held[day]["held"]))) if day in held else (),
            )
            for day, link in links.items()
        }
        crowded += [f"{symbol} {day}" for day, of in days.items() if sum(position.is_open for position in of.held) > 1]
        yield BookBlock(
            symbol,
            days,
            versions={day: positions_version(link) for day, link in links.items()},
            inputs={day: {f"backtests/{name}": link} for day, link in links.items()},
        )
