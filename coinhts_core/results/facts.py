"""What is told of a result in one row: what was asked, what it came to, and what it was made from.

What lives here: `Facts`, how they are read off a run, and `Table`, which stands for a run where there is no single
account. What to add: a fact that tells two results apart. What stays out: the rows of a result (`frames`), and where
either is kept (`shelf`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.metadata import version
from inspect import getfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import polars as pl

from coinhts_core.backtests.courses import epochs
from coinhts_core.backtests.runs import Result, SymbolResult
from coinhts_core.backtests.sheets import days_of
from coinhts_core.backtests.sources import identity
from coinhts_core.code_version import code_version, core_file
from coinhts_core.days import parse_day
from coinhts_core.errors import RefusedError
from coinhts_core.hashes import Fact, digest

if TYPE_CHECKING:  # what a file comes to need not wait for the ledger's
    from coinhts_core.trials import Trial

Kind = Literal["backtest", "sweep", "walkforward"]
KINDS: tuple[str, ...] = get_args(Kind)
Json = dict[str, Any]

_LIBRARIES = ("numpy", "numba", "polars")


@dataclass(frozen=True)
class Table:
    """What a sweep or a walk-forward came to: a row a combination or a window, and whatever else there is to tell.

    `told` is JSON; its `metrics`, if there are any, are figures by name. `made_from` is told as `made_from` tells it of
    a run, as far as it is known. `tried` is every combination, for the count of all that were ever tried.
    """

    kind: Kind
    rows: pl.DataFrame
    told: Json = field(default_factory=dict)
    equity: pl.DataFrame | None = None
    made_from: Json = field(default_factory=dict)
    tried: "Sequence[Trial]" = ()


@dataclass(frozen=True)
class Facts:
    """All that a result is found and compared by."""

    kind: str
    strategy: str
    mode: str
    symbols: tuple[str, ...]
    timeframe: str
    first_day: date
    last_day: date
    asked: Json
    metrics: Json
    made_from: Json

    @property
    def question(self) -> str:
        """Equal for all that were asked the same, whatever candles and code answered."""
        days = f"{self.first_day} to {self.last_day}"
        span: list[Fact] = [self.kind, self.strategy, self.mode, self.timeframe, days]
        told = {name: self.asked[name] for name in sorted(self.asked) if name not in {"start_date", "end_date"}}
        return digest("question 1", span, self.symbols, told)


def facts_of(result: Result | Table, asked: Mapping[str, Any]) -> Facts:
    """What a run says of itself goes before what was asked, but for the days: it knows the knobs that nobody named."""
    if isinstance(result, Result):
        own, metrics, making = _of_run(result), dict(result.figures.as_json()), made_from(result)
    else:
        own, metrics, making = {"kind": result.kind}, dict(result.told.get("metrics", {})), result.made_from
    known = {"mode": "account", "params": {}, "account": {}, **_days(result), **asked, **own}
    missing = [name for name in ("strategy", "symbols", "timeframe", "start_date", "end_date") if not known.get(name)]
    if missing:
        raise RefusedError(reason=f"a result is not kept without its {', '.join(missing)}")
    told = {name: known.pop(name) for name in ("kind", "strategy", "mode", "symbols", "timeframe")}
    days = [day if isinstance(day, date) else parse_day(day) for day in (known["start_date"], known["end_date"])]
    return Facts(
        **{**told, "symbols": tuple(told["symbols"])},
        first_day=days[0],
        last_day=days[1],
        asked={**known, "start_date": str(days[0]), "end_date": str(days[1])},
        metrics=metrics,
        made_from=making,
    )


def made_from(result: Result) -> Json:
    """What a change of figures may come from, part by part, each as a hash."""
    rules: list[Fact] = [book.as_facts() for *_, book in epochs([of.bars for of in result.symbols])]
    return {
        "data": {of.symbol or "candles": _bars_by_name(of) for of in result.symbols},
        "code": code_version(Path(getfile(type(result.strategy)))),
        "engine": _engine(),
        "rules": digest(rules),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _of_run(result: Result) -> Json:
    return {
        "kind": "backtest",
        "strategy": result.strategy_name,
        "mode": result.mode,
        "symbols": [of.symbol or "candles" for of in result.symbols],
        "timeframe": result.timeframe,
        "params": result.strategy.parameters(),
        "account": result.account.facts(),
    }


def _days(result: Result | Table) -> Json:
    """The first and last day of a run, for who asked for no days."""
    days = days_of(result.outcome) if isinstance(result, Result) else []
    return {"start_date": days[0], "end_date": days[-1]} if days else {}


def _bars_by_name(of: SymbolResult) -> Json:
    longer = {f"{timeframe} bars beside": identity(bars) for timeframe, bars in of.bars.longer.items()}
    minutes = {} if of.fills.minutes is None else {"minutes": identity(of.fills.minutes)}
    return {"bars": digest(of.first_traded, identity(of.bars)), **longer, **minutes}


@cache
def _engine() -> str:
    return code_version(core_file("backtests", "runs.py"))
