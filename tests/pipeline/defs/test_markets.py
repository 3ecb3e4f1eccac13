from datetime import date, timedelta

import dagster as dg
import pytest

from coinhts_core.candles.listings import universe_on
from coinhts_core.clock import now
from coinhts_core.errors import UnknownMarketError
from coinhts_core.exchanges import MarketListing
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market
from coinhts_pipeline.definitions import defs

FRIDAY = date(2026, 1, 2)


@pytest.fixture
def own(open_house):
    """Give an installation of its own that follows one coin."""
    with open_house(symbols="KRW-BTC") as house:
        yield house


def told(house):
    """Collect the list; what the UI shows of it."""
    assert house.run(job="refresh_markets").success
    return house.events("markets")[-1].metadata


def test_the_market_list_holds_every_coin_and_names_lost_ones(house, monkeypatch):
    """A followed symbol that the venue lists no more is called by name."""
    result = house.run(job="refresh_markets")
    assert house.checks(result)["followed_symbols_are_listed"].passed
    assert house.rooms.lake.read_whole("markets").height > 10
    markets = SampleExchange.markets
    monkeypatch.setattr(SampleExchange, "markets", lambda self: [of for of in markets(self) if of.symbol != "KRW-XRP"])
    check = house.checks(house.run(job="refresh_markets"))["followed_symbols_are_listed"]
    assert (check.passed, list(check.metadata)) == (False, ["KRW-XRP"])


def test_each_day_keeps_its_list_and_tells_what_came_and_went(own, monkeypatch):
    """A day's last list is the day's; names are compared with the last list of a day before."""
    markets, listed = SampleExchange.markets, ["KRW-BTC", "KRW-ETH"]
    monkeypatch.setattr(SampleExchange, "markets", lambda self: [of for of in markets(self) if of.symbol in listed])
    today = now().date()
    first = told(own)
    assert "came" not in first
    assert first["compared_with"].value == "no list was recorded before"
    assert universe_on(own.rooms.ledger, today).recorded_on == today
    with own.rooms.ledger.transaction() as connection:
        connection.execute("UPDATE listings SET day = day - 3")
    listed[:] = ["KRW-ETH", "KRW-XRP", "KRW-ADA"]
    for _ in range(2):
        told_now = {name: of.value for name, of in told(own).items()}
        assert told_now["compared_with"] == str(today - timedelta(days=3))
        assert (told_now["came"], told_now["went"]) == ("2: KRW-ADA, KRW-XRP", "1: KRW-BTC")
    assert [of.symbol for of in universe_on(own.rooms.ledger, today).markets] == sorted(listed)
    assert [of.symbol for of in universe_on(own.rooms.ledger, today - timedelta(days=1)).markets] == [
        "KRW-BTC",
        "KRW-ETH",
    ]


def test_cautions_are_a_column(own, monkeypatch):
    """In the exchange's own words."""
    listing = MarketListing(Market("KRW-BTC"), "비트코인", "Bitcoin", is_warned=True, cautions=("PRICE", "SMALL"))
    monkeypatch.setattr(SampleExchange, "markets", lambda _: [listing])
    assert own.run(job="refresh_markets").success
    (row,) = own.rooms.lake.read_whole("markets").iter_rows(named=True)
    assert (row["is_warned"], row["cautions"]) == (True, "PRICE, SMALL")


def test_a_coin_that_came_back_is_followed_again(own, monkeypatch):
    """A wrong list of one day does not end a coin for ever; what a venue forgot ends where it was last seen."""
    markets, last_day = SampleExchange.markets, SampleExchange.last_day

    def forgotten(self, symbol):
        if symbol == "KRW-BTC":
            raise UnknownMarketError(symbol=symbol, venue="sample", hint="")
        return last_day(self, symbol)

    assert own.run(job="refresh_markets").success
    with own.rooms.ledger.transaction() as connection:
        connection.execute("UPDATE listings SET day = day - 1")
    with monkeypatch.context() as gone:
        gone.setattr(SampleExchange, "markets", lambda self: [of for of in markets(self) if of.symbol != "KRW-BTC"])
        gone.setattr(SampleExchange, "last_day", forgotten)
        check = own.checks(own.run(job="refresh_markets"))["followed_symbols_are_listed"]
    yesterday = now().date() - timedelta(days=1)
    assert check.metadata["KRW-BTC"].value == f"last day {yesterday}"
    assert own.rooms.symbols[Market("KRW-BTC")].delisted_on == yesterday
    assert own.checks(own.run(job="refresh_markets"))["followed_symbols_are_listed"].passed
    assert own.rooms.symbols[Market("KRW-BTC")].delisted_on is None


def test_a_coin_that_left_is_told_until_its_end_is_noted(own, monkeypatch):
    """The day it becomes known is the last on which the check says no; forgotten again, it says so again."""
    markets, last_days = SampleExchange.markets, [None, FRIDAY, FRIDAY, None]
    monkeypatch.setattr(SampleExchange, "markets", lambda self: [of for of in markets(self) if of.symbol != "KRW-BTC"])
    found = []
    for last_day in last_days:
        monkeypatch.setattr(SampleExchange, "last_day", lambda *_, last_day=last_day: last_day)
        check = own.checks(own.run(job="refresh_markets"))["followed_symbols_are_listed"]
        found.append((check.passed, check.description, check.metadata["KRW-BTC"].value))
    gone = "not on the list any more: 1: KRW-BTC"
    noted = "all are listed but those whose end was noted before, 1: KRW-BTC"
    assert found == [
        (False, gone, "last day unknown"),
        (False, gone, f"last day {FRIDAY}"),
        (True, noted, f"last day {FRIDAY}"),
        (False, gone, "last day unknown"),
    ]


def test_a_new_coin_is_named_and_under_all_krw_followed(open_house):
    """The sensor reads the collected list; what it registers is a partition and is remembered."""

    def evaluated(house):
        repository = defs().get_repository_def()
        with dg.build_sensor_context(instance=house.instance, repository_def=repository) as context:
            return repository.get_sensor_def("on_new_market").evaluate_tick(context)

    with open_house(symbols="KRW-BTC") as house:
        assert "never collected" in evaluated(house).skip_message
        assert house.run(job="refresh_markets").success
        assert "not followed: KRW-ADA, KRW-BCH" in evaluated(house).skip_message
    with open_house(symbols="all-krw") as house:
        assert house.run(job="refresh_markets").success
        assert evaluated(house).skip_message == "every listed coin is known"
        with house.rooms.ledger.transaction() as connection:
            connection.execute("DELETE FROM symbols WHERE symbol = 'KRW-DOGE'")
        (request,) = evaluated(house).dynamic_partitions_requests
        assert request.partition_keys == ["KRW-DOGE"]
        assert house.rooms.symbols[Market("KRW-DOGE")].is_active
