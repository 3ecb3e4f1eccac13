from datetime import date

import pytest

from coinhts_core.backtests.chain import positions_version
from coinhts_core.ledger.books import BookDay, chain_ids, find_positions, replace_days
from coinhts_core.markets import Market
from coinhts_core.positions import Position

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 8)
BOOK, BTC = "backtest:sma_cross", Market("KRW-BTC")


@pytest.fixture(scope="module", autouse=True)
def _rehearsed(_shared_house):
    paper = Position(1, "2026-01-02T00:00:00+00:00", 100.0, 1.0, 0.0)
    for book in ("paper", "live", "manual"):
        replace_days(_shared_house.rooms.ledger, book, BTC, {date(2026, 1, 2): BookDay("x", 100.0, (paper,))})
    assert _shared_house.run(f"{FIRST}|KRW-BTC", f"{LAST}|KRW-ETH").success


def test_positions_are_read_off_the_backtest_of_the_same_day(house):
    """Their rows carry its chain, their version follows from it, and Dagster knows what they were made of."""
    links = {day: entry.data_version for day, entry in house.rooms.lake.heads("backtests/sma_cross", BTC).items()}
    assert chain_ids(house.rooms.ledger, BOOK, BTC, FIRST, LAST) == links
    events = {event.partition: event.tags for event in house.events("positions/sma_cross")}
    for day, link in links.items():
        tags = events[f"{day}|KRW-BTC"]
        assert tags["dagster/data_version"] == positions_version(link)
        assert tags["dagster/input_data_version/backtests/sma_cross"] == link


def test_a_position_lies_in_every_day_that_it_was_held(house):
    """Opened once, it is there until the day it was closed, marked at each day's last price."""
    rows = find_positions(house.rooms.ledger, BOOK, [BTC], FIRST, LAST)
    assert rows
    prices = house.rooms.lake.read("backtests/sma_cross", BTC, FIRST, LAST, ["last_price_krw"])
    last_price = dict(zip(prices["day"], prices["last_price_krw"], strict=True))
    for row in rows:
        assert float(row["mark_price_krw"]) == last_price[row["day"]]
        assert row["opened_at"].date() <= row["day"]
        assert row["closed_at"] is None or row["closed_at"].date() == row["day"]
    days = {
        number: [row["day"] for row in rows if row["position"] == number]
        for number in (row["position"] for row in rows)
    }
    for held in days.values():
        assert (max(held) - min(held)).days == len(held) - 1


def test_a_day_without_a_position_is_recorded_as_such(house):
    """It has been worked out: no rows is an answer."""
    with_rows = {row["day"] for row in find_positions(house.rooms.ledger, BOOK, [BTC], FIRST, LAST)}
    flat = min(set(chain_ids(house.rooms.ledger, BOOK, BTC, FIRST, LAST)) - with_rows)
    events = {event.partition: event.metadata for event in house.events("positions/sma_cross")}
    assert events[f"{flat}|KRW-BTC"]["dagster/partition_row_count"].value == 0
    assert events[f"{flat}|KRW-BTC"]["held"].value == "none"


def test_a_day_shows_its_positions_their_candles_and_the_profit_of_all(house):
    """A table of what was held with times here and there, a curve, and the candles that the day goes back to."""
    candles = {event.partition: event.tags["dagster/data_version"] for event in house.events("candles/minute")}
    events = {event.partition: event.metadata for event in house.events("positions/sma_cross")}
    assert {key: told["candles"].value for key, told in events.items()} == {key: candles[key] for key in events}
    shown = events[f"{LAST}|KRW-BTC"]
    held = find_positions(house.rooms.ledger, BOOK, [BTC], LAST, LAST)
    lines = shown["preview"].value.splitlines()
    assert len(lines) == 2 + max(1, len(held))
    for row, line in zip(held, lines[2:], strict=False):
        assert f"{row['opened_at']:%Y-%m-%d %H:%M:%S} UTC (" in line
    assert "profit of the positions of a day, KRW" in shown["plot"].value


def test_books_of_others_are_never_touched(house):
    """Paper, live and manual positions of the same coin and day belong to somebody else."""
    for book in ("paper", "live", "manual"):
        (row,) = find_positions(house.rooms.ledger, book, [BTC], FIRST, LAST)
        assert row["chain_id"] == "x"
