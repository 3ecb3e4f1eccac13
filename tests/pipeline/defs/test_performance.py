from datetime import date

import dagster as dg
import pytest

from coinhts_pipeline.definitions import defs

START, LAST = date(2026, 1, 1), date(2026, 1, 10)


@pytest.fixture(scope="module", autouse=True)
def _rehearsed(_shared_house):
    assert _shared_house.run(f"{START}|KRW-BTC", f"{LAST}|KRW-ETH").success


def published(house):
    result = house.run(job="publish_performance")
    assert result.success
    return result


def evaluate(house, cursor=None):
    repository = defs().get_repository_def()
    with dg.build_sensor_context(instance=house.instance, cursor=cursor, repository_def=repository) as context:
        return repository.get_sensor_def("on_backtests_changed").evaluate_tick(context)


def test_every_strategy_and_coin_has_its_figures_and_its_curve(house):
    """A coin without days has none, and is not on the leaderboard."""
    published(house)
    rows = {row["symbol"]: row for row in house.rooms.lake.read_whole("performance/sma_cross").to_dicts()}
    assert [(symbol, row["days"]) for symbol, row in sorted(rows.items())] == [
        ("KRW-BTC", 10),
        ("KRW-ETH", 10),
        ("KRW-XRP", 0),
    ]
    assert rows["KRW-BTC"]["last_day"] == str(LAST)
    board = house.rooms.lake.read_whole("leaderboard")
    assert sorted(board["symbol"]) == ["KRW-BTC", "KRW-ETH"]
    assert board["total_return"].to_list() == sorted(board["total_return"], reverse=True)
    metadata = house.events("performance/sma_cross")[-1].metadata
    assert metadata["equity"].value.startswith("![")
    assert "data:image/svg+xml;base64," in metadata["equity"].value
    assert metadata["preview"].value.count("\n") == 4
    assert metadata["tearsheet KRW-BTC"].value == "/reports/performance/sma_cross/KRW-BTC.html"
    assert metadata["data_version"].value == house.events("performance/sma_cross")[-1].tags["dagster/data_version"]
    assert {"code_version", "run", "stored_at"} <= metadata.keys()


def test_figures_have_the_version_of_the_chains_they_stand_on(house):
    """Published again over the same days they are the same version; a day more makes them another."""
    published(house)
    published(house)
    first, again = [event.tags["dagster/data_version"] for event in house.events("leaderboard")][-2:]
    assert first == again
    assert house.run("2026-01-11|KRW-BTC").success
    published(house)
    assert house.events("leaderboard")[-1].tags["dagster/data_version"] != again


def test_days_behind_a_gap_lag_and_are_named(house):
    """Figures end where the unbroken chain ends; the check names the days beyond it."""
    assert house.run("2026-01-20|KRW-ETH").success
    check = house.checks(published(house))["no_symbol_lags_behind"]
    assert (check.passed, check.metadata["days"].value) == (False, ["2026-01-20 KRW-ETH"])


def test_changed_backtests_are_published_once(house):
    """The sensor asks once for what is new, and again only when there is more of it."""
    first = evaluate(house)
    assert len(first.run_requests) == 1
    assert evaluate(house, first.cursor).skip_message == "no day has changed"
    assert house.run("2026-01-12|KRW-BTC", only=["candles/minute"]).success
    assert evaluate(house, first.cursor).skip_message == "no day has changed"
    assert house.run("2026-01-12|KRW-BTC").success
    second = evaluate(house, first.cursor)
    assert len(second.run_requests) == 1
    assert second.run_requests[0].run_key != first.run_requests[0].run_key
    assert evaluate(house, second.cursor).run_requests == []


def test_days_that_came_out_as_they_were_are_not_published_again(house):
    """Made once more from the same candles they are the same; a day that is new is published."""
    assert house.run("2026-01-13|KRW-BTC").success
    first = evaluate(house)
    assert len(first.run_requests) == 1
    assert house.run(f"{START}|KRW-BTC", f"{LAST}|KRW-ETH").success
    again = evaluate(house, first.cursor)
    assert (again.run_requests, again.skip_message) == ([], "days were made again and came out as they were")
    assert evaluate(house, again.cursor).skip_message == "no day has changed"
    assert house.run("2026-01-14|KRW-BTC").success
    assert len(evaluate(house, again.cursor).run_requests) == 1


def test_an_empty_house_has_nothing_to_publish(open_house):
    """No day, no run; asked for by hand, the tables are empty and the checks content."""
    with open_house() as house:
        assert evaluate(house).skip_message == "no day has changed"
        result = published(house)
        assert all(check.passed for check in house.checks(result).values())
        assert house.rooms.lake.read_whole("leaderboard").is_empty()
        assert house.events("leaderboard")[-1].metadata["dagster/row_count"].value == 0
