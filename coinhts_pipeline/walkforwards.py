"""Walk-forwards by hand: candles from the lake or a file, and what is kept and told of the windows.

What lives here: what the `walkforward` commands do. What stays out: the walk itself
(`coinhts_core.backtests.walkforward`), values to try (`sweeps`), and candles and results as such (`backtests`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.executors import Threads
from coinhts_core.backtests.overfitting import Badge, Counted, badge_of
from coinhts_core.backtests.walked import WalkForward
from coinhts_core.backtests.walkforward import walk_forward
from coinhts_core.candles.files import Said
from coinhts_core.days import DayRange, parse_day
from coinhts_core.hashes import digest
from coinhts_core.markets import Timeframe
from coinhts_core.results.facts import Table
from coinhts_core.strategies import Strategy
from coinhts_pipeline.backtests import candles_of, stored_candles

if TYPE_CHECKING:  # what a file comes to need not wait for the ledger's
    from coinhts_core.trials import Trial

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """What is chosen from, by which figure, and in which windows."""

    strategy: Strategy
    account: Account
    axes: Mapping[str, Sequence[Any]]
    by: str
    folds: int
    ratio: float
    is_anchored: bool
    workers: int | None = None

    @property
    def grid(self) -> dict[str, Any]:
        """The values, and whatever else the strategy was told."""
        return {**self.strategy.model_dump(exclude_unset=True), **self.axes}


def walk_file(
    file: Path, said: Said, asked: Asked, timeframe: Timeframe | None, progress: Progress | None = None
) -> WalkForward:
    """Over all of a file's bars; several symbols are led alone."""
    return _walked(candles_of(file, said), asked, None if "timeframe" in asked.axes else timeframe, progress)


def walk_lake(
    lake: Any, symbols: Sequence[Any], days: DayRange, asked: Asked, progress: Progress | None = None
) -> WalkForward:
    """Over stored days, with what lies before them to warm up."""
    lengths = [Timeframe.parse(of) for of in asked.axes.get("timeframe", [asked.strategy.timeframe])]
    minutes, of_days = stored_candles(lake, symbols, days, [*lengths, *asked.strategy.looks_at])
    timeframe = None if "timeframe" in asked.axes else asked.strategy.timeframe
    return _walked(minutes, asked, timeframe, progress, days=of_days, first_day=days.first)


def _walked(
    candles: Mapping[str, pl.DataFrame],
    asked: Asked,
    timeframe: Timeframe | None,
    progress: Progress | None,
    **options: Any,
) -> WalkForward:
    return walk_forward(
        candles,
        type(asked.strategy),
        asked.grid,
        asked.account,
        folds=asked.folds,
        ratio=asked.ratio,
        is_anchored=asked.is_anchored,
        by=asked.by,
        timeframe=timeframe,
        executor=Threads(asked.workers),
        progress=progress,
        **options,
    )


def table_of(walk: WalkForward, tried: "Sequence[Trial]" = ()) -> Table:
    """As the shelf keeps it; what was tried of a file is not counted."""
    data = {of.symbol or "candles": {"bars": digest(list(of.candles))} for of in walk.walks}
    return Table("walkforward", walk.rows, walk.told(), walk.equity, {"data": data, "code": walk.code}, tried)


def document_of(walk: WalkForward) -> dict[str, Any]:
    """As commands print it, and keep it of a file."""
    rows = walk.equity.with_columns(pl.col("opened_at").dt.date()).iter_rows()
    table = table_of(walk)
    return {
        "id": walk.id,
        "kind": table.kind,
        **table.told,
        "rows": table.rows.to_dicts(),
        "equity": list(map(list, rows)),
    }


def days_unseen(of: Mapping[str, Any]) -> int:
    return len(DayRange(parse_day(of["first_unseen_day"]), parse_day(of["last_unseen_day"])))


def badge_on(of: Mapping[str, Any], days: int, counted: Counted | None) -> Badge:
    """How far what was earned on unseen days may be trusted, and how well choices last, coin by coin the worst."""
    shares = [each["probability"] for each in of["overfitting"].values() if each]
    return badge_of(of["metrics"], days, counted, max(shares, default=None))
