"""We at the bench: through `run` and `sweep` alone, as anybody would call them.

What lives here: our tasks over candles. What to add: a task. What stays out: peers, and reading the lake (`in_lake`).
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from at_work import serve

from coinhts_core.backtests import Account, run, sweep
from coinhts_core.backtests.engine import NO_SPANS, Marks, knobs_of, prices_of, through
from coinhts_core.backtests.executors import Threads
from coinhts_core.candles.bars import Bars
from coinhts_core.indicators import cross_averages
from coinhts_core.rules import rules_on
from coinhts_core.signals import turns_of
from coinhts_core.strategies import find_strategy, load

_USERS = Path(__file__).with_name("users")
_SHOWN = ("total_return", "max_drawdown", "win_rate", "sharpe")
_CORES = 2
_DAY = date(2026, 1, 1)
_AVERAGES = ("fast", "slow")
_LEVELS = ("window", "vol_multiplier", "stop_loss", "take_profit")


def crossings(parts, points, strategy="sma_cross", workers=_CORES, **account):
    """One pair by a run, many by a sweep; a user's own strategy is found in the user's folder."""
    kind, account = find_strategy(strategy, _USERS), _account(account)
    if len(points) == 1:
        rule = kind(**dict(zip(_AVERAGES, points[0], strict=True)))
        return [_runs(_frame(part), rule, account) for part in parts], _of_results
    grid = _grid(_AVERAGES, points)
    return [_sweeps(_frame(part), kind, grid, account, workers) for part in parts], _of_tables(
        account, _AVERAGES, points
    )


def loops(parts, points, **account):
    """The compiled loops of a crossing's run alone, on arrays that are there."""
    ((fast, slow),) = points
    account = _account(account)
    costs = account.costs(rules_on(_DAY))
    knobs, whole = tuple(knobs_of(costs, account.limits(None), is_optimistic=False)), np.ones(1)
    marks = tuple(Marks(account.cash))

    def call_of(bars):
        prices = tuple(prices_of(bars))

        def call():
            turns = turns_of(cross_averages(bars.close, fast, slow))
            return through(marks, prices, turns, whole, prices, NO_SPANS, knobs, costs.tick_bounds, costs.tick_sizes)

        return call

    calls = [call_of(Bars.from_frame(_frame(part), timedelta(minutes=1))) for part in parts]
    return calls, lambda outcomes: {"final": [of[0][0] for of in outcomes]}


def coins(parts, point, **account):
    """One pair on many coins, each with a cash of its own."""
    account, grid = _account(account), _grid(_AVERAGES, [point])
    named = {str(place): _frame(part) for place, part in enumerate(parts)}
    told = _of_tables(account, ("symbol",), [[symbol] for symbol in named])
    return [_sweeps(named, find_strategy("sma_cross"), grid, account)], told


def breakouts(parts, points, hold_period_bars, vol_window, **account):
    """Each point is a window of highs, a multiple of volume, a stop and a target."""
    kind, account = find_strategy("donchian_breakout"), _account(account)
    knobs = {"hold_period_bars": hold_period_bars, "vol_window": vol_window}
    if len(points) == 1:
        ((window, times, stop, target),) = points
        rule = kind(window=window, vol_multiplier=times, **knobs)
        leaving = account.model_copy(update={"stop_loss": stop, "take_profit": target})
        return [_runs(_frame(part), rule, leaving) for part in parts], _of_results
    grid = {**_grid(_LEVELS, points), **{name: [value] for name, value in knobs.items()}}
    return [_sweeps(_frame(part), kind, grid, account) for part in parts], _of_tables(account, _LEVELS, points)


def study(parts, strategy):
    """A strategy as coin_hts studies it, with its default knobs."""
    rule = load(strategy)

    def call_of(frame):
        def call():
            return run(frame, rule, mode="study").symbols[0].study.coin_hts()

        return call

    return [call_of(_frame(part)) for part in parts], lambda outcomes: {"final": [of["samples"] for of in outcomes]}


def _runs(frame, rule, account):
    def call():
        result = run(frame, rule, account)
        for name in _SHOWN:
            result.metrics[name]
        return result

    return call


def _sweeps(candles, kind, grid, account, workers=_CORES):
    return lambda: sweep(candles, kind, grid, account, executor=Threads(workers))


def _grid(names, points):
    return {name: sorted({point[place] for point in points}) for place, name in enumerate(names)}


def _account(of):
    return Account(rules=None, **of)


def _frame(part):
    moments = pl.Series("opened_at", part["opened_at"]).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        [moments, *(pl.Series(name, part[name]) for name in ("open", "high", "low", "close", "volume"))]
    )


def _of_results(results):
    return {
        "final": [result.equity["equity"][-1] for result in results],
        "trades": [len(result.trades) for result in results],
        "bars": [_bars(result) for result in results],
    }


def _bars(result):
    """Where closed trades begin and end, as one number."""
    moments = result.equity["opened_at"]
    entered, left = (moments.search_sorted(result.trades[name]).to_numpy() for name in ("opened_at", "closed_at"))
    return int(np.sum(entered.astype(np.int64) * 3 + left))


def _of_tables(account, names, points):
    """In the order of the points."""

    def told(tables):
        rows = {tuple(row[name] for name in names): row for table in tables for row in table.iter_rows(named=True)}
        wanted = [rows[tuple(point)] for point in points]
        return {
            "final": [account.cash * (1 + row["total_return"]) for row in wanted],
            "trades": [row["trades"] for row in wanted],
        }

    return told


if __name__ == "__main__":
    serve({"crossings": crossings, "coins": coins, "loops": loops, "breakouts": breakouts, "study": study})
