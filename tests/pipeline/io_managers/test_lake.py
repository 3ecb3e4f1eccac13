from collections.abc import Mapping
from datetime import date

import dagster as dg
import pandas as pd
import polars as pl
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from coinhts_core.lake.reader import Stored
from coinhts_core.markets import Market
from coinhts_pipeline.io_managers.lake import lake_io_manager, markdown
from coinhts_pipeline.partitions import symbol_days
from coinhts_pipeline.resources import House

FIRST, LAST = "2026-01-31|KRW-BTC", "2026-02-02|KRW-ETH"
DAYS = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2)]


@pytest.fixture(scope="module", autouse=True)
def _candles(_shared_house):
    assert _shared_house.run(FIRST, LAST, only=["candles/minute"]).success
    assert _shared_house.run("KRW-BTC", "KRW-ETH", job="collect_day_candles").success


def loaded_as(kind, house, upstream="candles/minute", first=FIRST, last=LAST):
    """Give what an asset downstream, its input annotated so, is handed for a block."""
    found = []
    is_daily = upstream == "candles/minute"

    @dg.asset(
        ins={"rows": dg.AssetIn(key=upstream.split("/"))},
        partitions_def=symbol_days(date(2026, 1, 1)) if is_daily else None,
        backfill_policy=dg.BackfillPolicy.single_run() if is_daily else None,
    )
    def reader(rows: kind) -> None:
        found.append(rows)

    source = dg.AssetSpec(
        upstream.split("/"),
        partitions_def=symbol_days(date(2026, 1, 1)) if is_daily else None,
        metadata={"dagster/io_manager_key": "lake"},
    )
    tags = {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last} if is_daily else None
    resources = {"house": House(), "lake": lake_io_manager, "io_manager": lake_io_manager}
    assets = [reader, source]
    assert dg.materialize(assets, instance=house.instance, resources=resources, tags=tags, selection=[reader]).success
    return found[0]


@pytest.mark.parametrize(
    ("first", "last"),
    [(FIRST, LAST), (FIRST, FIRST), (FIRST, "2026-02-02|KRW-BTC"), (FIRST, "2026-01-31|KRW-ETH")],
)
def test_a_block_loads_as_stored_frames_by_symbol(house, first, last):
    """Every symbol with its rows and the entries of exactly the days asked for, over a month's end, too."""
    symbols = [symbol for symbol in ("KRW-BTC", "KRW-ETH") if first[11:] <= symbol <= last[11:]]
    days = [day for day in DAYS if first[:10] <= str(day) <= last[:10]]
    found = loaded_as(Mapping[Market, Stored], house, first=first, last=last)
    assert list(found) == symbols
    for symbol in symbols:
        assert list(found[symbol].entries) == days
        assert found[symbol].rows["day"].unique(maintain_order=True).to_list() == days
        assert found[symbol].rows.height == sum(entry.rows for entry in found[symbol].entries.values())


def test_a_block_loads_as_one_frame_of_polars_or_pandas(house):
    """People's own assets read plain frames: a column names the symbol."""
    polars, pandas = loaded_as(pl.DataFrame, house), loaded_as(pd.DataFrame, house)
    assert polars.columns[:3] == ["symbol", "day", "opened_at"]
    assert polars["symbol"].unique(maintain_order=True).to_list() == ["KRW-BTC", "KRW-ETH"]
    assert polars["opened_at"].dtype == pl.Datetime("us", "UTC")
    pd.testing.assert_frame_equal(polars.to_pandas(), pandas)


def test_days_that_are_not_stored_are_not_loaded(house):
    """What is absent is left out, not filled; nothing stored at all is an empty answer."""
    found = loaded_as(Mapping[Market, Stored], house, first="2026-01-30|KRW-BTC", last="2026-01-31|KRW-XRP")
    assert {symbol: list(stored.entries) for symbol, stored in found.items()} == {
        "KRW-BTC": DAYS[:1],
        "KRW-ETH": DAYS[:1],
    }
    assert loaded_as(pl.DataFrame, house, first="2026-03-01|KRW-XRP", last="2026-03-01|KRW-XRP").is_empty()


def test_what_has_no_date_loads_whole(house):
    """The market list is one frame for everybody."""
    assert house.run(job="refresh_markets").success
    frame = loaded_as(pl.DataFrame, house, upstream="markets")
    assert {"KRW-BTC", "KRW-DOGE"} <= set(frame["symbol"])
    assert "day" not in frame.columns


def test_the_ui_is_told_rows_bytes_range_preview_and_columns(house):
    """Each day says how many rows it has and what they hash to; the newest of a run shows some of them."""
    events = {event.partition: event.metadata for event in house.events("candles/minute")}
    heads = house.rooms.lake.heads("candles/minute", Market("KRW-BTC"))
    for day, entry in heads.items():
        told = events[f"{day}|KRW-BTC"]
        assert told["dagster/partition_row_count"].value == entry.rows
        assert told["content_hash"].value == entry.content_hash
    newest = events["2026-02-02|KRW-BTC"]
    assert newest["bytes_written"].value > 10_000
    assert newest["first"].value.startswith("2026-02-02 00:0")
    assert newest["last"].value.startswith("2026-02-02 23:5")
    assert newest["commits"].value == {"2026-01": 1, "2026-02": 1}
    assert newest["preview"].value.count("\n") == 6
    columns = [column.name for column in newest["dagster/column_schema"].value.columns]
    assert columns == ["opened_at", "open", "high", "low", "close", "volume", "turnover_krw"]
    days = {event.partition: event for event in house.events("candles/day")}
    assert days["KRW-ETH"].metadata["dagster/row_count"].value > 300


def test_a_symbol_of_day_bars_has_the_version_of_all_its_days(house):
    """Asked again, the same bars are the same version and nothing is written."""
    before = house.events("candles/day")[-1].tags["dagster/data_version"]
    assert house.run("KRW-ETH", job="collect_day_candles").success
    again = house.events("candles/day")[-1]
    assert again.tags["dagster/data_version"] == before
    assert again.metadata["bytes_written"].value == 0


def test_a_cell_cannot_break_the_table_it_is_in():
    """Strokes are escaped, long texts cut, floats readable, and nothing is shown as nothing."""
    table = markdown(pl.DataFrame({"a": ["x|y"], "b": ["z" * 100], "c": [1234.5], "d": [None]}))
    assert table.split("\n")[2] == f"| x\\|y | {'z' * 80} | 1,234.5 |  |"
