"""Rows about the house around the engine: reading the lake, whole processes, commands, a backfill.

What lives here: a function a row, which gives its figures, and `ROWS`. What to add: a row. What stays out: engines and
their peers (`engines`).
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import polars as pl

from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.places import place_of
from coinhts_core.markets import Market
from coinhts_pipeline.speed import Figure
from tests.benchmarks.agreement import DisagreementError
from tests.benchmarks.contestants import python_of, script_of, without_settings
from tests.benchmarks.engines import Row
from tests.benchmarks.rounds import ROUNDS, Asked, Candles, Timed, in_turn
from tests.peers.workloads import minutes

ROOT = Path(__file__).parents[2]
_COINS, _DAYS = 20, 365
FIRST = date(2025, 1, 1)
_SEEDS = 4
_NEAR = 1e-9


def lake(row: str) -> Iterator[Figure]:
    """Twenty coins' minutes of a year, out of the lake."""
    symbols = [f"KRW-C{place}" for place in range(_COINS)]
    with TemporaryDirectory(prefix="coinhts-bench-") as folder:
        fill(Lake.open(f"{folder}/lake"), symbols, _DAYS)
        knobs = {"lake": f"{folder}/lake", "symbols": symbols}
        timed = in_turn(
            {
                "ours": Asked("lake", "ours", {**knobs, "cache": f"{folder}/cache"}),
                "decoded": Asked("lake", "ours", knobs),
                "pyarrow": Asked("lake", "pyarrow", knobs, 2),
                "polars": Asked("lake", "polars", knobs, 2),
            },
            Candles(1),
            agree=_same_sums,
        )
    for ours, theirs, goal, ambition in (("decoded", "pyarrow", 1.1, None), ("ours", "polars", None, 0.35)):
        share = timed[ours].seconds / timed[theirs].seconds
        what = f"20 coin-years, {'decoded' if ours == 'decoded' else 'kept columns'}, time over {theirs}'s"
        clean = min(timed[ours].clean, timed[theirs].clean)
        yield Figure(row, what, share, "x", goal, ambition, more_is_better=False, clean=clean, rounds=ROUNDS)


def process(row: str) -> Iterator[Figure]:
    """A whole process, from its start to its end, over 100,000 bars."""
    with Candles(100_000).fresh(0) as folder:
        timed = _processes(
            {
                name: [python_of(name), "-W", "ignore", script_of(name, "whole"), folder]
                for name in ("ours", "raptorbt", "vectorbt")
            }
        )
    for peer, goal, ambition in (("vectorbt", 0.5, None), ("raptorbt", None, 1.0)):
        share = timed["ours"].seconds / timed[peer].seconds
        clean = min(timed["ours"].clean, timed[peer].clean)
        what = f"100,000 bars, time over {peer}'s"
        yield Figure(row, what, share, "x", goal, ambition, more_is_better=False, clean=clean, rounds=ROUNDS)


def commands(row: str) -> Iterator[Figure]:
    """What somebody waits for who types a command."""
    with TemporaryDirectory(prefix="coinhts-bench-") as folder:
        candles = Path(folder) / "candles.parquet"
        minutes(1_000).write_parquet(candles)
        coinhts = Path(sys.executable).with_name("coinhts")
        run = ["backtest", "run", "--candles", candles, "--symbol", "KRW-BTC", "--strategy", "sma_cross"]
        timed = _processes({"--help": [coinhts, "--help"], "run": [coinhts, *run]}, home=folder)
    for name, what, goal, ambition in (
        ("--help", "coinhts --help", 0.3, 0.15),
        ("run", "coinhts backtest run --candles, 1,000 rows", 1.5, 0.8),
    ):
        of = timed[name]
        yield Figure(row, what, of.seconds, "s", goal, ambition, more_is_better=False, clean=of.clean, rounds=of.rounds)


def backfill(row: str) -> Iterator[Figure]:
    """A hundred coins x 365 days of one strategy, candles present; once, for it takes minutes."""
    with TemporaryDirectory(prefix="coinhts-bench-") as folder:
        command = [sys.executable, "-m", "tests.benchmarks.backfill", "100", str(_DAYS)]
        files = place_of(Path(folder)).files
        told = json.loads(_output(command, {"COINHTS_HOME": folder, "COINHTS_START_DATE": str(FIRST)}))
        rmtree(files)
    what = f"{told['partitions']:,} asset-partitions, above {told['compute_s']:.0f} s of compute"
    yield Figure(row, what, told["ms_each"], "ms each", 0.8, 0.5, more_is_better=False, rounds=1)
    yield Figure(row, "the same, most memory", told["peak_gib"], "GiB", 1.5, more_is_better=False, rounds=1)


def fill(lake: Lake, symbols: Sequence[str], days: int) -> dict[str, dict[date, DayRows]]:
    """A year of minutes each; a few walks serve all, for nobody looks at two coins at once."""
    walks = [_days(minutes(days * 1_440, seed), days) for seed in range(_SEEDS)]
    stored = {symbol: walks[place % _SEEDS] for place, symbol in enumerate(symbols)}
    for symbol, rows in stored.items():
        lake.publish(MINUTES, Market(symbol), rows)
    return stored


def _days(walk: pl.DataFrame, days: int) -> dict[date, DayRows]:
    shift = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) - walk["opened_at"][0]
    prices = [pl.col(name).round(2) for name in ("open", "high", "low", "close")]
    candles = walk.with_columns(pl.col("opened_at") + shift, *prices, pl.col("volume").round(8))
    candles = candles.with_columns(turnover_krw=(pl.col("volume") * pl.col("close")).round(4))
    asked_at = datetime(2026, 6, 1, tzinfo=UTC)
    return {
        FIRST + timedelta(days=day): DayRows.of(CANDLES, candles[day * 1_440 : (day + 1) * 1_440], asked_at=asked_at)
        for day in range(days)
    }


def _processes(commands: Mapping[str, Sequence[object]], home: str | None = None) -> dict[str, Timed]:
    """Each from its start to its end, in turn; once before, so that caches are warm."""
    answers: dict[str, list[Mapping[str, float]]] = {name: [] for name in commands}
    settings = {"COINHTS_HOME": home} if home else {}
    said = {name: _output(command, settings) for name, command in commands.items()}
    if home is None:
        _same_words(said)
    for _ in range(ROUNDS):
        for name, command in commands.items():
            spent, began = _spent_by_children(), time.perf_counter()
            _output(command, settings)
            wall = time.perf_counter() - began
            answers[name].append({"seconds": wall, "on_a_core": (_spent_by_children() - spent) / wall})
    return {name: Timed.of(of, threads=1) for name, of in answers.items()}


def _output(command: Sequence[object], settings: Mapping[str, str]) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**without_settings(), **settings},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=1_800,
    )
    return done.stdout


def _spent_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _same_words(said: Mapping[str, str]) -> None:
    """Trades and money, as each process printed them."""
    told = {name: [float(word) for word in words.split()] for name, words in said.items()}
    for name, (trades, final) in told.items():
        if trades != told["ours"][0] or abs(final / told["ours"][1] - 1) > _NEAR:
            msg = f"ours tells {told['ours']}, {name} {[trades, final]}"
            raise DisagreementError(msg)


def _same_sums(ours: Mapping[str, list[list[float]]], **others: Mapping[str, list[list[float]]]) -> None:
    """Every reader saw the same values."""
    for name, theirs in others.items():
        apart = [
            abs(a / b - 1)
            for one, other in zip(ours["final"], theirs["final"], strict=True)
            for a, b in zip(one, other, strict=True)
        ]
        if max(apart) > _NEAR:
            msg = f"ours and {name} read values {max(apart):.1e} apart"
            raise DisagreementError(msg)


ROWS: Mapping[str, Row] = {"lake": lake, "process": process, "commands": commands, "backfill": backfill}
