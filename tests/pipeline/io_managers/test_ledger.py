import math
from datetime import date

import dagster as dg
import pandas as pd
import polars as pl
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from coinhts_core.ledger.books import BookDay, find_positions, replace_days
from coinhts_core.markets import Market
from coinhts_core.positions import Position
from coinhts_pipeline.io_managers.ledger import BookBlock, ledger_io_manager
from coinhts_pipeline.partitions import symbol_days
from coinhts_pipeline.resources import House

D1, D2, D3 = date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2)
BTC, ETH = Market("KRW-BTC"), Market("KRW-ETH")


def holding(price: float, number: int = 1) -> BookDay:
    position = Position(number, "2026-01-31T01:00:00+00:00", price, 0.5, 10.0)
    return BookDay(f"chain {price}", price, (position,))


def block(symbol, **days):
    named = {date.fromisoformat(f"2026-{day[1:3]}-{day[3:]}"): of for day, of in days.items()}
    return BookBlock(symbol, named, {day: of.chain_id for day, of in named.items()})


def book(*blocks, name="book"):
    @dg.asset(
        key=["positions", name],
        partitions_def=symbol_days(date(2026, 1, 1)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="ledger",
        code_version="1",
    )
    def positions():
        return iter(blocks)

    return positions


def materialize(house, *assets, first="2026-01-31|KRW-BTC", last="2026-02-02|KRW-ETH", selection=None):
    tags = {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
    resources = {"house": House(), "ledger": ledger_io_manager}
    return dg.materialize(
        assets, instance=house.instance, resources=resources, tags=tags, selection=selection, raise_on_error=False
    )


def prices(house, name="book"):
    """Give the entry prices that lie in a book, by symbol and day."""
    rows = find_positions(house.rooms.ledger, f"backtest:{name}", [BTC, ETH], D1, D3)
    return {(row["symbol"], row["day"]): float(row["entry_price_krw"]) for row in rows}


def test_only_the_keys_of_the_books_own_block_are_replaced(house):
    """Other books, other days and other symbols keep their rows; a day that lost its position has none."""
    for other in ("backtest:other", "paper", "live"):
        replace_days(house.rooms.ledger, other, BTC, {D2: holding(7.0)})
    first = [
        block(BTC, d0131=holding(100.0), d0201=holding(101.0), d0202=holding(102.0)),
        block(ETH, d0201=holding(9.0)),
    ]
    assert materialize(house, book(*first)).success
    flat = BookDay("chain flat", 1.0, ())
    again = block(BTC, d0201=holding(201.0), d0202=flat)
    assert materialize(house, book(again), first="2026-02-01|KRW-BTC", last="2026-02-02|KRW-BTC").success
    assert prices(house) == {(BTC, D1): 100.0, (BTC, D2): 201.0, (ETH, D2): 9.0}
    for other in ("backtest:other", "paper", "live"):
        (row,) = find_positions(house.rooms.ledger, other, [BTC], D1, D3)
        assert (row["day"], float(row["entry_price_krw"])) == (D2, 7.0)


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf])
def test_an_impossible_number_leaves_the_block_as_it_was(house, amount):
    """The days before it in the same COPY are not written either, and nothing is recorded."""
    name = f"book_{str(amount).strip('-')}"
    old = block(BTC, d0131=holding(100.0), d0201=holding(101.0))
    assert materialize(house, book(old, name=name)).success
    recorded = len(house.events(f"positions/{name}"))
    broken = block(BTC, d0131=holding(200.0), d0201=holding(amount))
    assert not materialize(house, book(broken, name=name)).success
    assert prices(house, name) == {(BTC, D1): 100.0, (BTC, D2): 101.0}
    assert len(house.events(f"positions/{name}")) == recorded


def test_a_symbol_that_was_written_stays_though_a_later_one_fails(house):
    """One transaction a symbol: what is recorded is stored, and the other way round."""
    blocks = [block(BTC, d0131=holding(5.0)), block(ETH, d0131=holding(math.nan))]
    assert not materialize(house, book(*blocks, name="half")).success
    assert prices(house, "half") == {(BTC, D1): 5.0}
    assert [event.partition for event in house.events("positions/half")] == ["2026-01-31|KRW-BTC"]


def test_a_block_loads_in_one_query_as_polars_or_pandas(house, monkeypatch):
    """Exactly the keys asked for, in the order of symbols and days; a block without rows is empty."""
    days = {"d0131": holding(1.0), "d0201": holding(2.0), "d0202": holding(3.0)}
    assert materialize(house, book(block(BTC, **days), block(ETH, **days), name="loaded")).success
    queries = []

    def counted(*arguments):
        queries.append(arguments)
        return find_positions(*arguments)

    monkeypatch.setattr("coinhts_pipeline.io_managers.ledger.find_positions", counted)
    polars = loaded_as(pl.DataFrame, house)
    assert len(queries) == 1
    assert polars.select("symbol", "day").rows() == [(symbol, day) for symbol in (BTC, ETH) for day in (D1, D2)]
    assert [float(price) for price in polars["entry_price_krw"]] == [1.0, 2.0, 1.0, 2.0]
    assert loaded_as(pd.DataFrame, house)["symbol"].tolist() == polars["symbol"].to_list()
    assert loaded_as(pl.DataFrame, house, first="2026-03-01|KRW-BTC", last="2026-03-02|KRW-ETH").is_empty()


def loaded_as(kind, house, first="2026-01-31|KRW-BTC", last="2026-02-01|KRW-ETH"):
    found = []

    @dg.asset(
        ins={"rows": dg.AssetIn(key=["positions", "loaded"])},
        partitions_def=symbol_days(date(2026, 1, 1)),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def reader(rows: kind) -> None:
        found.append(rows)

    assert materialize(house, reader, book(name="loaded"), first=first, last=last, selection=[reader]).success
    return found[0]
