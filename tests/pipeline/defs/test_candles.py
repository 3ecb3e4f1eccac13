from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from coinhts_core.candles.collection import answers
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market
from coinhts_core.settings import read_settings
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import open_installation

BTC, ETH, XRP = map(Market, ("KRW-BTC", "KRW-ETH", "KRW-XRP"))
MINUTE = "candles/minute"
REFRESH = {"ops": {"candles__minute": {"config": {"refresh": True}}}}


def versions(house, asset=MINUTE):
    return {event.partition: event.tags["dagster/data_version"] for event in house.events(asset)}


def asked(house, symbol, day):
    """When the venue was last asked about a day."""
    with house.rooms.ledger.transaction() as connection:
        query = "SELECT asked_at FROM coverage WHERE symbol = %s AND day = %s"
        (moment,) = connection.execute(query, [str(symbol), day]).fetchone()
    return moment


@pytest.fixture
def down(monkeypatch):
    """Give the set of symbols and days for which the venue is down."""
    places = set()
    minutes = SampleExchange.minutes

    def answered(self, symbol, day):
        if (symbol, str(day)) in places:
            raise ExchangeUnavailableError(venue="sample", reason="maintenance")
        return minutes(self, symbol, day)

    monkeypatch.setattr(SampleExchange, "minutes", answered)
    return places


def test_a_covered_day_is_asked_for_again_only_when_that_is_wanted(house):
    """It is recorded once more as it is; a refresh asks, and the same rows are the same version."""
    day = date(2026, 1, 1)
    assert house.run(f"{day}|KRW-BTC", only=[MINUTE]).success
    first, version = asked(house, BTC, day), versions(house)
    assert house.run(f"{day}|KRW-BTC", only=[MINUTE]).success
    assert asked(house, BTC, day) == first
    assert house.run(f"{day}|KRW-BTC", only=[MINUTE], config=REFRESH).success
    assert asked(house, BTC, day) > first
    assert versions(house) == version
    assert [event.partition for event in house.events(MINUTE)] == [f"{day}|KRW-BTC"] * 3


def test_an_unanswered_day_stays_away_and_holds_up_nobody_else(house, down):
    """Its partition is not made, the check names it with the reason, and asked again it comes."""
    down.add((ETH, "2026-01-11"))
    result = house.run("2026-01-10|KRW-BTC", "2026-01-12|KRW-ETH", only=[MINUTE])
    assert result.success
    check = house.checks(result)["days_are_complete"]
    assert not check.passed
    assert "maintenance" in check.metadata["2026-01-11 KRW-ETH"].value
    days = [f"2026-01-{day}|KRW-{coin}" for day in (10, 11, 12) for coin in ("BTC", "ETH")]
    missing = "2026-01-11|KRW-ETH"
    assert set(days) - versions(house).keys() == {missing}
    assert answers(house.rooms.ledger, ETH, *[date(2026, 1, 11)] * 2)[date(2026, 1, 11)].kind == "unavailable"
    down.clear()
    assert house.run(missing, only=[MINUTE]).success
    assert missing in versions(house)


def test_a_day_whose_rows_were_lost_is_fetched_again(house):
    """An answer counts only while its rows are in the lake."""
    day = date(2026, 3, 5)
    assert house.run(f"{day}|KRW-XRP", only=[MINUTE]).success
    version, first = versions(house)[f"{day}|KRW-XRP"], asked(house, XRP, day)
    for file in (house.installation.settings.home / "lake" / MINUTE / "symbol=KRW-XRP").rglob("*.*"):
        file.unlink()
    assert house.run(f"{day}|KRW-XRP", only=[MINUTE]).success
    assert asked(house, XRP, day) > first
    assert versions(house)[f"{day}|KRW-XRP"] == version
    assert day in house.rooms.lake.heads(MINUTE, XRP)


def test_days_before_the_first_and_after_the_last_are_made_without_rows(open_house):
    """Not listed is an answer of its own: it is nobody's gap, and nothing waits for it."""
    with open_house(symbols="KRW-BTT,KRW-STMX") as house:
        assert house.run("2026-01-14|KRW-BTT", "2026-01-15|KRW-BTT").success
        assert house.run("2026-03-20|KRW-STMX", "2026-03-21|KRW-STMX", only=[MINUTE]).success
        counts = {
            event.partition: event.metadata["dagster/partition_row_count"].value for event in house.events(MINUTE)
        }
        assert [key for key, rows in counts.items() if not rows] == ["2026-01-14|KRW-BTT", "2026-03-21|KRW-STMX"]
        assert len(counts) == 4
        backtests = versions(house, "backtests/sma_cross")
        assert backtests["2026-01-14|KRW-BTT"] == "not listed"
        assert backtests["2026-01-15|KRW-BTT"] not in {"not listed", "waiting"}
        result = house.run("KRW-BTT", "KRW-STMX", job="collect_day_candles")
        assert house.checks(result)["day_bars_are_fresh"].passed
        assert max(house.rooms.lake.heads("candles/day", Market("KRW-STMX"))) <= date(2026, 3, 20)


def test_day_bars_reach_to_yesterday_and_the_check_says_so(house, monkeypatch):
    """Two years in one run; where the venue is behind, the symbol is named."""
    result = house.run("KRW-BTC", "KRW-XRP", job="collect_day_candles")
    assert house.checks(result)["day_bars_are_fresh"].passed
    stored = house.rooms.lake.heads("candles/day", BTC)
    assert min(stored) == date(2025, 1, 1)
    assert max(stored) == datetime.now(UTC).date() - timedelta(days=1)
    days = SampleExchange.days
    monkeypatch.setattr(
        SampleExchange, "days", lambda self, symbol, first, last: days(self, symbol, first, last - timedelta(days=2))
    )
    check = house.checks(house.run("KRW-ETH", job="collect_day_candles"))["day_bars_are_fresh"]
    assert not check.passed
    assert list(check.metadata) == ["KRW-ETH"]


def test_day_bars_and_minutes_that_differ_are_named(house, monkeypatch):
    """Both are stored as they were told; the check says where they tell different days."""
    assert house.run("2026-01-01|KRW-BTC", "2026-01-02|KRW-BTC", only=[MINUTE]).success
    result = house.run("KRW-BTC", job="collect_day_candles")
    assert house.checks(result)["day_bars_agree_with_minutes"].passed
    days, second = SampleExchange.days, pl.col("opened_at").dt.date() == date(2026, 1, 2)
    higher = pl.when(second).then(pl.col("high") + 1_000).otherwise("high").alias("high")
    monkeypatch.setattr(SampleExchange, "days", lambda *asked: days(*asked).with_columns(higher))
    result = house.run("KRW-BTC", job="collect_day_candles")
    check = house.checks(result)["day_bars_agree_with_minutes"]
    assert (result.success, check.passed, check.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    (difference,) = check.metadata["differences"].value
    assert difference.startswith("KRW-BTC 2026-01-02: high is ")


def test_the_schedules_ask_for_the_list_and_for_active_symbols(open_house, monkeypatch):
    """One run a symbol for day bars, none for a symbol that is followed no more; keys differ from day to day."""
    with open_house(symbols="KRW-BTC,KRW-ETH") as house:
        monkeypatch.setenv("COINHTS_SYMBOLS", "KRW-ETH,KRW-XRP")
        with open_installation(read_settings()):
            asked_for = [
                request
                for day in (5, 6)
                for name in ("refresh_markets_daily", "collect_day_candles_daily")
                for request in _evaluated(house, name, datetime(2026, 1, day, 0, 20, tzinfo=UTC))
            ]
    assert [request.partition_key for request in asked_for] == [None, "KRW-ETH", "KRW-XRP"] * 2
    assert len({request.run_key for request in asked_for}) == 6


def _evaluated(house, name, moment):
    repository = defs().get_repository_def()
    with dg.build_schedule_context(
        instance=house.instance, scheduled_execution_time=moment, repository_def=repository
    ) as context:
        return repository.get_schedule_def(name).evaluate_tick(context).run_requests
