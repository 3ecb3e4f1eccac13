"""The ledger IO manager: positions as rows of Postgres, each asset in a book of its own.

What lives here: replacing a block's days in one transaction a symbol, and loading a block in one query. What stays
out: the SQL (`coinhts_core.ledger`). NaN and infinities are refused by the ledger itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.events import DagsterEvent

from coinhts_core.ledger.books import BookDay, find_positions, replace_days
from coinhts_core.ledger.connection import Ledger
from coinhts_core.markets import Market
from coinhts_pipeline.io_managers.blocks import Versions, is_of_pandas, record
from coinhts_pipeline.partitions import days_by_symbol, partition_key
from coinhts_pipeline.verdicts import told_to_dagster


@dataclass(frozen=True)
class BookBlock:
    """One symbol's days of a book, with the data version each is recorded under, and what people see of it."""

    symbol: Market
    days: Mapping[date, BookDay]
    versions: Mapping[date, str]
    inputs: Mapping[date, Versions] = field(default_factory=dict)
    facts: Mapping[date, Mapping[str, Any]] = field(default_factory=dict)


@dg.io_manager(required_resource_keys={"house"})
def ledger_io_manager(context: dg.InitResourceContext) -> "LedgerIOManager":
    return LedgerIOManager(context.resources.house.rooms.ledger)


class LedgerIOManager(dg.IOManager):
    """`positions/<strategy>` in the book `backtest:<strategy>`; loads as polars or pandas."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def handle_output(  # type: ignore[override] # Dagster runs a generator, and says None
        self, context: dg.OutputContext, obj: Iterable[BookBlock]
    ) -> Iterator[DagsterEvent]:
        with told_to_dagster():
            for block in obj:
                replace_days(self._ledger, book_of(context.asset_key), block.symbol, block.days)
                keys = {partition_key(block.symbol, day): day for day in block.days}
                yield from record(
                    context,
                    {key: block.versions[day] for key, day in keys.items()},
                    {key: block.inputs.get(day, {}) for key, day in keys.items()},
                    {key: {**_facts(block.days[day]), **block.facts.get(day, {})} for key, day in keys.items()},
                )

    def load_input(self, context: dg.InputContext) -> Any:
        wanted = days_by_symbol(context.asset_partition_keys)
        days = {day for symbol_days in wanted.values() for day in symbol_days}
        rows = find_positions(self._ledger, book_of(context.asset_key), list(wanted), min(days), max(days))
        asked = [row for row in rows if row["day"] in wanted[Market(row["symbol"])]]
        frame = pl.DataFrame(asked, infer_schema_length=None)
        return frame.to_pandas() if is_of_pandas(context.dagster_type.typing_type) else frame


def book_of(key: dg.AssetKey) -> str:
    return f"backtest:{key.path[-1]}"


def _facts(day: BookDay) -> dict[str, Any]:
    held = [f"#{position.number} {'open' if position.is_open else 'closed'}" for position in day.held]
    return {"dagster/partition_row_count": len(day.held), "held": ", ".join(held) or "none"}
