import json

import pytest

from tests.core.backtests.candles import candles, walk


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Give 400 hours in a file, and a home without a ledger."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    path = tmp_path / "KRW-BTC.csv"
    candles(walk(400) * 100_000).write_csv(path)
    return path


def told(answer, *arguments):
    code, out, err = answer(*map(str, arguments), "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_row_of_a_sweep_is_the_backtest_of_its_knobs(file, answer, tmp_path):
    """One engine behind both commands, and no ledger is begun for a file."""
    options = ["--candles", file, "--strategy", "sma_cross", "--no-rules", "--cash", "5000000"]
    found = told(
        answer, "sweep", "run", *options, "--set", "fast=3:5:2", "--set", "slow=8,13", "--set", "stop_loss=none,0.02"
    )
    assert found["combinations"] == 8 == len(found["rows"])
    row = found["rows"][7]
    knobs = ["--set", f"fast={row['fast']}", "--set", f"slow={row['slow']}", "--stop-loss", row["stop_loss"]]
    figures = told(answer, "backtest", "run", *options, *knobs)["symbols"][0]["metrics"]
    assert {name: row[name] for name in row if name in figures} == {
        name: figures[name] for name in row if name in figures
    }
    assert row["trades"] > 3
    assert not (tmp_path / "home" / "postgres").exists()
    assert not list((tmp_path / "home").rglob("*.parquet"))


def test_a_sweep_is_found_again(file, answer):
    """By the first letters of its id: sorted by a figure, and as a map."""
    options = ["--candles", file, "--strategy", "sma_cross", "--set", "fast=2:4", "--set", "slow=8,13,21"]
    swept = told(answer, "sweep", "run", *options)
    top = told(answer, "sweep", "top", swept["id"][:12], "--by", "total_return", "--count", 3)
    returns = sorted((row["total_return"] for row in swept["rows"]), reverse=True)
    assert [row["total_return"] for row in top["rows"]] == returns[:3]
    drawn = told(answer, "sweep", "heatmap", swept["id"][:12], "--x", "slow", "--y", "fast", "--by", "trades")
    assert (drawn["x"]["values"], drawn["y"]["values"]) == ([8, 13, 21], [2, 3, 4])
    assert drawn["cells"][1][2] == next(row["trades"] for row in swept["rows"] if (row["fast"], row["slow"]) == (3, 21))
    assert told(answer, "sweep", "run", *options, "--workers", 1) == swept
    for verb in ("top", "heatmap"):
        code, out, _ = answer("sweep", verb, swept["id"][:12])
        assert code == 0
        assert "sharpe" in out.lower()


@pytest.mark.parametrize("verb", ["top", "heatmap"])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_is_no_sweep_is_said_to_be_none(file, answer, verb, form):
    """In one sentence, whatever it is instead."""
    run = told(answer, "backtest", "run", "--candles", file, "--strategy", "sma_cross")
    code, out, err = answer("sweep", verb, run["id"][:12], *form)
    assert (code, out) == (1, "")
    assert f"result {run['id'][:12]} is no sweep; `coinhts backtest show {run['id'][:12]}`" in " ".join(err.split())


def test_chance_and_timeframes(file, answer):
    """Some combinations, of hours joined to longer bars."""
    options = ["--candles", file, "--strategy", "sma_cross", "--set", "fast=2:9", "--set", "slow=10:30"]
    some = told(answer, "sweep", "run", *options, "--samples", 5, "--seed", 2, "--timeframe", "4h")
    assert (len(some["rows"]), some["timeframe"], some["samples"]) == (5, "4h", 5)
    both = told(answer, "sweep", "run", *options[:6], "--set", "timeframe=1h,4h")
    assert [row["timeframe"] for row in both["rows"]] == ["1h", "4h"] * 8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--set", "fast=x:y"], "is not like fast=4:52:2"),
        (["--set", "fasst=3"], "did you mean fast"),
        (["--set", "fast=3", "--symbols", "KRW-BTC"], "a file is taken whole"),
        (["--set", "stop_loss=2"], "stop_loss"),
    ],
)
def test_what_cannot_be_swept_is_refused(file, answer, options, sentence):
    """In one sentence, as something to ask otherwise."""
    code, _, err = answer("sweep", "run", "--candles", str(file), "--strategy", "sma_cross", *options)
    assert code == 1
    assert sentence in " ".join(err.split())


def test_stored_candles_are_swept(house, answer):
    """Symbols and days as everywhere, each coin alone; the rows stay on the shelf, where the other commands look."""
    days = "2026-01-03|KRW-BTC", "2026-01-06|KRW-ETH"
    assert house.run(*days, only=["candles/minute"]).success
    options = ["--timerange", "20260103-20260106", "--symbols", "btc/krw,eth/krw", "--strategy", "sma_cross"]
    swept = told(answer, "sweep", "run", *options, "--set", "fast=2:4", "--set", "slow=8")
    assert [(row["symbol"], row["fast"]) for row in swept["rows"]] == [
        (symbol, fast) for symbol in ("KRW-BTC", "KRW-ETH") for fast in (2, 3, 4)
    ]
    single = told(
        answer,
        "backtest",
        "run",
        *options[:2],
        "--symbols",
        "btc/krw",
        *options[4:],
        "--set",
        "fast=3",
        "--set",
        "slow=8",
    )
    assert single["symbols"][0]["metrics"]["trades"] == swept["rows"][1]["trades"]
    top = told(answer, "sweep", "top", swept["id"], "--by", "trades", "--count", 1)
    assert top["rows"][0]["trades"] == max(row["trades"] for row in swept["rows"])
