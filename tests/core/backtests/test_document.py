import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.document import document_of
from coinhts_core.strategies import load, strategy_names
from tests.core.backtests.candles import candles, walk


def document(result, **options):
    """Round the document through strict JSON."""
    return json.loads(json.dumps(document_of(result, **options), allow_nan=False, default=str))


ODD = {
    "none": lambda minutes: candles([], minutes=minutes),
    "one": lambda minutes: candles([100.0], minutes=minutes),
    "ten": lambda minutes: candles(walk(10), minutes=minutes),
    "constant": lambda minutes: candles([100.0] * 300, spread=0, minutes=minutes),
    "quiet": lambda minutes: candles(walk(300), volume=0.0, minutes=minutes),
    "tiny": lambda minutes: candles(np.full(300, 1e-8), spread=0, minutes=minutes),
    "huge": lambda minutes: candles(np.tile([1e9, 1.1e9, 0.9e9], 100), minutes=minutes),
    "ties": lambda minutes: candles(np.tile([100.0, 101.0], 150), spread=0, minutes=minutes),
    "gaps": lambda minutes: candles(walk(300), minutes=minutes).filter(pl.int_range(pl.len()) % 7 > 2),
}


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize("kind", ODD)
def test_odd_candles_have_sane_answers(name, kind):
    """No crash and no NaN, by any strategy in either mode; what is undefined is null and says why."""
    strategy = load(name)
    frame = ODD[kind](strategy.timeframe.minutes if strategy.looks_at else 60)
    for mode in ("account", "study"):
        told = document(run(frame, strategy, mode=mode), is_full=True)
        assert told["symbols"][0]["candles"] == frame.height


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([1e-8, 0.5, 99.0, 100.0, 101.0, 5e8, 1e9]), max_size=40),
    st.sampled_from([0.0, 1e-8, 1.0, 1e12]),
    st.sampled_from([{}, {"stop_loss": 0.05, "take_profit": 0.05}, {"sizing": "fixed", "fixed_krw": 6_000.0}]),
)
def test_no_candles_make_a_number_that_is_none(closes, volume, options):
    """Jumps over seventeen orders of magnitude included."""
    result = run(candles(closes, volume=volume), load("sma_cross", fast=1, slow=2), Account(**options))
    document(result, is_full=True)
    assert not result.equity["equity"].is_nan().any()


def test_a_study_stands_beside_its_account():
    """coin_hts' five figures and unit trades, and what an account would have made of the same signals."""
    frame = candles(walk(500), volume=10.0)
    told = document(run(frame, load("sma_cross", fast=3, slow=8), Account(max_hold_bars=5), mode="study"))
    (of,) = told["symbols"]
    assert set(of["metrics"]["coin_hts"]) == {"samples", "win_rate", "avg_return", "max_drawdown", "avg_hold_bars"}
    assert (
        of["metrics"]["coin_hts"]["samples"] == len(of["trades"]) == sum(row["side"] == "buy" for row in of["signals"])
    )
    assert of["account"]["metrics"]["trades"] == len(of["account"]["trades"])
