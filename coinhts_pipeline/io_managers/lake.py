"""The lake IO manager: assets as Parquet in the lake, in a directory or S3.

What lives here: storing blocks and whole frames, loading one partition, a block or a whole frame, and what the UI
shows of them. What stays out: the lake's format (`coinhts_core.lake`).
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.events import DagsterEvent

from coinhts_core.alerts.alert import moment
from coinhts_core.errors import NotStoredError
from coinhts_core.hashes import digest
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.reader import Stored
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from coinhts_pipeline.columns import column_schema
from coinhts_pipeline.io_managers.blocks import Block, Whole, by_partition, is_of_pandas, origin, record
from coinhts_pipeline.partitions import days_by_symbol
from coinhts_pipeline.verdicts import told_to_dagster

_PREVIEW_ROWS = 5


@dg.io_manager(required_resource_keys={"house"})
def lake_io_manager(context: dg.InitResourceContext) -> "LakeIOManager":
    return LakeIOManager(context.resources.house.rooms.lake)


class LakeIOManager(dg.IOManager):
    """Frames in the lake. Loads as polars, as pandas, or as `Stored` frames by symbol, as the input is annotated."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def handle_output(  # type: ignore[override] # Dagster runs a generator, and says None
        self, context: dg.OutputContext, obj: Any
    ) -> Iterator[DagsterEvent]:
        with told_to_dagster():
            if isinstance(obj, Whole):
                self._store_whole(context, obj)
                return
            for block in obj:
                yield from self._store_block(context, block)

    def load_input(self, context: dg.InputContext) -> Any:
        wanted = context.dagster_type.typing_type
        if not context.has_asset_partitions:
            whole = self._lake.read_whole(_path(context.asset_key))
            return whole.to_pandas() if is_of_pandas(wanted) else whole
        stored = self._load_blocks(_path(context.asset_key), days_by_symbol(context.asset_partition_keys))
        if wanted is not pl.DataFrame and not is_of_pandas(wanted):
            return stored
        frames = [rows.rows.insert_column(0, pl.lit(str(symbol)).alias("symbol")) for symbol, rows in stored.items()]
        together = pl.concat(frames) if frames else pl.DataFrame()
        return together.to_pandas() if is_of_pandas(wanted) else together

    def _load_blocks(self, asset: str, wanted: Mapping[Market, list[date]]) -> dict[Market, Stored]:
        found: dict[Market, Stored] = {}
        for symbol, days in wanted.items():
            try:
                stored = self._lake.read_with_entries(asset, symbol, days[0], days[-1])
            except NotStoredError:
                continue
            entries = {day: stored.entries[day] for day in days if day in stored.entries}
            found[symbol] = Stored(stored.rows.filter(pl.col("day").is_in(days)), entries)
        return found

    def _store_block(self, context: dg.OutputContext, block: Block) -> Iterator[DagsterEvent]:
        is_daily = isinstance(context.asset_partitions_def, dg.MultiPartitionsDefinition)
        published = self._lake.publish(_path(context.asset_key), block.symbol, block.to_store, monthly=is_daily)
        entries = {day: block.entry(day) for day in block.days}
        size = {"bytes_written": published.size, "commits": dg.MetadataValue.json(dict(published.commits))}
        if not is_daily:
            heads = self._lake.heads(_path(context.asset_key), block.symbol)
            version = digest(*(entry.content_hash for entry in heads.values()))
            shown = {**size, **_shown(block.to_store), **block.shown}
            yield from record(context, {block.symbol: version}, {}, {block.symbol: shown})
            return
        keys = by_partition(block)
        metadata = {key: _facts(entries[day]) for key, day in keys.items()}
        if block.to_store:
            newest = max(block.to_store)
            key = next(key for key, day in keys.items() if day == newest)
            metadata[key] |= {**size, **_shown({newest: block.to_store[newest]}), **block.shown}
        versions = {key: entries[day].data_version for key, day in keys.items()}
        yield from record(context, versions, {key: block.inputs.get(day, {}) for key, day in keys.items()}, metadata)

    def _store_whole(self, context: dg.OutputContext, whole: Whole) -> None:
        published = self._lake.publish_whole(_path(context.asset_key), whole.rows, replaces=whole.replaces)
        shown = _shown({date.min: whole.rows}) | (
            {"preview": dg.MetadataValue.md(whole.preview)} if whole.preview else {}
        )
        facts = {"data_version": whole.version, **origin(context)}
        context.add_output_metadata({"bytes_written": published.size, **shown, **facts})


def _path(key: dg.AssetKey) -> str:
    return "/".join(key.path)


def _facts(entry: DayEntry) -> dict[str, Any]:
    return {"dagster/partition_row_count": entry.rows, "content_hash": entry.content_hash}


def _shown(days: Mapping[date, DayRows]) -> dict[str, Any]:
    """What a person sees of the rows: how many, from when to when, a few of them, and their columns."""
    if not days:
        return {}
    frame = pl.concat([rows.frame for rows in days.values()])
    schema = next(iter(days.values())).schema
    shown: dict[str, Any] = {
        "dagster/row_count": frame.height,
        "dagster/column_schema": column_schema(schema.columns),
        "preview": dg.MetadataValue.md(markdown(frame.head(_PREVIEW_ROWS))),
    }
    if frame.height and "opened_at" in frame.columns:
        shown["first"], shown["last"] = (moment(frame["opened_at"][place]) for place in (0, -1))
    return shown


def markdown(frame: pl.DataFrame) -> str:
    """A frame as a table the UI renders."""
    lines = [" | ".join(frame.columns), " | ".join("---" for _ in frame.columns)]
    lines += [" | ".join(_cell(value) for value in row) for row in frame.iter_rows()]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.8f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return str("" if value is None else value).replace("|", "\\|")[:80]
