import json

import pytest

from coinhts_core.backtests import run
from coinhts_core.results.facts import Table
from coinhts_core.results.shelf import Shelf
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk

ASKED = {"start_date": "2026-01-01", "end_date": "2026-01-13"}


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Give 300 hours in a file, and a home without a ledger."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    path = tmp_path / "KRW-BTC.csv"
    candles(walk(300) * 100_000).write_csv(path)
    return path


@pytest.fixture
def keep(house):
    """Keep runs on the shelf of the module's house, which forgets them afterwards."""
    shelf = Shelf(house.rooms.ledger, house.rooms.lake)

    def on_shelf(seed=7, **knobs):
        coins = {"KRW-BTC": candles(walk(300, seed=seed))}
        result = run(coins, load("sma_cross", **({"fast": 3, "slow": 8} | knobs)))
        return shelf.keep(result.id, result, ASKED)

    yield on_shelf
    with house.rooms.ledger.transaction() as connection:
        connection.execute("DELETE FROM results")


def answered(answer, *arguments):
    code, out, err = answer("backtest", *map(str, arguments), "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_file_is_shown_and_reported(file, answer, tmp_path):
    """The same result in words and as a document, found by its id, its page copied; and no ledger is begun."""
    asked = ["run", "--candles", file, "--strategy", "sma_cross", "--set", "fast=3", "--set", "slow=8"]
    told = answered(answer, *asked)
    assert answered(answer, "show", told["id"][:8]) == told
    code, out, _ = answer("backtest", "show", told["id"][:8])
    assert code == 0
    assert "Total return" in out
    page = tmp_path / "page.html"
    assert answer("backtest", "report", told["id"][:8], "--to", str(page))[0] == 0
    assert "<!DOCTYPE html>" in page.read_text()
    assert answered(answer, "list") == []
    assert answered(answer, "prune") == {"results": [], "removed": []}
    assert answer("backtest", "compare", told["id"][:8], told["id"][:8])[0] == 1
    assert not (tmp_path / "home" / "postgres").exists()


def test_results_are_listed_by_what_is_looked_for(keep, answer):
    """As rows of JSON and as a table; the newest first, or the best."""
    rows = [keep(fast=fast) for fast in (3, 4, 5)]
    assert [of["id"] for of in answered(answer, "list")] == [row.id for row in rows[::-1]]
    best = max(rows, key=lambda row: row.total_return)
    found = answered(answer, "list", "--sort", "return", "--limit", 1, "--strategy", "sma_cross", "--symbol", "btc/krw")
    assert [of["id"] for of in found] == [best.id]
    assert answered(answer, "list", "--min-return", best.total_return)[0]["total_return"] == best.total_return
    assert answered(answer, "list", "--kind", "sweep") == []
    code, out, _ = answer("backtest", "list")
    assert code == 0
    assert rows[0].id[:12] in out
    assert answer("backtest", "list", "--kind", "sweep")[1].startswith("no such result is kept")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "--limit", "0"], "limit is refused: input should be greater than or equal to 1"),
        (["list", "--from", "2026-02-30"], "from is refused"),
        (["list", "--from", "20260102", "--to", "20260101"], "is above to"),
        (["list", "--min-return", "nan"], "min_return is refused"),
        (["list", "--sort", "luck"], "'luck' is not one of"),
        (["show", "abc"], "give its first 6 letters or more"),
        (["show", "abcdef"], "no result begins with abcdef"),
        (["compare", "abcdef", "abcdee"], "no result begins with abcdef"),
        (["pin", "abcdef"], "no result begins with abcdef"),
        (["report", "abcdef"], "no page begins with abcdef"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(house, answer, arguments, sentence):
    """Exit 1."""
    assert house
    code, _, err = answer("backtest", *arguments)
    assert code == 1
    assert sentence in err
    assert err.count("\n") == 1


def test_a_result_is_shown_with_its_curve(keep, answer):
    """The document as it was kept, and what people see of it."""
    row = keep()
    assert answered(answer, "show", row.id[:8])["id"] == row.id
    assert "equity" in answer("backtest", "show", row.id[:8])[1]


def test_a_table_is_shown_by_its_first_rows(house, keep, answer):
    """A row a combination."""
    assert keep
    rows = candles(walk(30)).select("open", total_return="volume")
    asked = {**ASKED, "strategy": "sma_cross", "symbols": ["KRW-BTC"], "timeframe": "1h"}
    Shelf(house.rooms.ledger, house.rooms.lake).keep("a" * 64, Table("sweep", rows), asked)
    out = answer("backtest", "show", "aaaaaa")[1]
    assert "sweep, 30 rows" in out
    assert "and 10 more" in out
    assert len(answered(answer, "show", "aaaaaa")["rows"]) == 30


def test_two_results_are_compared(keep, answer, tmp_path):
    """The cause in one sentence, figures that differ, both curves, and a page of it."""
    one, other = keep(), keep(fast=4)
    told = answered(answer, "compare", one.id[:8], other.id[:8], "--page", tmp_path / "page.html")
    assert told["verdict"] == "the cause is parameters: all else is the same"
    assert told["causes"] == [{"name": "parameters", "how": "fast 3 → 4"}]
    assert set(told["curves"]) == {one.id[:12], other.id[:12]}
    assert (tmp_path / "page.html").read_text().count('class="line ') == 2
    code, out, _ = answer("backtest", "compare", one.id[:8], other.id[:8])
    assert code == 0
    assert "fast 3 → 4" in out
    assert "█" in out


def test_nothing_goes_before_it_was_reported(keep, answer):
    """A newer answer to the same question stands for the older one; what is pinned stays; --yes removes the rest."""
    old, pinned, newest = keep(seed=1), keep(seed=2), keep(seed=3)
    assert answered(answer, "pin", pinned.id[:8])["is_pinned"]
    told = answered(answer, "prune", "--older-than", 0)
    assert {of["id"]: of["goes"] for of in told["results"]} == {old.id: True, pinned.id: False, newest.id: False}
    assert told["removed"] == []
    code, out, _ = answer("backtest", "prune", "--older-than", "0")
    assert code == 0
    assert "1 may go, 2 stay" in out
    assert "nothing was removed; --yes removes them" in out
    assert answered(answer, "list", "--limit", 10)[-1]["id"] == old.id
    assert answered(answer, "prune", "--older-than", 0, "--yes")["removed"] == [old.id]
    assert [of["id"] for of in answered(answer, "list")] == [newest.id, pinned.id]
    assert "0 may go, 2 stay" in answer("backtest", "prune")[1]
    assert "may go when its time comes" in answer("backtest", "pin", pinned.id[:8], "--off")[1]
