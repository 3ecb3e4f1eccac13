"""Answering: a furnished request becomes a result on the shelf.

What lives here: `answer`. What to add: another kind of question, as another way to compute. What stays out: the process
it happens in, and what becomes of the request.
"""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from coinhts_core.backtests.points import points_of
from coinhts_core.backtests.runs import Result, run
from coinhts_core.backtests.sweeps import sweep
from coinhts_core.backtests.walkforward import walk_forward
from coinhts_core.candles.frame import DAYS, MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.errors import NotStoredError, RefusedError
from coinhts_core.lake.lake import Lake
from coinhts_core.requests.furnish import Furnished
from coinhts_core.results.facts import Table
from coinhts_core.results.shelf import Shelf
from coinhts_core.trials import Over, trials_of, tried_on

Tell = Callable[[float, str], None]
_BEGUN, _READ, _COMPUTED = 0.05, 0.35, 0.9
Candles = dict[str, pl.DataFrame]


def answer(of: Furnished, lake: Lake, shelf: Shelf, tell: Tell, identity_now: Callable[[], str]) -> Result | Table:
    """Kept under the identity of the request, if it is still the same; `tell` hears how much is done, and what comes.

    What was read while candles changed belongs under no identity.
    """
    minutes, days = _candles(of, lake, tell)
    tell(_READ, f"computes the {of.request.kind}")
    result = _COMPUTING[of.request.kind](of, minutes, days, tell)
    if identity_now() != of.identity:
        raise RefusedError(reason="the candles changed while it was computed; ask again")
    tell(_COMPUTED, "keeps the result")
    shelf.keep(of.identity, result, of.request.facts())
    return result


def _candles(of: Furnished, lake: Lake, tell: Tell) -> tuple[Candles, Candles | None]:
    """What is stored of each coin up to the last day, with what lies before the first to warm up."""
    minutes: Candles = {}
    for place, symbol in enumerate(of.symbols):
        tell(_BEGUN + (_READ - _BEGUN) * place / len(of.symbols), f"reads {symbol.symbol}")
        minutes[str(symbol.symbol)] = _stored(lake, MINUTES, symbol, of)
    if not any(timeframe.is_of_days for timeframe in of.looks_at):
        return minutes, None
    return minutes, {str(symbol.symbol): _stored(lake, DAYS, symbol, of) for symbol in of.symbols}


def _stored(lake: Lake, asset: str, symbol: Registered, of: Furnished) -> pl.DataFrame:
    try:
        return lake.read(asset, symbol.symbol, symbol.first_day, of.days.last)
    except NotStoredError as error:
        raise RefusedError(reason=str(error)) from error


def _backtest(of: Furnished, minutes: Candles, days: Candles | None, tell: Tell) -> Result:
    del tell
    timeframe, first = of.strategy.timeframe, of.days.first
    return run(minutes, of.strategy, of.account, mode=of.request.mode, timeframe=timeframe, days=days, first_day=first)


def _sweep(of: Furnished, minutes: Candles, days: Candles | None, tell: Tell) -> Table:
    def progress(done: int, points: int) -> None:
        tell(_READ + (_COMPUTED - _READ) * done / points, f"{done} of {points} combinations")

    asked = of.request
    rows = sweep(
        minutes,
        of.kind,
        of.grid,
        of.account,
        samples=asked.samples,
        seed=asked.seed or 0,
        timeframe=of.strategy.timeframe,
        days=days,
        first_day=of.days.first,
        progress=progress,
    )
    over = Over(tuple(minutes), str(of.strategy.timeframe), of.days.first, of.days.last)
    tried = trials_of(points_of(of.kind, of.grid, of.account, asked.samples, asked.seed or 0), rows, over)
    return Table("sweep", rows, {"combinations": rows.height}, tried=tried)


def _walk_forward(of: Furnished, minutes: Candles, days: Candles | None, tell: Tell) -> Table:
    def progress(done: int, steps: int) -> None:
        tell(_READ + (_COMPUTED - _READ) * done / steps, f"{done} of {steps} windows")

    folds, ratio, is_anchored, by = of.request.windows
    walk = walk_forward(
        minutes,
        of.kind,
        of.grid,
        of.account,
        folds=folds,
        ratio=ratio,
        is_anchored=is_anchored,
        by=by,
        timeframe=of.strategy.timeframe,
        days=days,
        first_day=of.days.first,
        progress=progress,
    )
    return Table("walkforward", walk.rows, walk.told(), walk.equity, tried=tried_on(walk))


_Compute = Callable[[Furnished, Candles, Candles | None, Tell], Result | Table]
_COMPUTING: Mapping[str, _Compute] = {"backtest": _backtest, "sweep": _sweep, "walkforward": _walk_forward}


def figures_of(result: Result | Table) -> dict[str, Any]:
    """The few figures that stand beside a finished request."""
    if isinstance(result, Table):
        return {"rows": result.rows.height, **result.told.get("metrics", {})}
    named = ("total_return", "max_drawdown", "sharpe", "trades")
    metrics = result.figures.as_json()
    return {name: metrics[name] for name in named if name in metrics}
