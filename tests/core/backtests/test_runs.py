"""The door: the same answer as the chain's fold, sane answers to odd candles, one clear sentence to bad ones."""

from datetime import date
from gc import collect, disable, enable
from weakref import ref

import polars as pl
import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk

PLAIN = Account(cash=1_000_000.0, rules=None)


def test_the_example_of_the_contract():
    """A frame, a strategy, an account in; metrics, trades and equity out; pandas as good as polars."""
    strategy, account = load("sma_cross", fast=3, slow=8), Account(cash=1e7, fee_rate=0.0005)
    result = run(candles(walk(500)), strategy, account)
    assert result.metrics["total_return"] == pytest.approx(result.equity["equity"][-1] / 1e7 - 1)
    assert result.metrics["trades"] == result.trades.height > 10
    again = run(candles(walk(500)).to_pandas(), strategy, account)
    indexed = run(candles(walk(500)).to_pandas().set_index("opened_at"), strategy, account)
    assert result.id == again.id == indexed.id
    assert result.trades.equals(again.trades)


def test_a_result_that_nobody_holds_is_gone_at_once():
    """It does not hold itself: its memory is there for the next run, and not once the garbage collector comes."""
    result = run(candles(walk(500)), load("sma_cross", fast=3, slow=8), PLAIN)
    assert result.metrics["trades"]
    gone = [ref(of) for of in (result, result.outcome, result.symbols[0])]
    collect()
    disable()
    try:
        del result
        assert [of() for of in gone] == [None, None, None]
    finally:
        enable()


def test_finer_candles_are_joined_and_order_what_happens_inside():
    """Minutes asked for as hours give the hours' decisions, and a doubtful hour is settled by its minutes."""
    minutes = candles(walk(6_000) * 1_000, minutes=1)
    hours = run(minutes, load("sma_cross", fast=2, slow=5), Account(stop_loss=0.01, take_profit=0.01), timeframe="1h")
    coarse = run(hours_of(minutes), load("sma_cross", fast=2, slow=5), Account(stop_loss=0.01, take_profit=0.01))
    assert hours.timeframe == coarse.timeframe == "1h"
    assert hours.symbols[0].decisions.tolist() == coarse.symbols[0].decisions.tolist()
    assert hours.outcome.ambiguous == 0 < coarse.outcome.ambiguous
    assert "nothing tells which came first" in " ".join(coarse.warnings)
    assert run(minutes, load("sma_cross", timeframe="1h")).timeframe == "1h"
    assert run(minutes, load("sma_cross")).timeframe == "1m"


def hours_of(minutes):
    every = minutes.group_by_dynamic("opened_at", every="1h")
    prices = [pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last()]
    return every.agg(*prices, pl.col("volume").sum())


def test_an_id_names_the_answer():
    """Equal for equal questions; another for other candles, knobs, accounts or modes."""
    frame, strategy = candles(walk(50)), load("sma_cross")
    others = [
        run(frame[:-1], strategy, PLAIN),
        run(frame.with_columns(pl.col("volume") * 2), strategy, PLAIN),
        run(frame, load("sma_cross", fast=4), PLAIN),
        run(frame, strategy, Account()),
        run(frame, strategy, PLAIN, mode="study"),
        run({"KRW-BTC": frame}, strategy, PLAIN),
        run(frame, strategy, PLAIN, first_day=date(2026, 1, 2)),
    ]
    assert run(frame, strategy, PLAIN).id == run(frame, strategy, PLAIN).id
    assert len({of.id for of in [*others, run(frame, strategy, PLAIN)]}) == 8


def test_minutes_that_order_a_bar_are_part_of_its_id():
    """The same hours out of other minutes are another question."""
    minutes = candles(walk(600) * 1_000, minutes=1)
    shifted = minutes.with_columns(volume=pl.Series([11.0, 9.0, *minutes["volume"][2:]]))
    one, other = (run(frame, load("sma_cross", fast=2, slow=3), timeframe="1h") for frame in (minutes, shifted))
    assert one.symbols[0].bars.volume.tolist() == other.symbols[0].bars.volume.tolist()
    assert one.id != other.id
