import json
import os
import pwd

import pytest

_BITCOIN = ("krw-btc", "--price", "95000000", "--volume", "0.1", "--time", "2026-01-02 09:00 KST")
_SOLD = ("--price", "97000000", "--time", "2026-01-03T00:00Z")


@pytest.fixture
def asked(house, answer):
    """Ask for a document, and give it."""
    assert house

    def document(*arguments):
        code, out, err = answer("position", *arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return document


def test_a_position_goes_its_way(asked, answer):
    """Opened, annotated, amended, closed, deleted, by who I am, whatever the environment claims."""
    opened = asked("open", *_BITCOIN, "--note", "첫 매수", "--key", "walk")
    number = str(opened["id"])
    assert (opened["state"], opened["paid_krw"], opened["note"]) == ("open", "9504750", "첫 매수")
    assert asked("open", *_BITCOIN, "--note", "첫 매수", "--key", "walk")["id"] == opened["id"]
    assert asked("annotate", number, "둘")["note"] == "둘"
    assert asked("amend", number, "--volume", "0.2", "--version", "2")["volume_base"] == "0.2"
    closed = asked("close", number, *_SOLD, "--slippage", "600")
    assert (closed["realised_krw"], closed["version"]) == (380_200, 4)
    assert asked("amend", number, "--exit-price", "96000000")["realised_krw"] == 180_300
    assert asked("delete", number)["state"] == "deleted"
    history = asked("history", number)
    assert [of["what"] for of in history] == ["opened", "annotated", "amended", "closed", "amended", "deleted"]
    assert {of["changed_by"] for of in history} == {pwd.getpwuid(os.getuid()).pw_name}
    words = answer("position", "history", number)[1]
    assert "volume_base: 0.1 -> 0.2" in " ".join(words.split())
    assert "KST" in words


def test_people_read_money_and_times(asked, answer):
    """KST beside UTC, won without decimals, why a figure is not there beside it."""
    number = str(asked("close", str(asked("open", *_BITCOIN)["id"]), *_SOLD)["id"])
    code, out, err = answer("position", "show", number)
    words = " ".join(out.split())
    assert code == 0
    assert "opened 2026-01-02 00:00 UTC (09:00 KST) at 95,000,000 KRW" in words
    assert "received 9,695,150 KRW after the fee, 4,850 KRW, and slippage, 0 KRW" in words
    assert "realised +190,400 KRW (+2.00%)" in words
    assert "held 1 d" in words
    assert "mae, mfe: the minutes of KRW-BTC on 2026-01-02 are not stored" in err
    other = str(asked("open", "KRW-XRP", "--price", "0.12345678", "--volume", "3")["id"])
    out = answer("position", "list", "--symbol", "KRW-XRP")[1]
    assert "0.12345678" in out
    assert "1 positions: realised +0 KRW, unrealised +0 KRW, 1 without a stored close" in " ".join(out.split())
    assert asked("cancel", other)["state"] == "cancelled"
    asked("delete", other)
    assert answer("position", "list", "--symbol", "KRW-XRP")[1] == "there is no such position\n"


def test_a_list_says_how_many_there_are(asked, answer):
    """When they are more than it shows; programs are told as well."""
    for _ in range(3):
        asked("open", "KRW-ADA", "--price", "500", "--volume", "10")
    listed = asked("list", "--symbol", "KRW-ADA", "--limit", "2")
    assert (len(listed["positions"]), listed["matching"], listed["totals"]["unvalued"]) == (2, 3, 2)
    assert "2 positions (the latest of 3): realised" in answer("position", "list", "--symbol=KRW-ADA", "--limit=2")[1]


def test_what_is_held_is_worth_the_last_stored_close(asked, house):
    """With the worst and best moment, once the minutes are there."""
    house.run("2026-01-05|KRW-ETH", "2026-01-06|KRW-ETH", only=["candles/minute"])
    opened = asked("open", "KRW-ETH", "--price", "4000000", "--volume", "1", "--time", "2026-01-05T12:00Z")
    assert opened["marked_at"] == "2026-01-07T00:00:00+00:00"
    assert opened["unrealised_krw"] == round(float(opened["mark_price_krw"]) - 4_002_000)
    assert opened["mae"] <= 0 <= opened["mfe"]
    assert opened["warnings"] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["open", "KRW-BTC", "--price", "nan", "--volume", "1"], "the position's entry_price_krw is refused: 'nan'"),
        (["open", "KRW-BTC", "--price", "1", "--volume", "-1"], "the position's volume_base is refused: '-1'"),
        (["open", "../../etc", "--price", "1", "--volume", "1"], "the position's symbol is refused"),
        (["open", *_BITCOIN, "--key", "a b"], "the position's key is refused: 'a b'"),
        (["open", *_BITCOIN[:5], "--time", "2026-01-02"], "write it like 2026-01-02T12:04:05+09:00"),
        (["open", "KRW-BTC", "--volume", "1"], "Missing option '--price'"),
        (["show", "999999"], "there is no position 999999"),
        (["show", "0"], "0 is not in the range"),
        (["history", "999999"], "there is no position 999999"),
        (["close", "999999", "--price", "1"], "there is no position 999999"),
        (["list", "--state", "gone"], "the position's state is refused: 'gone' is none of open, closed"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(house, answer, arguments, told):
    """Exit code 1, nothing on stdout."""
    code, out, err = answer("position", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err
    assert house


def test_who_looked_at_an_older_version_is_told(asked, answer):
    """In one sentence; what is open is not deleted."""
    number = str(asked("open", *_BITCOIN)["id"])
    asked("amend", number, "--volume", "0.2", "--version", "1")
    code, _, err = answer("position", "amend", number, "--volume", "0.3", "--version", "1")
    assert (code, "is at version 2 by now, not 1" in err) == (1, True)
    code, _, err = answer("position", "delete", number)
    assert (code, f"position {number} is open and cannot be deleted, only what is closed or cancelled" in err) == (
        1,
        True,
    )
