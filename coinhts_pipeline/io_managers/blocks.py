"""Blocks: how a range run hands over what it finished, symbol by symbol, day by day.

What lives here: `Block`, `in_blocks`, and the materialisation event of a day. What stays out: storing (`lake`,
`postgres`).

Dagster writes one materialisation for each partition of a range run itself, all with one data version. Ours differ
from day to day, and what is finished must be recorded even if a later symbol fails; so the IO managers record each
day as soon as it is stored, and an output marked by `in_blocks` tells Dagster not to do it again.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self, TypeVar
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    get_input_data_version_tag,
)
from dagster._core.definitions.partitions.utils.multi import get_tags_from_multi_partition_key
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from coinhts_core.alerts.alert import moment
from coinhts_core.candles.frame import MINUTES
from coinhts_core.clock import now
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from coinhts_pipeline.partitions import partition_key

Versions = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """One symbol's finished days. A day given by its entry alone has nothing to store; it is only recorded."""

    symbol: Market
    days: Mapping[date, DayRows | DayEntry]
    inputs: Mapping[date, Versions] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)  # beside the newest day that is stored

    def entry(self, day: date) -> DayEntry:
        rows = self.days[day]
        return rows.entry if isinstance(rows, DayRows) else rows

    @property
    def to_store(self) -> dict[date, DayRows]:
        return {day: rows for day, rows in self.days.items() if isinstance(rows, DayRows)}


@dataclass(frozen=True)
class Whole:
    """Rows without a date, worked out after commit `replaces`; overtaken since, they are refused and made again."""

    rows: DayRows
    replaces: int
    version: str
    preview: str | None = None

    def output(self, shown: Mapping[str, Any]) -> dg.Output[Self]:
        return dg.Output(self, metadata=dict(shown), data_version=dg.DataVersion(self.version))


def in_blocks(blocks: Iterator[T]) -> dg.Output[Iterator[T]]:
    """An output that is stored and recorded block by block while it is being made."""
    return dg.Output(blocks, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})


def record(
    context: dg.OutputContext,
    versions: Mapping[str, str],
    inputs: Mapping[str, Versions],
    metadata: Mapping[str, Mapping[str, Any]],
) -> Iterator[DagsterEvent]:
    """One materialisation a partition, with its own data version and what it was made from, written as one batch."""
    step, whence = context.step_context, origin(context)
    batch, last = uuid4().hex, len(versions) - 1
    for place, (key, version) in enumerate(versions.items()):
        made_of = inputs.get(key, {})
        tags = {
            DATA_VERSION_TAG: version,
            DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
            CODE_VERSION_TAG: whence["code_version"],
            **(get_tags_from_multi_partition_key(key) if isinstance(key, dg.MultiPartitionKey) else {}),
            **{get_input_data_version_tag(_key(asset)): of for asset, of in made_of.items()},
        }
        candles = {"candles": made_of[MINUTES]} if MINUTES in made_of else {}
        facts = {**metadata.get(key, {}), **candles, "data_version": version, **whence}
        event = dg.AssetMaterialization(context.asset_key, partition=key, tags=tags, metadata=facts)
        yield DagsterEvent.asset_materialization(step, event, DagsterEventBatchMetadata(batch, place == last))


def origin(context: dg.OutputContext) -> dict[str, Any]:
    """Which code and which run made what is stored, and when."""
    node = context.step_context.job_def.asset_layer.get(context.asset_key)
    return {
        "code_version": node.code_version or "",
        "run": dg.MetadataValue.dagster_run(context.run_id),
        "stored_at": moment(now()),
    }


def is_of_pandas(wanted: object) -> bool:
    """Whether an input is annotated as a frame of pandas: who annotates one has imported it, and nobody else must."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and wanted is pandas.DataFrame


def by_partition(block: Block) -> dict[str, date]:
    return {partition_key(block.symbol, day): day for day in block.days}


def _key(asset: str) -> dg.AssetKey:
    return dg.AssetKey(asset.split("/"))
