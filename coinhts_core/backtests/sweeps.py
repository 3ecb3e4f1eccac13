"""A sweep: one strategy over the same candles with many combinations of knobs, a row of figures for each.

What lives here: `sweep`, the door, and how its parts are led. What stays out: the combinations (`points`), counting
(`tallies`), figures (`sweep_figures`), and who works on the parts (`executors`).

    table = sweep(candles, "sma_cross", {"fast": range(4, 54, 2), "slow": range(60, 260, 5)}, Account(cash=1e7))

Each row is, to the last bit, what `run` tells of the same knobs: one engine leads both. What combinations share is done
once: candles are judged once, knobs of the account decide nothing anew, and a strategy that decides by crossing lines
has each line drawn once, some thousands of bars at a time. So the room a sweep needs does not grow with its points.
Parts are made alike whoever works on them: any number of workers gives the same rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.executors import Executor, Threads
from coinhts_core.backtests.points import Grid, Point, points_of
from coinhts_core.backtests.sources import ONE_COIN, Candles, Source, sources
from coinhts_core.backtests.sweep_figures import Columns, table_of
from coinhts_core.backtests.sweep_parts import Keeper, Part, Terms, figures_of
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import Strategy, find_strategy

_MOST_IN_A_PART, _FEWEST_IN_A_PART, _PARTS = 250, 8, 4


def sweep(
    candles: Candles | Mapping[str, Candles],
    strategy: str | type[Strategy],
    grid: Grid,
    account: Account | None = None,
    *,
    samples: int | None = None,
    seed: int = 0,
    timeframe: Timeframe | str | None = None,
    days: Mapping[str, Candles] | None = None,
    first_day: date | None = None,
    executor: Executor | None = None,
    keeper: Keeper | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Rehearse every combination of a grid, or as many `samples` of it, chosen by chance and `seed`.

    Names in the grid are knobs of the strategy or options of the account. Several coins, by name, are each led alone,
    and `symbol` tells which. `progress` is told how many points of all are done.
    """
    kind = find_strategy(strategy) if isinstance(strategy, str) else strategy
    points = points_of(kind, grid, account or Account(), samples, seed)
    wanted = Timeframe.parse(timeframe) if timeframe else None
    named = sources(candles, days, wanted)
    terms = Terms.of(kind, wanted, first_day, keeper)
    parts = list(_in_parts(list(named.values()), points))
    led: list[Columns] = []
    done = 0
    for part, figures in zip(
        parts, (executor or Threads()).answers(lambda part: figures_of(part, terms), parts), strict=True
    ):
        led.append(figures)
        done += len(part.coins) * len(part.points)
        if progress:
            progress(done, len(named) * len(points))
    table = table_of({name: np.concatenate([figures[name] for figures in led]) for name in led[0]})
    return _named(list(named), list(grid), points).hstack(table)


def _named(symbols: Sequence[str], names: Sequence[str], points: Sequence[Point]) -> pl.DataFrame:
    """What each row is about."""
    columns = zip(*(point.values for point in points), strict=True)
    knobs = {
        name: pl.Series(list(values) * len(symbols), strict=False) for name, values in zip(names, columns, strict=True)
    }
    coins = {"symbol": [symbol for symbol in symbols for _ in points]} if symbols != [ONE_COIN] else {}
    return pl.DataFrame({**coins, **knobs})


def _in_parts(coins: Sequence[Source], points: Sequence[Point]) -> Iterator[Part]:
    """Of a length that depends on nothing but how many there are; of several coins where all points fit into a part."""
    length = min(max(-(-len(points) // _PARTS), _FEWEST_IN_A_PART), _MOST_IN_A_PART)
    together = max(min(-(-len(coins) // _PARTS), _MOST_IN_A_PART // len(points)), 1) if len(points) <= length else 1
    for first_coin in range(0, len(coins), together):
        for first in range(0, len(points), length):
            yield Part(coins[first_coin : first_coin + together], points[first : first + length])
