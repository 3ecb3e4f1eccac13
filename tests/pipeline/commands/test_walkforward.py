import json

import pytest

from coinhts_core.results.shelf import Shelf
from coinhts_core.trials import Trials
from tests.core.backtests.candles import candles, walk

GRID = ["--strategy", "sma_cross", "--set", "fast=2,4,8", "--set", "slow=12:24:12"]


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Give 40 days in a file, and a home without a ledger."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    path = tmp_path / "KRW-BTC.csv"
    candles(walk(960) * 100_000).write_csv(path)
    return path


def told(answer, *arguments):
    code, out, err = answer("walkforward", *map(str, arguments), "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_file_is_walked_and_found_again(file, answer, tmp_path):
    """Windows, equity and badge; no ledger is begun, and nobody claims a count of tries."""
    of = told(answer, "run", "--candles", file, *GRID, "--folds", 4, "--no-rules", "--cash", 5_000_000)
    assert (of["windows"], of["combinations"], len(of["rows"])) == (4, 6, 4)
    assert of["account"]["cash"] == 5_000_000
    day, equity, drawdown = of["equity"][-1]
    assert (day, drawdown <= 0) == (of["last_unseen_day"], True)
    assert equity / 5_000_000 - 1 == pytest.approx(of["metrics"]["total_return"])
    assert of["badge"]["trials"] is None
    assert not (tmp_path / "home" / "postgres").exists()
    assert told(answer, "show", of["id"][:12]) == of
    assert (
        told(answer, "run", "--candles", file, *GRID, "--folds", 4, "--no-rules", "--cash", 5_000_000, "--workers", 1)
        == of
    )


def test_both_verbs_show_the_same_words(file, answer):
    """A line a window, how steady the choice was, and how far it may be trusted."""
    code, out, _ = answer("walkforward", "run", "--candles", str(file), *GRID, "--anchored", "--by", "total_return")
    assert code == 0
    name = out.partition("`coinhts walkforward show ")[2][:12]
    code, again, _ = answer("walkforward", "show", name)
    assert (code, again) == (0, out)
    words = " ".join(out.split())
    for word in ("5 anchored windows", "of 6 combinations by total_return", "fast:", "efficiency", "Trust: "):
        assert word in words


def test_stored_candles_are_walked_and_their_tries_are_counted(house, answer):
    """Each combination once, whatever the windows; a sweep of the same combinations tries nothing new."""
    assert house.run("2026-01-03|KRW-BTC", "2026-01-22|KRW-BTC", only=["candles/minute"]).success
    where = ["--symbols", "KRW-BTC", "--timerange", "20260103-20260122"]
    of = told(answer, "run", *where, *GRID, "--folds", 2)
    assert (of["symbols"], of["start_date"], of["badge"]["trials"]) == (["KRW-BTC"], "2026-01-03", 6)
    assert "6 combinations were tried" in of["badge"]["sentence"]
    (kept,) = Shelf(house.rooms.ledger, house.rooms.lake).listed()
    assert (kept.id, kept.kind, str(kept.last_day)) == (of["id"], "walkforward", "2026-01-22")
    shown = told(answer, "show", of["id"][:12])
    assert shown["badge"] == of["badge"]
    assert [row["unseen_return"] for row in shown["rows"]] == [row["unseen_return"] for row in of["rows"]]
    assert answer("sweep", "run", *where, *GRID, "--json")[0] == 0
    assert Trials(house.rooms.ledger).counted("sma_cross").trials == 6
    one = ["--strategy", "sma_cross", "--set", "fast=4", "--set", "slow=12", "--json"]
    code, out, _ = answer("backtest", "run", *where, *one)
    assert (code, json.loads(out)["badge"]["trials"]) == (0, 6)
    code, out, _ = answer("backtest", "run", *where, *one, "--stop-loss", "0.05")
    assert (code, json.loads(out)["badge"]["trials"]) == (0, 7)
    assert told(answer, "show", of["id"][:12])["badge"]["trials"] == 7


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--by", "sharp"], "did you mean sharpe"),
        (["--folds", "60"], "40 days are too few for 60 windows"),
        (["--set", "cash=1,2"], "cash is nothing to choose"),
        (["--timerange", "20260101-"], "a file is taken whole"),
    ],
)
def test_what_cannot_be_walked_is_refused(file, answer, options, sentence):
    """In one sentence, as something to ask otherwise."""
    code, _, err = answer("walkforward", "run", "--candles", str(file), *GRID, *options)
    assert code == 1
    assert sentence in " ".join(err.split())


def test_another_kind_of_result_is_no_walk(file, answer):
    """It is sent to where it is shown."""
    code, out, _ = answer("backtest", "run", "--candles", str(file), "--strategy", "sma_cross", "--json")
    code, _, err = answer("walkforward", "show", json.loads(out)["id"][:12])
    assert code == 1
    assert "backtest show" in err
