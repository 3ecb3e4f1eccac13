"""The peer's side: reads a question and candles from a folder, lets vectorbt answer, and writes what it did.

What lives here: the two rules, and how much luck explains, in vectorbt's own words. What stays out: anything of ours;
this file runs in an environment where only vectorbt and what it needs is installed.

    python in_vectorbt.py FOLDER
        question.json   rule (crossings, breakout or luck), its knobs, cash and fee_rate
        candles.npz     open, high, low, close, volume
        answer.npz      trades as (point, entry's bar, exit's bar, is closed), and figures of each point
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt
from numba import njit
from vectorbt.returns.metrics import approx_exp_max_sharpe, deflated_sharpe_ratio

_AT_A_TIME = 25  # points, for a point holds dozens of arrays as long as the candles


def crossings(candles, question):
    """Each (fast, slow) pair, decided at a close and filled at the next open."""
    parts = []
    for first in range(0, len(question["points"]), _AT_A_TIME):
        fast, slow = zip(*question["points"][first : first + _AT_A_TIME], strict=True)
        quick = vectorbt.MA.run(candles["close"], list(fast), short_name="fast")
        calm = vectorbt.MA.run(candles["close"], list(slow), short_name="slow")
        portfolio = vectorbt.Portfolio.from_signals(
            candles["close"],
            quick.ma_crossed_above(calm).vbt.signals.fshift(1),
            quick.ma_crossed_below(calm).vbt.signals.fshift(1),
            price=candles["open"],
            **_account(question),
        )
        parts.append(_told(portfolio, first, question))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@njit
def _in_or_out(moment, entries, hold_bars, entered):
    """What the signals say at a bar: in when flat, out when the time is up."""
    if moment.position_now == 0.0:
        entered[moment.col] = moment.i
        return entries[moment.i], False, False, False
    return False, moment.i - entered[moment.col] >= hold_bars, False, False


def breakout(candles, question):
    """A new high on a surge of volume, with a stop, a target, and a time that is up at an open."""
    highs = candles["high"].vbt.rolling_max(question["window"]).shift(1)
    usual = candles["volume"].vbt.rolling_mean(question["vol_window"])
    is_in = (candles["close"] > highs) & (candles["volume"] > question["vol_multiplier"] * usual)
    entries = is_in.vbt.signals.fshift(1).to_numpy()
    portfolio = vectorbt.Portfolio.from_signals(
        candles["close"],
        signal_func_nb=_in_or_out,
        signal_args=(entries, question["hold_period_bars"], np.zeros(1, np.int64)),
        price=candles["open"],
        open=candles["open"],
        high=candles["high"],
        low=candles["low"],
        sl_stop=question["stop_loss"],
        tp_stop=question["take_profit"],
        stop_entry_price="fillprice",
        stop_exit_price="stoplimit",
        upon_stop_exit="close",
        **_account(question),
    )
    return _told(portfolio, 0, question)


def luck(candles, question):
    """What the best of so many tries shows by luck, and how sure it is that each case is above it."""
    del candles
    best = [approx_exp_max_sharpe(0.0, of["var_sharpe"], of["nb_trials"]) for of in question["cases"]]
    return {"best": np.array(best), "sure": np.array([deflated_sharpe_ratio(**of) for of in question["cases"]])}


def _account(question):
    return {"size": np.inf, "init_cash": question["cash"], "fees": question["fee_rate"], "freq": "1min"}


def _told(portfolio, first, question):
    records = portfolio.trades.records
    told = {
        "trades": np.stack(
            [records["col"] + first, records["entry_idx"], records["exit_idx"], records["status"] == 1], axis=1
        ).astype(np.int64),
        "final": np.atleast_1d(portfolio.final_value()),
    }
    if question["asks_for_equity"]:
        told |= {
            "equity": portfolio.value().to_numpy().ravel(),
            "total_return": np.atleast_1d(portfolio.total_return()),
            "max_drawdown": np.atleast_1d(portfolio.max_drawdown()),
            "win_rate": np.atleast_1d(portfolio.trades.win_rate()),
            "win_rate_closed": np.atleast_1d(portfolio.trades.closed.win_rate()),
        }
    return told


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "question.json").read_text())
    with np.load(folder / "candles.npz") as columns:
        opened_at = pd.date_range("2020-01-01", periods=len(columns["open"]), freq="1min")
        handed = {name: pd.Series(columns[name], opened_at) for name in columns.files}
    answer = {"crossings": crossings, "breakout": breakout, "luck": luck}[asked["rule"]](handed, asked)
    np.savez(folder / "answer.npz", **answer)
