"""vectorbt at the bench: the same rules and accounts in its own words, with the metrics people look at.

What lives here: its tasks. What stays out: anything of ours; this runs where only vectorbt is installed.
"""

import numpy as np
import pandas as pd
import vectorbt
from at_work import serve
from numba import njit

_AT_A_TIME = 100  # points of a sweep, for each holds dozens of arrays as long as the candles


def crossings(parts, points, engine="numba", **account):
    """Each pair of averages on one coin, all points in as few calls as memory allows."""
    vectorbt.settings["engine"] = engine
    chunks = [points[first : first + _AT_A_TIME] for first in range(0, len(points), _AT_A_TIME)]

    def call_of(closes, opens):
        return lambda: [_of_crossings(closes, opens, chunk, account) for chunk in chunks]

    return [call_of(_series(part, "close"), _series(part, "open")) for part in parts], _told


def coins(parts, point, engine="numba", **account):
    """One pair on many coins, in one wide frame, each with a cash of its own."""
    vectorbt.settings["engine"] = engine
    moments = _moments(parts[0])  # the walks are one behind the other; as coins they share their minutes
    closes, opens = (pd.DataFrame(np.column_stack([of[name] for of in parts]), moments) for name in ("close", "open"))

    def call():
        quick, calm = (vectorbt.MA.run(closes, window) for window in point)
        entries = quick.ma_crossed_above(calm).vbt.signals.fshift(1).to_numpy()
        exits = quick.ma_crossed_below(calm).vbt.signals.fshift(1).to_numpy()
        portfolio = vectorbt.Portfolio.from_signals(
            closes.to_numpy(), entries, exits, price=opens.to_numpy(), **_account(account)
        )
        return [_told_of(portfolio)]

    return [call], _told


def breakouts(parts, points, hold_period_bars, vol_window, **account):
    """Each point is a window of highs, a multiple of volume, a stop and a target; the time is up at an open."""
    vectorbt.settings["engine"] = "numba"  # the rule is a function, which its other engine does not take

    def call_of(candles):
        return lambda: [_of_breakouts(candles, points, hold_period_bars, vol_window, account)]

    return [call_of({name: _series(part, name) for name in part}) for part in parts], _told


def _of_crossings(closes, opens, points, account):
    fast, slow = zip(*points, strict=True)
    quick = vectorbt.MA.run(closes, list(fast), short_name="fast", run_unique=True)
    calm = vectorbt.MA.run(closes, list(slow), short_name="slow", run_unique=True)
    entries = quick.ma_crossed_above(calm).vbt.signals.fshift(1)
    exits = quick.ma_crossed_below(calm).vbt.signals.fshift(1)
    portfolio = vectorbt.Portfolio.from_signals(closes, entries, exits, price=opens, **_account(account))
    return _told_of(portfolio)


@njit
def _in_or_out(moment, entries, hold_bars, entered):
    """What holds at a bar: in when flat, out when the time is up."""
    if moment.position_now == 0.0:
        entered[moment.col] = moment.i
        return entries[moment.i, moment.col], False, False, False
    return False, moment.i - entered[moment.col] >= hold_bars, False, False


def _of_breakouts(candles, points, hold_bars, vol_window, account):
    usual = candles["volume"].vbt.rolling_mean(vol_window)
    surges = {times: candles["volume"] > times * usual for _, times, _, _ in points}
    highs = {window: candles["high"].vbt.rolling_max(window).shift(1) for window, _, _, _ in points}
    rules = {(window, times): (candles["close"] > highs[window]) & surges[times] for window, times, _, _ in points}
    entries = {rule: found.vbt.signals.fshift(1).to_numpy() for rule, found in rules.items()}
    wide = {name: candles[name].to_numpy()[:, None] for name in ("open", "high", "low")}
    closes = np.broadcast_to(candles["close"].to_numpy()[:, None], (len(candles["close"]), len(points)))
    portfolio = vectorbt.Portfolio.from_signals(
        pd.DataFrame(closes, candles["close"].index),
        signal_func_nb=_in_or_out,
        signal_args=(
            np.column_stack([entries[window, times] for window, times, _, _ in points]),
            hold_bars,
            np.zeros(len(points), np.int64),
        ),
        price=wide["open"],
        **wide,
        sl_stop=np.array([[stop for *_, stop, _ in points]]),
        tp_stop=np.array([[target for *_, target in points]]),
        stop_entry_price="fillprice",
        stop_exit_price="stoplimit",
        upon_stop_exit="close",
        **_account(account),
    )
    return _told_of(portfolio)


def _account(of):
    return {"size": np.inf, "init_cash": of["cash"], "fees": of["fee_rate"], "freq": "1min"}


def _told_of(portfolio):
    """Its metrics, and its trades; not itself, for a call's portfolios together would fill a machine."""
    return (portfolio.trades.closed.records, portfolio.wrapper.shape_2d[1]), _metrics(portfolio)


def _metrics(portfolio):
    of = (portfolio.total_return(), portfolio.max_drawdown(), portfolio.trades.win_rate(), portfolio.sharpe_ratio())
    return (portfolio.final_value(), portfolio.trades.closed.count(), *of)


def _told(outcomes):
    metrics = [of for parts in outcomes for _, of in parts]
    return {
        "final": np.concatenate([np.atleast_1d(of[0]) for of in metrics]),
        "trades": np.concatenate([np.atleast_1d(of[1]) for of in metrics]),
        "bars": np.concatenate([_bars(*trades) for parts in outcomes for trades, _ in parts]),
    }


def _bars(records, columns):
    """Where each coin's or point's closed trades begin and end, as one number a trade list."""
    sums = np.zeros(columns, np.int64)
    np.add.at(sums, records["col"], records["entry_idx"] * 3 + records["exit_idx"])
    return sums


def _series(part, name):
    return pd.Series(part[name], _moments(part))


def _moments(part):
    return pd.to_datetime(part["opened_at"], unit="us")


if __name__ == "__main__":
    serve({"crossings": crossings, "coins": coins, "breakouts": breakouts})
