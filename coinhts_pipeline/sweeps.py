"""Sweeps by hand: the values to try, candles from the lake or a file, and what is kept and told of the rows.

What lives here: what the `sweep` commands do. What stays out: the sweep itself (`coinhts_core.backtests.sweeps`), and
candles and results as such (`backtests`), and looking at what was kept (`coinhts_core.results.swept`).

Parts that are done lie in COINHTS_HOME/cache/sweeps until the sweep is whole: one that was stopped goes on from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.executors import Threads
from coinhts_core.backtests.points import Point, points_of
from coinhts_core.backtests.sweeps import sweep
from coinhts_core.candles.files import Said
from coinhts_core.days import DayRange
from coinhts_core.errors import RefusedError
from coinhts_core.hashes import digest
from coinhts_core.lineup_file import read_value
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import Strategy, name_of
from coinhts_pipeline.backtests import candles_of, stored_candles

Axes = Mapping[str, Sequence[Any]]

_MOST_VALUES = 100_000
_RANGE = 3  # first, last, step


@dataclass
class Asked:
    """What a sweep tries, how many of all combinations, and by how many threads."""

    strategy: Strategy
    account: Account
    axes: Axes
    samples: int | None = None
    seed: int = 0
    workers: int | None = None
    progress: Callable[[int, int], None] | None = None

    @property
    def grid(self) -> dict[str, Any]:
        """The values, and whatever else the strategy was told."""
        return {**self.strategy.model_dump(exclude_unset=True), **self.axes}

    @property
    def points(self) -> list[Point]:
        return points_of(type(self.strategy), self.grid, self.account, self.samples, self.seed)

    @property
    def combinations(self) -> int:
        """As many as there may be."""
        found = 1
        for values in self.axes.values():
            found *= len(values)
        return found if self.samples is None else min(found, self.samples)

    @property
    def facts(self) -> dict[str, Any]:
        axes = {name: list(values) for name, values in self.axes.items()}
        params = {name: of for name, of in self.strategy.parameters().items() if name not in axes}
        return {
            "strategy": name_of(type(self.strategy)),
            "params": params,
            "account": self.account.facts(),
            "timeframe": str(self.strategy.timeframe),
            "grid": axes,
            "samples": self.samples,
            "seed": self.seed,
        }


@dataclass
class Parts:
    """Rows of parts that are done, a file each, created once; together they name the sweep."""

    folder: Path
    names: list[str] = field(default_factory=list)

    def find(self, part: str) -> pl.DataFrame | None:
        self.names.append(part)
        file = self._file(part)
        try:
            return pl.read_parquet(file) if file.exists() else None
        except (OSError, pl.exceptions.PolarsError):
            return None  # a damaged part is led again

    def keep(self, part: str, rows: pl.DataFrame) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{part}"
        rows.write_parquet(draft)
        draft.replace(self._file(part))

    def forget(self) -> None:
        """They are whole elsewhere."""
        for part in self.names:
            self._file(part).unlink(missing_ok=True)

    @property
    def identity(self) -> str:
        return digest("sweep 2", *sorted(self.names))

    def _file(self, part: str) -> Path:
        return self.folder / f"{part}.parquet"


def read_axis(text: str) -> tuple[str, list[Any]]:
    """`fast=4:52:2` from the first to the last, both included; `fast=5,10,20`, or a single value."""
    name, sign, told = text.partition("=")
    if not sign or not told:
        raise RefusedError(reason=f"{text} is not like fast=4:52:2 or fast=5,10,20")
    steps = told.split(":")
    if len(steps) == 1:
        return name, [None if value == "none" else read_value(value) for value in told.split(",")]
    try:
        first, last, step = map(Decimal, steps if len(steps) == _RANGE else [*steps, "1"])
        count = int((last - first) / step) + 1
    except (InvalidOperation, ValueError, ArithmeticError):
        raise RefusedError(reason=f"{text} is not like fast=4:52:2, the first, the last and the step") from None
    if not 0 < count <= _MOST_VALUES:
        raise RefusedError(reason=f"{text} makes {count} values; between 1 and {_MOST_VALUES} can be tried")
    values = [first + place * step for place in range(count)]
    is_whole = all(value == value.to_integral_value() for value in values)
    return name, [int(value) if is_whole else float(value) for value in values]


def sweep_file(file: Path, said: Said, asked: Asked, parts: Parts, timeframe: Timeframe | None) -> pl.DataFrame:
    """Over all of a file's bars; several symbols are led alone."""
    return _swept(candles_of(file, said), asked, parts, None if "timeframe" in asked.axes else timeframe)


def sweep_lake(lake: Any, symbols: Sequence[Any], days: DayRange, asked: Asked, parts: Parts) -> pl.DataFrame:
    """Over stored days, with what lies before them to warm up."""
    lengths = [Timeframe.parse(of) for of in asked.axes.get("timeframe", [asked.strategy.timeframe])]
    minutes, of_days = stored_candles(lake, symbols, days, [*lengths, *asked.strategy.looks_at])
    timeframe = None if "timeframe" in asked.axes else asked.strategy.timeframe
    return _swept(minutes, asked, parts, timeframe, days=of_days, first_day=days.first)


def _swept(
    candles: Mapping[str, pl.DataFrame], asked: Asked, parts: Parts, timeframe: Timeframe | None, **options: Any
) -> pl.DataFrame:
    return sweep(
        candles,
        type(asked.strategy),
        asked.grid,
        asked.account,
        samples=asked.samples,
        seed=asked.seed,
        timeframe=timeframe,
        executor=Threads(asked.workers),
        keeper=parts,
        progress=asked.progress,
        **options,
    )


def document_of(rows: pl.DataFrame, asked: Asked, parts: Parts) -> dict[str, Any]:
    """As commands print it and keep it."""
    told = {"id": parts.identity, "kind": "sweep", **asked.facts, "symbols": sorted(set(rows["symbol"]))}
    return {**told, "combinations": rows.height, "rows": rows.to_dicts()}
