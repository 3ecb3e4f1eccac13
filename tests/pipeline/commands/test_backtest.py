import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.installation import PROJECT
from tests.core.backtests.candles import candles, walk

TEN_MILLION = 10**7
FOUR_GIB = 4 * 2**20  # in KiB, as the system counts
# A process of its own between, for of a test's own children the system remembers the largest alone.
_MEASURED = """
import resource, subprocess, sys
with open(sys.argv[1], "wb") as out:
    code = subprocess.run(sys.argv[2:], stdout=out).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Give 300 hours in a file, and a home without a ledger."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    path = tmp_path / "KRW-BTC.csv"
    candles(walk(300) * 100_000).write_csv(path)
    return path


def answered(answer, *arguments):
    code, out, err = answer("backtest", *map(str, arguments), "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_file_is_rehearsed(file, answer, tmp_path):
    """What was asked for is in effect, and no ledger is begun."""
    asked = ["run", "--candles", file, "--strategy", "sma_cross", "--set", "fast=3", "--set", "slow=8"]
    told = answered(answer, *asked, "--stop-loss", "0.05", "--cash", "5000000")
    assert told["params"] == {"timeframe": "1h", "fast": 3, "slow": 8}
    assert (told["account"]["stop_loss"], told["account"]["cash"]) == (0.05, 5_000_000)
    (of,) = told["symbols"]
    assert (of["symbol"], of["candles"]) == ("KRW-BTC", 300)
    assert len(of["trades"]) == of["metrics"]["trades"] > 0
    assert "equity" not in of
    assert not (tmp_path / "home" / "postgres").exists()


def test_what_a_strategy_is_told_in_json_counts_as_well(file, answer):
    """And the equity comes when it is asked for."""
    asked = ["run", "--candles", file, "--strategy", "sma_cross", "--params", '{"fast": 3, "slow": 8}', "--full"]
    told = answered(answer, *asked, "--timeframe", "4h", "--no-rules")
    assert (told["timeframe"], told["params"]["fast"], told["account"]["rules"]) == ("4h", 3, None)
    assert len(told["symbols"][0]["equity"]) == 75


def test_a_study_shows_coin_hts_figures_and_its_account(file, answer):
    """Both in words."""
    code, out, _ = answer(
        "backtest", "run", "--candles", str(file), "--strategy", "volume_zone_breakout", "--mode", "study"
    )
    assert code == 0
    assert "coin_hts samples" in out
    assert "Total return" in out


def test_a_set_of_the_lineup_runs_as_it_is(file, answer):
    """With its own knobs and account, which options override."""
    answer("strategy", "set", "sma_fast", "--of", "sma_cross", "fast=3", "slow=8", "account.cash=1000000")
    told = answered(answer, "run", "--candles", file, "--strategy", "sma_fast", "--set", "slow=9")
    assert (told["strategy"], told["params"]["fast"], told["params"]["slow"]) == ("sma_cross", 3, 9)
    assert told["account"]["cash"] == 1_000_000


def test_stored_candles_are_rehearsed(house, answer):
    """Symbols and days as everywhere."""
    assert house.run("2026-01-03|KRW-BTC", "2026-01-06|KRW-BTC", only=["candles/minute"]).success
    told = answered(
        answer, "run", "--symbols", "btc/krw", "--timerange", "20260103-20260106", "--strategy", "volume_zone_breakout"
    )
    assert (told["timeframe"], told["symbols"][0]["candles"]) == ("1h", 96)
    (kept,) = Shelf(house.rooms.ledger, house.rooms.lake).listed()
    assert (kept.id, str(kept.first_day), str(kept.last_day)) == (told["id"], "2026-01-03", "2026-01-06")
    code, _, err = answer(
        "backtest", "run", "--symbols", "KRW-ETH", "--timerange", "20260103-20260104", "--strategy", "sma_cross"
    )
    assert code == 1
    assert "no candles/minute of KRW-ETH is stored from 2026-01-03 to 2026-01-04" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--strategy", "sma_corss"], "did you mean sma_cross?"),
        (["--strategy", "sma_cross", "--set", "fast"], "--set fast is not like fast=20"),
        (["--strategy", "sma_cross", "--set", "fast=0"], "sma_cross does not take fast=0"),
        (["--strategy", "sma_cross", "--params", "{"], "--params is no JSON"),
        (["--strategy", "sma_cross", "--params", "[1]"], "--params is no JSON object"),
        (["--strategy", "sma_cross", "--timeframe", "15m"], "bars of 1h cannot make bars of 15m"),
        (["--strategy", "sma_cross", "--timerange", "20260101-"], "a file is taken whole"),
        (["--strategy", "sma_cross", "--cash", "nan"], "--cash: input should be"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(file, answer, arguments, sentence):
    """Exit 1, and no result is kept."""
    code, _, err = answer("backtest", "run", "--candles", str(file), *arguments)
    assert code == 1
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda of: of[:0], "it has no rows"),
        (lambda of: of.with_columns(close=pl.lit(None)), "line 2: a number cannot be read"),
        (lambda of: of.with_columns(high=pl.lit(1.0)), "column high is below the low in row 1"),
        (lambda of: pl.concat([of, of[-1:]]), "column opened_at is not after the bar before in row 301"),
        (lambda of: of.drop("close"), "it has no column close"),
    ],
)
def test_a_file_that_cannot_be_believed_is_refused(file, answer, change, sentence):
    """With the line or the column, and the reason."""
    frame = pl.read_csv(file, try_parse_dates=True)
    change(frame).write_csv(file)
    code, _, err = answer("backtest", "run", "--candles", str(file), "--strategy", "sma_cross")
    assert code == 1
    assert sentence in err


@pytest.fixture(scope="module", params=["csv", "parquet"])
def nineteen_years(request, tmp_path_factory):
    """Give a file of ten million minutes."""
    path = tmp_path_factory.mktemp("candles") / f"KRW-BTC.{request.param}"
    first = datetime(2010, 1, 1, tzinfo=UTC)
    moments = pl.datetime_range(
        first, first + timedelta(minutes=TEN_MILLION), "1m", time_unit="us", closed="left", eager=True
    )
    closes = np.rint(5e7 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 2e-4, TEN_MILLION))))
    opens = np.append(closes[:1], closes[:-1])
    frame = pl.DataFrame(
        {
            "opened_at": moments,
            "open": opens,
            "high": np.maximum(opens, closes) + 5_000,
            "low": np.minimum(opens, closes) - 5_000,
            "close": closes,
            "volume": np.full(TEN_MILLION, 1.25),
        }
    )
    frame.write_csv(path) if request.param == "csv" else frame.write_parquet(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "bars"),
    [([], TEN_MILLION), (["--timeframe", "1h", "--stop-loss", "0.01", "--take-profit", "0.01"], 166_667)],
)
def test_ten_million_minutes_are_rehearsed_in_four_gibibytes(nineteen_years, tmp_path, options, bars):
    """An answer in strict JSON, in a process of its own whose memory is measured."""
    out = tmp_path / "out.json"
    asked = ["backtest", "run", "--candles", str(nineteen_years), "--strategy", "sma_cross", "--json", *options]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(out), sys.executable, "-m", "coinhts_pipeline.cli", *asked],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "COINHTS_HOME": str(tmp_path / "home")},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < FOUR_GIB
    told = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert told["symbols"][0]["candles"] == bars
    assert told["symbols"][0]["metrics"]["trades"] == len(told["symbols"][0]["trades"]) > 1_000
    assert None not in told["symbols"][0]["metrics"].values()


def test_a_files_backtest_imports_nothing_of_the_house(file):
    """Neither orchestration nor databases: who types the command waits for every import."""
    script = """
import sys
from coinhts_pipeline.cli import cli
cli.main(sys.argv[1:], standalone_mode=False)
print({"dagster", "psycopg", "sqlalchemy", "boto3", "obstore", "pandas"} & set(sys.modules), file=sys.stderr)
"""
    asked = ["backtest", "run", "--candles", file, "--symbol", "KRW-BTC", "--strategy", "sma_cross"]
    command = [sys.executable, "-c", script, *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT, timeout=60)
    assert done.stderr.splitlines()[-1] == "set()"
