"""Trials: every combination that was ever tried, counted once, so that the best of them can be judged.

What lives here: `Trial`, how tries are read off a run or off a table of combinations, and `Trials`, the count that the
ledger keeps for ever. What stays out: what follows from the count (`backtests.overfitting`).

A try is a strategy with its code and knobs, an account, coins that share it, a timeframe, and days; asked again it is
the same try, over other days another one. A result is judged against all of them, whatever strategy they are of: who
goes from one strategy to the next searches, too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from inspect import getfile
from math import sqrt
from pathlib import Path
from typing import Any, Self

import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.metrics import YEAR
from coinhts_core.backtests.overfitting import Counted
from coinhts_core.backtests.points import Point
from coinhts_core.backtests.runs import Result
from coinhts_core.backtests.sheets import days_of
from coinhts_core.backtests.walked import WalkForward
from coinhts_core.code_version import code_version
from coinhts_core.hashes import Fact, digest
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.strategies import Strategy, name_of

_AT_ONCE = 10_000


@dataclass(frozen=True)
class Over:
    """What a combination was tried over."""

    symbols: tuple[str, ...]
    timeframe: str
    first: date
    last: date


@dataclass(frozen=True)
class Trial:
    """One combination over some days; its Sharpe ratio is a day's, or None where there is none."""

    identity: str
    strategy: str
    over: Over
    sharpe: float | None

    @classmethod
    def of(cls, strategy: Strategy, account: Account, over: Over, sharpe_a_year: float | None) -> Self:
        name, code = name_of(type(strategy)), code_version(Path(getfile(type(strategy))))
        span: list[Fact] = [over.timeframe, *over.symbols, str(over.first), str(over.last)]
        identity = digest("trial 1", name, code, strategy.parameters(), account.facts(), span)
        return cls(identity, name, over, None if sharpe_a_year is None else sharpe_a_year / sqrt(YEAR))


def trial_of(result: Result) -> Trial | None:
    """None where not even a day was traded."""
    days = days_of(result.outcome)
    if not days:
        return None
    over = Over(tuple(of.symbol or "candles" for of in result.symbols), result.timeframe, days[0], days[-1])
    return Trial.of(result.strategy, result.account, over, result.metrics["sharpe"])


def trials_of(points: Sequence[Point], rows: pl.DataFrame, over: Over) -> list[Trial]:
    """Of a table with a row a combination, all of one coin after all of another: each coin is led alone."""
    sharpes = rows["sharpe"].to_list()
    tried = [(replace(over, symbols=(symbol,)), point) for symbol in over.symbols for point in points]
    return [
        Trial.of(point.strategy, point.account, of, sharpe) for (of, point), sharpe in zip(tried, sharpes, strict=True)
    ]


def tried_on(walk: WalkForward) -> list[Trial]:
    """Every combination over all of its days, once: windows are parts of them."""
    trials = []
    for of in walk.walks:
        over = Over((of.symbol or "candles",), walk.timeframe, walk.span.first, walk.span.last)
        trials += trials_of(walk.points, of.tried, over)
    return trials


class Trials:
    """The count of one installation."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def record(self, trials: Collection[Trial]) -> None:
        """Once, however often they are tried; in one order, so that two who record the same never wait in a ring."""
        rows = sorted(trials, key=lambda trial: trial.identity)
        with self._ledger.transaction() as connection:
            for first in range(0, len(rows), _AT_ONCE):
                some = rows[first : first + _AT_ONCE]
                connection.execute(load_queries("trials")["record_trials"], _columns(some))

    def counted(self, strategy: str) -> Counted:
        """What a result of this strategy must be judged against: everything that was ever tried."""
        with self._ledger.transaction() as connection:
            row = connection.execute(load_queries("trials")["count_trials"], {"strategy": strategy}).fetchone()
        return Counted(*row) if row else Counted(0, None, 0)

    def counted_of_all(self) -> Mapping[str, Counted]:
        """The same of every strategy at once; of one that was never tried, nothing is said."""
        with self._ledger.transaction() as connection:
            rows = connection.execute(load_queries("trials")["count_all_trials"]).fetchall()
        everything = next((trials, variance) for strategy, trials, variance in rows if strategy is None)
        return {strategy: Counted(*everything, trials) for strategy, trials, _ in rows if strategy is not None}


def _columns(trials: Sequence[Trial]) -> dict[str, list[Any]]:
    return {
        "identities": [of.identity for of in trials],
        "strategies": [of.strategy for of in trials],
        "symbols": [",".join(of.over.symbols) for of in trials],
        "first_days": [of.over.first for of in trials],
        "last_days": [of.over.last for of in trials],
        "sharpes": [of.sharpe for of in trials],
    }
