import json
from datetime import timedelta

import pytest

from coinhts_core.candles.listings import record_listings
from coinhts_core.clock import now
from coinhts_core.exchanges import MarketListing
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market


@pytest.fixture
def own(open_house):
    """Give an installation of its own that follows two coins, one of which is gone."""
    with open_house(symbols="KRW-BTC,KRW-STMX") as house:
        yield house


def told(answer, *arguments):
    code, out, err = answer("market", "list", *arguments, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    return document, {of["symbol"]: of for of in document["markets"]}


def test_todays_list_says_what_is_known_of_each_market(own, answer, monkeypatch):
    """Names, warnings and cautions of all, first and last days of those followed; one that left is still there."""
    document, markets = told(answer)
    assert document["day"] == document["recorded_on"] == str(now().date())
    assert markets.keys() == {of.symbol for of in SampleExchange().markets()}
    assert markets["KRW-BTC"] == {
        "symbol": "KRW-BTC",
        "korean_name": "비트코인",
        "english_name": "Bitcoin",
        "is_warned": False,
        "cautions": [],
        "is_followed": True,
        "first_day": "2025-01-01",
        "delisted_on": None,
    }
    assert (markets["KRW-ETH"]["is_followed"], markets["KRW-ETH"]["first_day"]) == (False, None)
    assert (markets["KRW-STMX"]["is_warned"], markets["KRW-STMX"]["delisted_on"]) == (True, "2026-03-20")
    listing = MarketListing(Market("KRW-BTC"), "비트코인", "Bitcoin", is_warned=False, cautions=("PRICE",))
    monkeypatch.setattr(SampleExchange, "markets", lambda _: [listing])
    _, markets = told(answer)
    assert (list(markets), markets["KRW-BTC"]["cautions"]) == (["KRW-BTC", "KRW-STMX"], ["PRICE"])
    assert (markets["KRW-STMX"]["korean_name"], markets["KRW-STMX"]["delisted_on"]) == ("", "2026-03-20")
    assert own


def test_a_past_day_is_told_as_it_was_recorded(own, answer):
    """With the day of the list that tells it, for people, too."""
    code, out, err = answer("market", "list", "--date", "20260301")
    assert (code, out) == (1, "")
    assert err.startswith("error: no market list was ever recorded")
    yesterday = now().date() - timedelta(days=1)
    record_listings(own.rooms.ledger, yesterday, SampleExchange().markets()[:2])
    for day in (yesterday, now().date()):
        document, markets = told(answer, "--date", str(day))
        assert (document["day"], document["recorded_on"]) == (str(day), str(yesterday))
        assert list(markets) == ["KRW-ADA", "KRW-BCH"]
    words = answer("market", "list", "--date", str(now().date()))[1]
    assert f"2 markets on {now().date()}, as recorded on {yesterday}, the last list before it" in words
    assert "Cardano" in words
    _, markets = told(answer, "--date", "20260401")
    assert list(markets) == ["KRW-BTC"]


@pytest.mark.parametrize(
    ("day", "told"),
    [("20991231", "that day is still to come"), ("soon", "a day is eight digits"), ("20260230", "no such day")],
)
def test_a_day_that_cannot_be_is_refused(house, answer, day, told):
    """In one sentence."""
    code, out, err = answer("market", "list", "--date", day)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err
    assert house
