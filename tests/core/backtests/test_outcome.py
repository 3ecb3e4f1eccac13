from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.outcome import count_opened_by
from coinhts_core.strategies import load
from tests.core.backtests.candles import START, candles, walk
from tests.core.backtests.test_document import document


def test_trades_tell_what_happened():
    """Worked out by hand: in at the open behind the signal, out the same way, fees on both sides."""
    frame = candles([10, 10, 11, 12, 13, 9, 8, 8], spread=0)
    result = run(frame, load("sma_cross", fast=1, slow=2), Account(cash=1_000, fee_rate=0.01, rules=None))
    (trade,) = result.trades.to_dicts()
    quantity = 1_000 / (11 * 1.01)
    assert (trade["entry_price"], trade["exit_price"], trade["quantity"]) == (11.0, 9.0, pytest.approx(quantity))
    assert trade["fees_krw"] == pytest.approx(quantity * 20 * 0.01)
    assert trade["profit_krw"] == pytest.approx(quantity * 9 * 0.99 - 1_000)
    assert trade["return"] == pytest.approx(trade["profit_krw"] / 1_000)
    assert (trade["opened_at"], trade["closed_at"]) == (START + timedelta(hours=3), START + timedelta(hours=6))
    assert (trade["bars_held"], trade["mae"], trade["mfe"]) == (
        3,
        pytest.approx(9 / 11 - 1),
        pytest.approx(13 / 11 - 1),
    )
    assert result.equity.columns == ["opened_at", "equity", "drawdown"]
    assert [row["side"] for row in document(result)["symbols"][0]["signals"]] == ["buy", "sell"]


def test_several_coins_share_one_cash():
    """Each trade names its coin; equity, figures and the benchmark are those of all."""
    coins = {"KRW-BTC": candles(walk(400, 1)), "KRW-ETH": candles(walk(400, 2))}
    account = Account(cash=1e6, sizing="fraction", fraction=0.5, rules=None)
    result = run(coins, load("sma_cross", fast=3, slow=8), account)
    told = document(result)
    assert [of["symbol"] for of in told["symbols"]] == ["KRW-BTC", "KRW-ETH"]
    assert told["portfolio"]["metrics"]["trades"] == sum(len(of["trades"]) for of in told["symbols"])
    assert set(told["portfolio"]["benchmarks"]) == {"equal parts", "cash"}
    assert result.metrics["exposure"] < 1
    profit = sum(of.fills.trades["profit_krw"].sum() for of in result.symbols)
    held = sum(of.fills.open_position()["profit_krw"] for of in result.symbols if of.fills.open_position())
    assert result.equity["equity"][-1] == pytest.approx(1e6 + profit + held)


@given(st.lists(st.integers(1, 40).map(lambda place: 60 * place), unique=True), st.booleans(), st.integers(-2, 60))
def test_bars_are_counted_whether_some_are_missing_or_none(moments, is_whole, shift):
    """Before the first, among them and behind the last."""
    opened_at = np.arange(60, 1_500, 60) if is_whole else np.array(sorted(moments), dtype=np.int64)
    latest = np.arange(0, 2_700, 45) + shift
    expected = [sum(moment <= at for moment in opened_at.tolist()) for at in latest.tolist()]
    assert count_opened_by(opened_at, latest, 60).tolist() == expected
