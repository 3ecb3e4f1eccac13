from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from coinhts_core.candles.collection import answers
from coinhts_core.candles.quarantine import find_bad_bars
from coinhts_core.errors import ExchangeUnavailableError, UnknownMarketError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market, Timeframe
from coinhts_core.settings import read_settings
from coinhts_pipeline.backfill import plan_stale
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


@pytest.fixture
def spoilt(monkeypatch):
    """Give a mapping from symbol and day to what is done to the minutes told of it."""
    changes = {}
    minutes = SampleExchange.minutes

    def told(self, symbol, day):
        return changes.get((symbol, str(day)), lambda rows: rows)(minutes(self, symbol, day))

    monkeypatch.setattr(SampleExchange, "minutes", told)
    return changes


def failed(house, result):
    """The checks of a run that failed, and what they name."""
    checks = house.checks(result).values()
    return {check.check_name: dict(check.metadata) for check in checks if not check.passed}


def bars_at(*places, **columns):
    """Bars with other values at some places."""
    is_wrong = pl.int_range(pl.len()).is_in(places)
    return lambda rows: rows.with_columns(
        pl.when(is_wrong).then(value).otherwise(name).alias(name) for name, value in columns.items()
    )


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
    assert list(check.metadata) == ["2026-01-02 KRW-BTC"]
    assert check.metadata["2026-01-02 KRW-BTC"].value.startswith("high is ")


def test_a_day_with_bad_bars_is_made_without_them_until_they_are_told_better(house, spoilt):
    """Each broken rule is a check of its own that names the bars; materialised again, the day is asked for again."""
    key, day = "2026-04-01|KRW-BTC", date(2026, 4, 1)
    spoilt[BTC, str(day)] = bars_at(3, high=0.5, close=float("inf"))
    moment = SampleExchange.minutes(SampleExchange(), BTC, day)["opened_at"][3]
    result = house.run(key, "2026-04-02|KRW-BTC", only=[MINUTE])
    assert result.success
    named = failed(house, result)
    assert list(named) == ["days_are_complete", "values_are_finite"]
    assert list(named["days_are_complete"]) == [f"{day} KRW-BTC"]
    assert list(named["values_are_finite"]) == [f"{moment:%Y-%m-%d %H:%M} KRW-BTC"]
    assert '"close": "inf"' in named["values_are_finite"][f"{moment:%Y-%m-%d %H:%M} KRW-BTC"].value
    half = versions(house)[key]
    assert not house.rooms.lake.read(MINUTE, BTC, day, day)["opened_at"].is_in([moment]).any()
    first = asked(house, BTC, day)
    spoilt.clear()
    assert failed(house, house.run(key, "2026-04-02|KRW-BTC", only=[MINUTE])) == {}
    assert asked(house, BTC, day) > first
    assert versions(house)[key] != half
    assert house.rooms.lake.read(MINUTE, BTC, day, day)["opened_at"].is_in([moment]).any()


def test_bars_of_before_are_still_named_when_the_venue_is_down(house, spoilt, down):
    """The day is as bad as it was; the check of its rule says so."""
    key = "2026-04-05|KRW-BTC"
    spoilt[BTC, "2026-04-05"] = bars_at(9, low=-1.0)
    assert "prices_are_positive" in failed(house, house.run(key, only=[MINUTE]))
    spoilt.clear()
    down.add((BTC, "2026-04-05"))
    named = failed(house, house.run(key, only=[MINUTE]))
    assert "maintenance" in named["days_are_complete"]["2026-04-05 KRW-BTC"].value
    assert "prices_are_positive" in named


def test_half_an_answer_leaves_a_whole_day_alone_and_the_check_says_so(house, spoilt):
    """Asked once more, the venue tells a bad bar: the stored day keeps its version, and is recorded with it."""
    key = "2026-04-10|KRW-BTC"
    assert failed(house, house.run(key, only=[MINUTE])) == {}
    version = versions(house)[key]
    spoilt[BTC, "2026-04-10"] = bars_at(5, volume=-1.0)
    result = house.run(key, only=[MINUTE], config=REFRESH)
    assert list(failed(house, result)) == ["volumes_are_not_negative"]
    assert versions(house)[key] == version
    assert len([event for event in house.events(MINUTE) if event.partition == key]) == 2
    spoilt.clear()
    assert failed(house, house.run(key, only=[MINUTE])) == {}


def test_an_answer_that_is_no_candles_fails_its_check_and_another_order_warns(house, spoilt):
    """The one day is refused, the other is stored as if it had come in order."""
    spoilt[BTC, "2026-04-15"] = lambda rows: rows.drop("volume")
    spoilt[BTC, "2026-04-16"] = pl.DataFrame.reverse
    result = house.run("2026-04-15|KRW-BTC", "2026-04-17|KRW-BTC", only=[MINUTE])
    named = failed(house, result)
    assert list(named) == ["days_are_complete", "bars_have_their_columns", "bars_are_in_order"]
    assert "volume is missing" in named["bars_have_their_columns"]["2026-04-15 KRW-BTC"].value
    assert list(named["bars_are_in_order"]) == ["2026-04-16 KRW-BTC"]
    assert house.checks(result)["bars_are_in_order"].severity == dg.AssetCheckSeverity.WARN
    assert house.rooms.lake.read(MINUTE, BTC, *[date(2026, 4, 16)] * 2)["opened_at"].is_sorted()


def test_bars_are_fresh_while_the_newest_is_of_the_day_before(house, down):
    """A day without an answer is not yet stale; two in a row are, and the symbol is named with its newest bar."""
    down |= {(ETH, "2026-04-21"), (ETH, "2026-04-22")}
    assert "bars_are_fresh" not in failed(house, house.run("2026-04-20|KRW-ETH", "2026-04-21|KRW-ETH", only=[MINUTE]))
    result = house.run("2026-04-20|KRW-BTC", "2026-04-22|KRW-ETH", only=[MINUTE])
    named = failed(house, result)["bars_are_fresh"]
    assert {symbol: reason.value for symbol, reason in named.items()} == {
        "KRW-ETH": "the newest bar up to 2026-04-22 is of 2026-04-20"
    }
    assert house.checks(result)["bars_are_fresh"].severity == dg.AssetCheckSeverity.WARN


def test_a_revised_day_warns_and_makes_what_stands_on_it_stale(open_house, spoilt):
    """Its new rows have a new version; the backtests of that and of later days are to be folded again."""
    with open_house(symbols="KRW-XRP") as house:
        days = [f"2026-01-0{day}|KRW-XRP" for day in (1, 2, 3)]
        assert house.run(days[0], days[-1]).success
        symbols = house.rooms.active
        assert plan_stale(house.installation, symbols).blocks == []
        before = versions(house)
        spoilt[XRP, "2026-01-02"] = bars_at(3, volume=77.0)
        result = house.run(days[0], days[-1], only=[MINUTE], config=REFRESH)
        named = failed(house, result)
        assert list(named) == ["days_were_not_revised"]
        assert list(named["days_were_not_revised"]) == ["2026-01-02 KRW-XRP"]
        assert named["days_were_not_revised"]["2026-01-02 KRW-XRP"].value.startswith("1 bar differs")
        assert [key for key, version in versions(house).items() if version != before[key]] == [days[1]]
        (block,) = plan_stale(house.installation, symbols).blocks
        assert (block.first, block.last) == (date(2026, 1, 2), date(2026, 1, 3))
        assert failed(house, house.run(days[0], days[-1], only=[MINUTE], config=REFRESH)) == {}


def test_one_bad_day_bar_refuses_no_symbol(open_house, monkeypatch):
    """It goes to quarantine, the check names it, the others are stored; told better, it comes and nothing is named."""
    days = SampleExchange.days
    with open_house(symbols="KRW-BTC,KRW-ETH") as house:
        worse = bars_at(40, high=0.0)
        monkeypatch.setattr(SampleExchange, "days", lambda *asked: worse(days(*asked)))
        result = house.run("KRW-BTC", "KRW-ETH", job="collect_day_candles")
        lost = SampleExchange().first_day(BTC) + timedelta(days=40)
        named = failed(house, result)["day_bars_keep_every_rule"]
        assert list(named) == [f"{lost} 00:00 KRW-BTC", f"{lost} 00:00 KRW-ETH"]
        assert named[f"{lost} 00:00 KRW-BTC"].value.startswith("prices_are_positive: {")
        assert lost not in house.rooms.lake.heads("candles/day", BTC)
        assert list(find_bad_bars(house.rooms.ledger, BTC, Timeframe.D1, date.min, date.max)) == [lost]

        monkeypatch.setattr(SampleExchange, "days", lambda *asked: days(*asked).with_columns(high=-pl.col("high")))
        named = failed(house, house.run("KRW-BTC", job="collect_day_candles"))
        assert "bars are bad: " in named["day_bars_are_fresh"]["KRW-BTC"].value
        assert len(house.rooms.lake.heads("candles/day", BTC)) > 400

        monkeypatch.setattr(SampleExchange, "days", days)
        assert failed(house, house.run("KRW-BTC", job="collect_day_candles")) == {}
        assert lost in house.rooms.lake.heads("candles/day", BTC)
        assert find_bad_bars(house.rooms.ledger, BTC, Timeframe.D1, date.min, date.max) == {}


def test_a_coin_that_is_refused_is_named_and_the_others_are_collected(open_house, monkeypatch):
    """Once the last bar of a coin that ended is stored, nothing is missing, however often it is refused."""
    days, refused = SampleExchange.days, {"KRW-ETH", "KRW-STMX"}

    def told(self, symbol, first, last):
        if symbol in refused:
            raise UnknownMarketError(symbol=symbol, venue="sample", hint="")
        return days(self, symbol, first, last)

    monkeypatch.setattr(SampleExchange, "days", told)
    with open_house(symbols="KRW-BTC,KRW-ETH,KRW-STMX,KRW-XRP") as house:

        def collected():
            result = house.run("KRW-BTC", "KRW-XRP", job="collect_day_candles")
            assert result.success
            return failed(house, result).get("day_bars_are_fresh", {})

        named = collected()
        assert list(named) == ["KRW-ETH", "KRW-STMX"]
        assert "KRW-ETH" in named["KRW-ETH"].value
        assert versions(house, "candles/day").keys() == {"KRW-BTC", "KRW-XRP"}
        refused.discard("KRW-STMX")
        assert list(collected()) == ["KRW-ETH"]
        refused.add("KRW-STMX")
        assert list(collected()) == ["KRW-ETH"]


def test_the_schedules_ask_for_the_list_and_for_active_symbols(open_house, monkeypatch):
    """One run of neighbours for day bars, none for a symbol that is followed no more; keys differ from day to day."""
    asked_for = []
    with open_house(symbols="KRW-BTC,KRW-ETH") as house:
        for day, followed in ((5, "KRW-ETH,KRW-XRP"), (6, "KRW-ETH,KRW-XRP"), (7, "KRW-BTC,KRW-XRP")):
            monkeypatch.setenv("COINHTS_SYMBOLS", followed)
            with open_installation(read_settings()):
                asked_for += [
                    request
                    for name in ("refresh_markets_daily", "collect_day_candles_daily")
                    for request in _evaluated(house, name, datetime(2026, 1, day, 0, 20, tzinfo=UTC))
                ]
    ends = [ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG]
    ranges = [tuple(request.tags.get(end, "") for end in ends) for request in asked_for]
    neighbours, alone = [("", ""), ("KRW-ETH", "KRW-XRP")], [("KRW-BTC", "KRW-BTC"), ("KRW-XRP", "KRW-XRP")]
    assert ranges == [*neighbours, *neighbours, ("", ""), *alone]
    assert len({request.run_key for request in asked_for}) == len(asked_for)


def _evaluated(house, name, moment):
    repository = defs().get_repository_def()
    with dg.build_schedule_context(
        instance=house.instance, scheduled_execution_time=moment, repository_def=repository
    ) as context:
        return repository.get_schedule_def(name).evaluate_tick(context).run_requests
