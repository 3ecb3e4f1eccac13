import dagster as dg

from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market
from coinhts_pipeline.definitions import defs


def test_the_market_list_holds_every_coin_and_names_lost_ones(house, monkeypatch):
    """A followed symbol that the venue lists no more is called by name."""
    result = house.run(job="refresh_markets")
    assert house.checks(result)["followed_symbols_are_listed"].passed
    assert house.rooms.lake.read_whole("markets").height > 10
    markets = SampleExchange.markets
    monkeypatch.setattr(SampleExchange, "markets", lambda self: [of for of in markets(self) if of.symbol != "KRW-XRP"])
    check = house.checks(house.run(job="refresh_markets"))["followed_symbols_are_listed"]
    assert (check.passed, list(check.metadata)) == (False, ["KRW-XRP"])


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
