from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from coinhts_core.errors import RefusedError
from coinhts_core.frames import Column, Schema
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from coinhts_pipeline.io_managers.blocks import Block, in_blocks
from coinhts_pipeline.io_managers.lake import lake_io_manager
from coinhts_pipeline.partitions import days_by_symbol, symbol_days
from coinhts_pipeline.resources import House
from coinhts_pipeline.verdicts import asset_body

NUMBERS = Schema("numbers", 1, (Column("number", "int"),))


def rows_of(symbol: str, day: date) -> DayRows:
    return DayRows.of(NUMBERS, pl.DataFrame({"number": [day.toordinal(), len(symbol)]}))


def numbers(name: str, failing: tuple[str, ...] = ()) -> dg.AssetsDefinition:
    """An asset of two rows a symbol-day, made from a source; it stumbles over some symbols."""

    @dg.asset(
        key=["numbers", name],
        deps=[dg.AssetKey(["numbers", "source"])],
        partitions_def=symbol_days(date(2026, 1, 1)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version="7",
        io_manager_key="lake",
    )
    @asset_body
    def made(context: dg.AssetExecutionContext) -> Iterator[dg.Output[Iterator[Block]]]:
        yield in_blocks(blocks(days_by_symbol(context.partition_keys)))

    def blocks(wanted: Mapping[Market, list[date]]) -> Iterator[Block]:
        for symbol, days in wanted.items():
            if symbol in failing:
                raise RefusedError(reason="it fell asleep")
            inputs = {day: {"numbers/source": f"{day} of {symbol}"} for day in days}
            yield Block(symbol, {day: rows_of(symbol, day) for day in days}, inputs)

    return made


def materialize(house, asset, first, last):
    tags = {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
    return dg.materialize(
        [asset],
        instance=house.instance,
        resources={"house": House(), "lake": lake_io_manager},
        tags=tags,
        raise_on_error=False,
    )


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("rectangle", "2026-01-30|KRW-BTC", "2026-02-02|KRW-XRP"),
        ("days_of_a_symbol", "2026-01-30|KRW-ETH", "2026-02-02|KRW-ETH"),
        ("symbols_of_a_day", "2026-01-30|KRW-BTC", "2026-01-30|KRW-XRP"),
        ("partition", "2026-01-30|KRW-ETH", "2026-01-30|KRW-ETH"),
    ],
)
def test_a_range_run_records_each_partition_once_under_its_own_version(house, name, first, last):
    """The contract with Dagster's inside, which an upgrade may break.

    An output marked as an observation of a source is not recorded by Dagster itself, and the events that an IO
    manager yields are taken as they are.
    """
    asset = f"numbers/{name}"
    assert materialize(house, numbers(name), first, last).success
    keys = [f"2026-{day}|KRW-{coin}" for day in ("01-30", "01-31", "02-01", "02-02") for coin in ("BTC", "ETH", "XRP")]
    wanted = [key for key in keys if first[:10] <= key[:10] <= last[:10] and first[11:] <= key[11:] <= last[11:]]
    events = house.events(asset)
    assert Counter(event.partition for event in events) == Counter(wanted)
    for event in events:
        day, _, symbol = event.partition.partition("|")
        expected = rows_of(symbol, date.fromisoformat(day)).entry.content_hash
        assert event.tags["dagster/data_version"] == expected
        assert event.tags["dagster/data_version_is_user_provided"] == "true"
        assert event.tags["dagster/code_version"] == "7"
        assert event.tags["dagster/input_data_version/numbers/source"] == f"{day} of {symbol}"
        assert event.tags["dagster/partition/date"] == day
        assert event.tags["dagster/partition/symbol"] == symbol
    key = dg.AssetKey(asset.split("/"))
    assert house.instance.get_materialized_partitions(key) == set(wanted)
    latest = house.instance.get_latest_data_version_record(key, partition_key=wanted[0])
    assert latest.asset_materialization.tags["dagster/data_version"] in {
        event.tags["dagster/data_version"] for event in events
    }


def test_what_is_finished_is_stored_and_recorded_though_a_later_symbol_fails(house):
    """The first symbol's days are there and count as made; the failing one's are neither, nor those after it."""
    result = materialize(house, numbers("stumbling", failing=("KRW-ETH",)), "2026-01-01|KRW-BTC", "2026-01-02|KRW-XRP")
    assert not result.success
    made = ["2026-01-01|KRW-BTC", "2026-01-02|KRW-BTC"]
    assert [event.partition for event in house.events("numbers/stumbling")] == made
    assert list(house.rooms.lake.heads("numbers/stumbling", Market("KRW-BTC"))) == [
        date(2026, 1, 1),
        date(2026, 1, 2),
    ]
    assert house.rooms.lake.heads("numbers/stumbling", Market("KRW-ETH")) == {}


def test_a_day_given_by_its_entry_alone_is_recorded_and_not_stored(house):
    """What the lake holds already needs no second copy; Dagster hears of it all the same."""
    entry = rows_of("KRW-BTC", date(2026, 1, 5)).entry

    @dg.asset(key=["numbers", "known"], partitions_def=symbol_days(date(2026, 1, 1)), io_manager_key="lake")
    def known():
        yield in_blocks(iter([Block(Market("KRW-BTC"), {date(2026, 1, 5): entry})]))

    assert materialize(house, known, "2026-01-05|KRW-BTC", "2026-01-05|KRW-BTC").success
    (event,) = house.events("numbers/known")
    assert event.tags["dagster/data_version"] == entry.content_hash
    assert house.rooms.lake.heads("numbers/known", Market("KRW-BTC")) == {}
