"""Positions: what each rehearsed strategy held, day by day, in the ledger.

What lives here: `positions/<strategy>` and its check. What stays out: other books (paper, live, manual).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import dagster as dg
import polars as pl

from coinhts_core.alerts.alert import moment
from coinhts_core.backtests.chain import positions_version
from coinhts_core.candles.frame import MINUTES
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.reader import Stored
from coinhts_core.ledger.books import BookDay
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.positions import Position
from coinhts_core.settings import Settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.io_managers.blocks import in_blocks
from coinhts_pipeline.io_managers.lake import markdown
from coinhts_pipeline.io_managers.ledger import BookBlock
from coinhts_pipeline.partitions import symbol_days
from coinhts_pipeline.plots import plot
from coinhts_pipeline.resources import House
from coinhts_pipeline.verdicts import asset_body

_SHOWN = 50  # of the days a check complains about
_HELD = ("backtests.held",)
_PRICED = ("backtests.last_price_krw",)


class _Column(NamedTuple):
    """A column of the ledger's table of positions."""

    name: str
    kind: str
    meaning: str
    made_of: tuple[str, ...] = ()
    nullable: bool = False


_COLUMNS = (
    _Column("day", "date", "UTC", ("backtests.opened_at",)),
    _Column("symbol", "market", "Upbit's code"),
    _Column("position", "bigint", "counted from 1 over the coin's whole chain", _HELD),
    _Column("opened_at", "timestamptz", "when the entry was filled, UTC", _HELD),
    _Column("entry_price_krw", "numeric", "a coin, at the entry", _HELD),
    _Column("volume_base", "numeric", "coins held", _HELD),
    _Column("entry_fee_krw", "numeric", "paid on the way in", _HELD),
    _Column("closed_at", "timestamptz", "when the exit was filled, UTC; empty while it is open", _HELD, nullable=True),
    _Column("exit_price_krw", "numeric", "a coin, at the exit", _HELD, nullable=True),
    _Column("exit_fee_krw", "numeric", "paid on the way out", _HELD, nullable=True),
    _Column("mark_price_krw", "numeric", "the day's last price", _PRICED),
    _Column("profit_krw", "numeric", "fees on both sides counted; while open, at the last price", _HELD + _PRICED),
    _Column("chain_id", "text", "the backtest's link it was read off"),
)


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
        tags={"strategy": entry.name},
        metadata=described(_COLUMNS, backtests=[dg.AssetKey(["backtests", entry.name])]),
        check_specs=[
            dg.AssetCheckSpec(
                "at_most_one_position_is_open",
                asset=key,
                description="A strategy has all of its cash or one position: never two of a coin at the end of a day.",
            )
        ],
    )
    @asset_body
    def positions(
        backtests: Mapping[Market, Stored], house: House
    ) -> Iterator[dg.Output[Iterator[BookBlock]] | dg.AssetCheckResult]:
        crowded: list[str] = []
        yield in_blocks(_read_off(house.rooms.lake, entry.name, backtests, crowded))
        yield dg.AssetCheckResult(
            check_name="at_most_one_position_is_open",
            passed=not crowded,
            description=f"{len(crowded)} days have several" if crowded else "none has more",
            metadata={"days": crowded[:_SHOWN]},
        )

    return positions


def _read_off(lake: Lake, name: str, backtests: Mapping[Market, Stored], crowded: list[str]) -> Iterator[BookBlock]:
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
            facts=_facts(lake.heads(MINUTES, symbol), days),
        )


def _facts(candles: Mapping[date, DayEntry], days: Mapping[date, BookDay]) -> dict[date, dict[str, Any]]:
    """The candles each day goes back to; beside the newest, what was held on it and the profit of all these days."""
    facts: dict[date, dict[str, Any]] = {day: {"candles": candles[day].data_version} for day in days if day in candles}
    newest = max(days)
    profits = [sum(of.profit_krw(book.mark_price_krw) for of in book.held) for _, book in sorted(days.items())]
    facts[newest] = {
        **facts.get(newest, {}),
        "preview": dg.MetadataValue.md(markdown(_table(days[newest]))),
        **plot(profits, "profit of the positions of a day, KRW"),
    }
    return facts


def _table(day: BookDay) -> pl.DataFrame:
    rows = [
        {
            **of.facts(),
            "opened_at": moment(datetime.fromisoformat(of.opened_at)),
            "closed_at": of.closed_at and moment(datetime.fromisoformat(of.closed_at)),
            "profit_krw": of.profit_krw(day.mark_price_krw),
        }
        for of in day.held
    ]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame({"held": ["nothing"]})
