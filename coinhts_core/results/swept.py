"""A sweep that was kept, looked at: its best rows, and a figure over two of its knobs.

What lives here: what terminals and pages show of a sweep's document. What to add: another look at its rows. What stays
out: the sweep itself (`backtests.sweeps`), and drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import polars as pl

from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.results.facts import Json
from coinhts_core.wording import nearest

BY = "sharpe"  # what counts where nobody says
_PAIR = 2
_SHORT = 12
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Heatmap:
    """A figure over two knobs: a row for each value of `down`, a cell in it for each of `across`; it may be empty."""

    by: str
    across: str
    down: str
    columns: list[Any]
    rows: list[Any]
    cells: list[list[float | None]]

    @property
    def facts(self) -> Json:
        axes = {"x": {"name": self.across, "values": self.columns}, "y": {"name": self.down, "values": self.rows}}
        return {"by": self.by, **axes, "cells": self.cells}

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest."""
        found = [value for value in chain.from_iterable(self.cells) if value is not None]
        return min(found, default=0.0), max(found, default=0.0)

    def place(self, value: float) -> float:
        """From 0, the lowest, to 1, the highest; where all are the same, the middle."""
        low, high = self.bounds
        return (value - low) / (high - low) if high > low else 0.5


def rows_of(of: Mapping[str, Any]) -> Rows:
    """Those of a sweep, or a refusal."""
    if of.get("kind") != "sweep" or "grid" not in of:
        name = of["id"][:_SHORT]
        raise RefusedError(reason=f"result {name} is no sweep; `coinhts backtest show {name}` shows what it is")
    rows: Rows = of["rows"]
    if not rows:
        raise RefusedError(reason=f"the sweep {of['id'][:_SHORT]} has no rows: no combination was tried")
    return rows


def figures_of(of: Mapping[str, Any]) -> list[str]:
    """What was measured of each combination."""
    return [name for name in rows_of(of)[0] if name not in {"symbol", *of["grid"]}]


def varied(of: Mapping[str, Any]) -> list[str]:
    """Knobs that take several values, in the order they were asked for."""
    rows = rows_of(of)
    return [name for name in of["grid"] if name in rows[0] and len({row[name] for row in rows}) > 1]


def ordered(of: Mapping[str, Any], by: str) -> Rows:
    """The highest figure first; those without it come last."""
    return sorted(_measured(of, by), key=lambda row: (row[by] is None, -(row[by] or 0.0)))


def best(of: Mapping[str, Any], by: str, count: int) -> Rows:
    """The rows with the highest figure; those without it are none of them."""
    return [row for row in ordered(of, by)[:count] if row[by] is not None]


def heatmap(of: Mapping[str, Any], by: str, across: str | None, down: str | None) -> Heatmap:
    """The middle of all rows that share two values, so that one lucky combination colours nothing."""
    rows = pl.DataFrame(_measured(of, by), infer_schema_length=None)
    chosen = _pair(varied(of), across, down)
    middle = rows.group_by(chosen).agg(pl.col(by).median())
    cells = {(column, line): value for column, line, value in middle.iter_rows()}
    columns, lines = (rows[name].unique(maintain_order=True).to_list() for name in chosen)
    table = [[cells.get((column, line)) for column in columns] for line in lines]
    return Heatmap(by, *chosen, columns, lines, table)


def _pair(knobs: Sequence[str], across: str | None, down: str | None) -> tuple[str, str]:
    """Those that were asked for, and the first others for those that were not."""
    if len(knobs) < _PAIR:
        raise RefusedError(reason=f"a heat map needs two knobs that were varied; here is {', '.join(knobs) or 'none'}")
    for field, name in (("x", across), ("y", down)):
        if name is not None and name not in knobs:
            reason = f"{name!r} is no knob that was varied; choose of {', '.join(knobs)}{nearest(name, knobs)}"
            raise BadRequestError(field=field, reason=reason)
    if across is not None and across == down:
        raise BadRequestError(field="y", reason=f"it is {down}, as x is; choose another of {', '.join(knobs)}")
    first = across or next(name for name in knobs if name != down)
    return first, down or next(name for name in knobs if name != first)


def _measured(of: Mapping[str, Any], by: str) -> Rows:
    rows, figures = rows_of(of), figures_of(of)
    if by not in figures:
        reason = f"{by!r} is no figure of a sweep; it has {', '.join(figures)}{nearest(by, figures)}"
        raise BadRequestError(field="by", reason=reason)
    return rows
