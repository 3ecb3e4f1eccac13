import json
from datetime import date, timedelta

import pytest

from coinhts_core.clock import now

DAYS = ("2026-01-01|KRW-BTC", "2026-01-02|KRW-ETH")


@pytest.fixture(scope="module", autouse=True)
def _decided(_shared_house):
    with _shared_house.installation.settings.lineup_file.open("a") as lineup:
        lineup.write("[sma_cross]\nparameters = { fast = 2, slow = 5 }\n")
    assert _shared_house.run(*DAYS, only=["candles/minute", "signals/sma_cross"]).success


def listed(answer, *arguments):
    code, out, err = answer("signal", "list", "--date", "20260102", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_decisions_of_a_day_are_listed(house, answer):
    """Of every enabled strategy and coin, or those asked for; each with when and at what price."""
    told = listed(answer)
    stored = {
        symbol: house.rooms.lake.read("signals/sma_cross", symbol, date(2026, 1, 2), date(2026, 1, 2)).filter(side=1)
        for symbol in ("KRW-BTC", "KRW-ETH")
    }
    assert (told["day"], told["looked_at"]) == ("2026-01-02", 2)
    entered = [of for of in told["signals"] if of["side"] == "enter"]
    assert [(of["symbol"], of["price_krw"]) for of in entered] == [
        (symbol, price) for symbol, rows in stored.items() for price in rows["price_krw"]
    ]
    assert {of["strategy"] for of in entered} == {"sma_cross"}
    alone = listed(answer, "--symbols", "KRW-ETH", "--strategy", "sma_cross")
    assert alone["signals"] == [of for of in told["signals"] if of["symbol"] == "KRW-ETH"]
    words = answer("signal", "list", "--date", "2026-01-02")[1]
    assert "signals on 2026-01-02, of 2 strategies x coins" in words
    assert "KST" in words


def test_without_a_day_the_newest_that_is_stored_is_shown_and_said_to_be(house, answer):
    """Yesterday is not stored; of the two coins one has a newer day, and that is the day."""
    code, out, err = answer("signal", "list", "--json")
    assert (code, json.loads(out)["day"], json.loads(out)["looked_at"]) == (0, "2026-01-02", 2)
    assert "2026-01-02 is the newest day that is stored" in err
    assert "signals on 2026-01-02" in answer("signal", "list", "--strategy", "sma_cross")[1]
    assert house


def test_without_a_day_and_without_signals_there_is_nothing_to_show(house, answer):
    """A coin that was never rehearsed is named."""
    code, out, err = answer("signal", "list", "--symbols", "KRW-XRP")
    assert (code, out) == (1, "")
    assert "nothing is stored for signals KRW-XRP" in err
    assert house


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--date", "20260105"], "nothing is stored for signals"),
        (["--date", f"{now().date() + timedelta(days=1):%Y%m%d}"], "is not over yet"),
        (["--date", "soon"], "a day is eight digits"),
        (["--strategy", "sma_cros"], "did you mean sma_cross?"),
        (["--symbols", "KRW-DOGG"], "did you mean KRW-DOGE?"),
    ],
)
def test_what_cannot_be_listed_is_refused_in_one_sentence(house, answer, arguments, told):
    """Exit code 1, nothing on stdout."""
    code, out, err = answer("signal", "list", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err
    assert house
