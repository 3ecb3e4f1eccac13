"""Our runs against vectorbt's, on the same candles: same trades, and the same money to a billionth.

What stays out: speed, and ties of averages, on which vectorbt's running sums decide by rounding.
"""

import time

import numpy as np
import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.strategies import load
from tests.peers.plain_breakout import breaks_out, lead
from tests.peers.workloads import BREAKOUT, CASH, CROSSING, CROSSINGS, FEE_RATE, LEVELS, minutes

pytestmark = pytest.mark.slow

ACCOUNT = Account(cash=CASH, rules=None, fee_rate=FEE_RATE)
COSTS = {"cash": CASH, "fee_rate": FEE_RATE}
NEAR = 1e-9


def trades_of(result, candles):
    """Give each trade as (entry's bar, exit's bar, is closed); one that is open lasts to the last bar."""
    moments, trades = candles["opened_at"], result.trades
    rows = [moments.search_sorted(trades[name]).to_numpy() for name in ("opened_at", "closed_at")]
    closed = np.stack([*rows, np.ones(len(trades))], axis=1).astype(np.int64)
    held = position_of(result)
    if held is None:
        return closed
    return np.vstack([closed, [moments.search_sorted(held["opened_at"]), len(candles) - 1, 0]])


def position_of(result):
    return result.symbols[0].fills.open_position()


def apart(ours, theirs):
    """Give the largest distance, in parts of theirs."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return float(np.max(np.abs(ours / theirs - 1.0)))


def win_rate_with_open(result):
    """Count the open trade among the others, as vectorbt does."""
    profits = result.trades["profit_krw"].to_list()
    held = position_of(result)
    profits += [held["profit_krw"]] if held else []
    return np.mean(np.array(profits) > 0)


def timed_run(candles, strategy, account):
    began = time.perf_counter()
    result = run(candles, strategy, account)
    equity = result.equity["equity"].to_numpy()
    return result, equity, time.perf_counter() - began


@pytest.mark.parametrize("count", [1_000, 100_000, 1_000_000])
def test_a_crossing_is_vectorbts(count, vectorbt, agreement):
    """Same trades, equity at every bar, total return, drawdown of bars, and win rate, of closed trades and of all."""
    candles = minutes(count)
    theirs = vectorbt(candles, rule="crossings", points=[CROSSING], asks_for_equity=True, **COSTS)
    result, equity, seconds = timed_run(candles, load("sma_cross", fast=CROSSING[0], slow=CROSSING[1]), ACCOUNT)
    trades = trades_of(result, candles)
    assert theirs["trades"][:, 1:].tolist() == trades.tolist()
    distance = apart(equity, theirs["equity"])
    assert distance < NEAR
    assert result.metrics["total_return"] == pytest.approx(theirs["total_return"][0], rel=NEAR)
    assert result.equity["drawdown"].min() == pytest.approx(theirs["max_drawdown"][0], rel=NEAR)
    assert result.metrics["win_rate"] == pytest.approx(theirs["win_rate_closed"][0], rel=NEAR)
    assert win_rate_with_open(result) == pytest.approx(theirs["win_rate"][0], rel=NEAR)
    ends = f"{equity[-1]:,.0f}", f"{theirs['final'][0]:,.0f}"
    agreement("W1: ours, vectorbt", f"{count:,}", "1", f"{len(trades):,}", *ends, f"{distance:.0e}", f"{seconds:.2f}")


def test_every_point_of_a_sweep_is_vectorbts(vectorbt, agreement):
    """Each of a thousand pairs of averages makes the same trades and ends with the same money."""
    candles = minutes(100_000)
    theirs = vectorbt(candles, rule="crossings", points=CROSSINGS, asks_for_equity=False, **COSTS)
    ends, different, total_s = [], [], 0.0
    first_of = np.searchsorted(theirs["trades"][:, 0], np.arange(len(CROSSINGS) + 1))
    for point, (fast, slow) in enumerate(CROSSINGS):
        result, equity, seconds = timed_run(candles, load("sma_cross", fast=fast, slow=slow), ACCOUNT)
        their_trades = theirs["trades"][first_of[point] : first_of[point + 1], 1:]
        if not np.array_equal(their_trades, trades_of(result, candles)):
            different.append((fast, slow))
        ends.append(equity[-1])
        total_s += seconds
    assert different == []
    distance = apart(ends, theirs["final"])
    assert distance < NEAR
    sums = f"{sum(ends):,.0f}", f"{sum(theirs['final']):,.0f}"
    trades = f"{len(theirs['trades']):,}"
    agreement("W2, in all: ours, vectorbt", "100,000", "1,000", trades, *sums, f"{distance:.0e}", f"{total_s:.2f}")


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_a_breakout_is_vectorbts_but_for_its_order(count, vectorbt, agreement):
    """Same trades; vectorbt only looks at the levels of the bar at whose open the time is up, and we do not."""
    candles = minutes(count)
    question = {**BREAKOUT, **LEVELS, **COSTS}
    theirs = vectorbt(candles, rule="breakout", asks_for_equity=True, **question)
    account = ACCOUNT.model_copy(update=LEVELS)
    result, equity, seconds = timed_run(candles, load("donchian_breakout", **BREAKOUT), account)
    signals = breaks_out(candles)
    in_our_order = lead(candles, signals, levels_before_time=False)
    in_theirs = lead(candles, signals, levels_before_time=True)
    trades = trades_of(result, candles)
    assert theirs["trades"][:, 1:].tolist() == trades.tolist()
    for plain in (in_our_order, in_theirs):
        assert [trade[:2] for trade in plain.trades] == [tuple(row[:2]) for row in trades.tolist() if row[2]]
    assert apart(equity, in_our_order.equity) < NEAR
    assert apart(theirs["equity"], in_theirs.equity) < NEAR
    differ = [
        ours[1] - ours[0]
        for ours, other in zip(in_our_order.trades, in_theirs.trades, strict=True)
        if ours[2] != other[2]
    ]
    assert set(differ) == {BREAKOUT["hold_period_bars"]}
    rows = {
        f"W4, {len(differ)} prices differ: ours, vectorbt": (equity, theirs["equity"]),
        "W4, our order: ours, plain": (equity, in_our_order.equity),
        "W4, vectorbt's order: plain, vectorbt": (in_theirs.equity, theirs["equity"]),
    }
    for name, (one, other) in rows.items():
        ends = f"{one[-1]:,.0f}", f"{other[-1]:,.0f}"
        spent = f"{seconds:.2f}" if one is equity else ""
        agreement(name, f"{count:,}", "1", f"{len(trades):,}", *ends, f"{apart(one, other):.0e}", spent)
