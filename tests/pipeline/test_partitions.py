from datetime import date, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadMarketError
from coinhts_pipeline.partitions import (
    SYMBOLS,
    Rectangle,
    days_by_symbol,
    partition_key,
    rectangles,
    symbol_and_day,
    symbol_days,
    symbol_range,
)

ORDER = ["KRW-XRP", "KRW-BTC", "KRW-ETH", "KRW-SOL"]
START = date(2026, 1, 1)
MONTH = [START + timedelta(days=offset) for offset in range(31)]


def cells(blocks):
    return [
        (symbol, block.first + timedelta(days=offset))
        for block in blocks
        for symbol in block.symbols
        for offset in range((block.last - block.first).days + 1)
    ]


def test_a_key_is_the_day_and_the_symbol_there_and_back():
    """Dagster puts the dimensions in the order of their names."""
    key = partition_key("KRW-BTC", START)
    assert str(key) == "2026-01-01|KRW-BTC"
    assert symbol_and_day(key) == ("KRW-BTC", START)


def test_a_key_that_is_no_market_is_refused():
    """Partition keys can be typed by hand; what is not a market's code goes no further."""
    with pytest.raises(BadMarketError):
        symbol_and_day("2026-01-01|../../etc")


def test_a_runs_keys_come_out_in_order():
    """Dagster hands them over as a set."""
    keys = {partition_key(symbol, day) for symbol in ("KRW-XRP", "KRW-BTC") for day in MONTH}
    assert days_by_symbol(keys) == {"KRW-BTC": MONTH, "KRW-XRP": MONTH}
    assert list(days_by_symbol(keys)) == ["KRW-BTC", "KRW-XRP"]


def test_equal_days_of_neighbours_are_one_run():
    """Three coins times a month is one run, not 93."""
    (block,) = rectangles(dict.fromkeys(ORDER[:3], MONTH), ORDER)
    assert block == Rectangle(("KRW-XRP", "KRW-BTC", "KRW-ETH"), MONTH[0], MONTH[-1])
    assert len(block) == 93
    assert block.tags == {
        "dagster/asset_partition_range_start": "2026-01-01|KRW-XRP",
        "dagster/asset_partition_range_end": "2026-01-31|KRW-ETH",
    }


def test_a_symbol_in_between_that_is_not_wanted_parts_its_neighbours():
    """A range run would take it along."""
    blocks = rectangles(dict.fromkeys(["KRW-XRP", "KRW-ETH"], MONTH), ORDER)
    assert [block.symbols for block in blocks] == [("KRW-XRP",), ("KRW-ETH",)]


def test_a_large_backfill_is_cut_into_runs_of_bearable_size():
    """Whole symbols stay together; at least one goes into each."""
    blocks = rectangles(dict.fromkeys(ORDER, MONTH), ORDER, largest=60)
    assert [block.symbols for block in blocks] == [("KRW-XRP", "KRW-BTC"), ("KRW-ETH", "KRW-SOL")]


@given(st.dictionaries(st.sampled_from(ORDER), st.sets(st.sampled_from(MONTH))))
def test_rectangles_cover_what_is_wanted_exactly_once(wanted):
    """Nothing is left out, nothing is made that nobody asked for, and nothing twice."""
    made = cells(rectangles(wanted, ORDER))
    assert sorted(made) == sorted((symbol, day) for symbol, days in wanted.items() for day in days)


def test_dagster_reads_a_rectangle_as_we_mean_it(house):
    """Its range between the two keys is the cross product in the order of registration."""
    order = house.instance.get_dynamic_partitions(SYMBOLS.name)
    (block,) = rectangles(dict.fromkeys(order, MONTH[:3]), order)
    span = dg.PartitionKeyRange(*block.tags.values())
    keys = symbol_days(START).get_partition_keys_in_range(span, dynamic_partitions_store=house.instance)
    assert sorted(map(symbol_and_day, keys)) == sorted(cells([block]))
    assert symbol_range(order) == {
        "dagster/asset_partition_range_start": order[0],
        "dagster/asset_partition_range_end": order[-1],
    }
