"""What is told of a walk-forward: a row a window, the equity of all unseen days, and how steady the choices were.

What lives here: `WalkForward` and its parts. What to add: something worth telling of the whole. What stays out: how it
came about (`walkforward`), and how it is shown. All is worked out when it is first asked for.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import cached_property
from inspect import getfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.figures import Figures, measure
from coinhts_core.backtests.overfitting import Overfit
from coinhts_core.backtests.points import Point
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.backtests.undefined import Floats, Measured, Undefined, finite
from coinhts_core.backtests.windows import Window
from coinhts_core.code_version import code_version, core_file
from coinhts_core.days import DayRange
from coinhts_core.hashes import Fact, digest
from coinhts_core.rules import days_of_change, rules_on
from coinhts_core.strategies import Strategy, name_of

NO_TRADES = pl.DataFrame(
    schema={
        "closed_at": pl.Datetime("us", "UTC"),
        "profit_krw": pl.Float64,
        "return": pl.Float64,
        "fees_krw": pl.Float64,
        "bars_held": pl.Int64,
    }
)


@dataclass(frozen=True, eq=False)
class Course:
    """What an account did on unseen days: the cash at their start and the equity at the end of each, and its trades."""

    daily: Floats
    trades: pl.DataFrame = field(default_factory=NO_TRADES.clone)
    fill_values: Floats = field(default_factory=lambda: np.empty(0))
    exposure: Floats = field(default_factory=lambda: np.empty(0))
    ambiguous: int = 0

    @property
    def total_return(self) -> float:
        return float(self.daily[-1] / self.daily[0] - 1.0)

    @cached_property
    def figures(self) -> Figures:
        return measure(self.daily, RoundTrips.from_frame(self.trades))


@dataclass(frozen=True, eq=False)
class Fold:
    """What one coin did in one window: what was chosen, over how many days, what it had shown there, and then did."""

    symbol: str
    window: Window
    days_seen: int
    point: Point | None
    seen: Mapping[str, Any]
    course: Course

    @property
    def seen_a_day(self) -> Measured:
        total = self.seen.get("total_return")
        return Undefined("nothing was chosen") if total is None else a_day(total, self.days_seen)

    @property
    def unseen_a_day(self) -> Measured:
        return a_day(self.course.total_return, len(self.window.unseen))

    @property
    def efficiency(self) -> Measured:
        """What a day brought unseen, over what it brought where it was chosen."""
        return over(self.unseen_a_day, self.seen_a_day)


@dataclass(frozen=True, eq=False)
class Walk:
    """One coin's way through all windows; the coin held meanwhile; all combinations over all days, in hindsight."""

    symbol: str
    candles: tuple[str, ...]
    folds: tuple[Fold, ...]
    held: Floats
    tried: pl.DataFrame
    overfit: Overfit | Undefined

    @property
    def daily(self) -> Floats:
        courses = [fold.course.daily for fold in self.folds]
        return np.concatenate([courses[0][:1], *(daily[1:] for daily in courses)])


@dataclass(frozen=True)
class Steadiness:
    """How a knob was chosen from window to window; `moved` is the mean step through its values, as a part of them."""

    knob: str
    chosen: tuple[Any, ...]
    most_common: Any
    share: float
    moved: float | None


@dataclass(frozen=True, eq=False)
class WalkForward:
    """All coins together."""

    kind: type[Strategy]
    account: Account
    grid: Mapping[str, Sequence[Any]]
    timeframe: str
    by: str
    is_anchored: bool
    span: DayRange
    windows: tuple[Window, ...]
    points: tuple[Point, ...]
    walks: tuple[Walk, ...]

    @cached_property
    def id(self) -> str:
        """Equal for equal candles, combinations, windows, account, rules and code."""
        changes = [day for day in days_of_change() if self.span.first < day <= self.span.last]
        rules: list[Fact] = [rules_on(day).as_facts() for day in (self.span.first, *changes)]
        points: list[Fact] = [[of.strategy.parameters(), of.account.facts()] for of in self.points]
        windows: list[Fact] = [
            [str(day) for of in (each.seen, each.unseen) for day in (of.first, of.last)] for each in self.windows
        ]
        candles: list[Fact] = [[walk.symbol, *walk.candles] for walk in self.walks]
        return digest(
            "walkforward 1", self.strategy, self.timeframe, self.by, candles, points, windows, rules, self.code
        )

    @cached_property
    def code(self) -> str:
        """Of the strategy, and of all that its choices stand on."""
        return code_version(Path(getfile(self.kind)), core_file("backtests", "walkforward.py"))

    @property
    def strategy(self) -> str:
        return name_of(self.kind)

    @property
    def symbols(self) -> list[str]:
        return [walk.symbol or "candles" for walk in self.walks]

    @property
    def folds(self) -> list[Fold]:
        """Window by window."""
        return [fold for of_window in zip(*(walk.folds for walk in self.walks), strict=True) for fold in of_window]

    @property
    def unseen(self) -> DayRange:
        return DayRange(self.windows[0].unseen.first, self.windows[-1].unseen.last)

    @cached_property
    def daily(self) -> Floats:
        """The equity of all coins over all unseen days, the cash first."""
        total: Floats = np.sum([walk.daily for walk in self.walks], axis=0)
        return total

    @cached_property
    def equity(self) -> pl.DataFrame:
        """A row a day, by when it begins."""
        begins = [datetime.combine(day, time(), UTC) for day in self.unseen]
        worth = self.daily[1:]
        peak = np.maximum.accumulate(self.daily)[1:]
        moments = pl.Series(begins, dtype=pl.Datetime("us", "UTC"))
        return pl.DataFrame({"opened_at": moments, "equity": worth, "drawdown": worth / peak - 1.0})

    @cached_property
    def figures(self) -> Figures:
        """Of the unseen days alone."""
        courses = [fold.course for fold in self.folds]
        trades = pl.concat([of.trades for of in courses]).sort("closed_at", maintain_order=True)
        return measure(
            self.daily,
            RoundTrips.from_frame(trades),
            benchmark=np.sum([walk.held for walk in self.walks], axis=0),
            fill_values=np.concatenate([of.fill_values for of in courses]),
            exposure=np.concatenate([of.exposure for of in courses]) if len(self.walks) == 1 else None,
        )

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Each window of each coin: its days, the knobs chosen, and what they did there and behind."""
        return pl.DataFrame([self._row(fold) for fold in self.folds], infer_schema_length=None)

    @property
    def efficiency(self) -> Measured:
        """Of all windows: the return of an unseen day, over the mean one of the days that were chosen in."""
        seen = [of for of in (fold.seen_a_day for fold in self.folds) if not isinstance(of, Undefined)]
        if not seen:
            return Undefined("nothing was chosen in any window")
        total = float(self.daily[-1] / self.daily[0] - 1.0)
        return over(a_day(total, len(self.unseen)), float(np.mean(seen)))

    @property
    def winning(self) -> float:
        """The share of windows that earned something on unseen days, coin by coin."""
        return float(np.mean([fold.course.total_return > 0.0 for fold in self.folds]))

    @cached_property
    def steadiness(self) -> list[Steadiness]:
        """Of each knob that had several values to choose from."""
        several = {name: values for name, values in self.grid.items() if len(values) > 1}
        return [_steadiness(name, values, self._chosen(name)) for name, values in several.items()]

    @property
    def overfit(self) -> Overfit | None:
        """The coin's whose choices last least."""
        known = [walk.overfit for walk in self.walks if isinstance(walk.overfit, Overfit)]
        return max(known, key=lambda of: of.probability, default=None)

    @property
    def warnings(self) -> list[str]:
        """What a reader should not overlook."""
        idle = [f"{fold.window.number} of {fold.symbol or 'candles'}" for fold in self.folds if fold.point is None]
        sentences = self.figures.warnings()
        if idle:
            sentences.append(f"nothing was chosen in {', '.join(idle)}: no combination has a {self.by} there")
        if isinstance(efficiency := self.efficiency, Undefined):
            sentences.append(f"efficiency is undefined: {efficiency}")
        doubtful = sum(fold.course.ambiguous for fold in self.folds)
        if doubtful:
            sentences.append(f"{doubtful} bars reach both stop and target: the stop is taken")
        for walk in self.walks:
            if isinstance(walk.overfit, Undefined):
                name = walk.symbol or "candles"
                sentences.append(f"how far {name} is overfitted is not known: {walk.overfit}")
        return sentences

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked, with everything that nobody named."""
        return {
            "strategy": self.strategy,
            "params": {name: values[0] for name, values in self.grid.items() if len(values) == 1},
            "account": self.account.facts(),
            "timeframe": self.timeframe,
            "symbols": self.symbols,
            "grid": {name: list(values) for name, values in self.grid.items() if len(values) > 1},
            "windows": len(self.windows),
            "anchored": self.is_anchored,
            "chosen_by": self.by,
            "start_date": str(self.span.first),
            "end_date": str(self.span.last),
        }

    def told(self) -> dict[str, Any]:
        """All but the rows and the equity, as JSON."""
        efficiency = self.efficiency
        return {
            **self.asked,
            "combinations": len(self.points),
            "first_unseen_day": str(self.unseen.first),
            "last_unseen_day": str(self.unseen.last),
            "metrics": self.figures.as_json(),
            "efficiency": None if isinstance(efficiency, Undefined) else efficiency,
            "winning_windows": self.winning,
            "steadiness": [vars(of) | {"chosen": list(of.chosen)} for of in self.steadiness],
            "overfitting": {
                walk.symbol or "candles": walk.overfit._asdict() if isinstance(walk.overfit, Overfit) else None
                for walk in self.walks
            },
            "warnings": self.warnings,
        }

    def _chosen(self, knob: str) -> list[list[Any]]:
        """Each coin's values, window by window; a window without a choice is passed over."""
        place = list(self.grid).index(knob)
        return [[fold.point.values[place] for fold in walk.folds if fold.point] for walk in self.walks]

    def _row(self, fold: Fold) -> dict[str, Any]:
        values = fold.point.values if fold.point else (None,) * len(self.grid)
        seen, unseen = fold.window.seen, fold.window.unseen
        by = {f"seen_{self.by}": fold.seen.get(self.by)} if self.by != "total_return" else {}
        told = {
            "seen_return": fold.seen.get("total_return"),
            **by,
            "seen_trades": fold.seen.get("trades"),
            "unseen_return": fold.course.total_return,
            "unseen_sharpe": fold.course.figures.values["sharpe"],
            "unseen_max_drawdown": fold.course.figures.values["max_drawdown"],
            "unseen_trades": fold.course.trades.height,
            "seen_return_a_day": fold.seen_a_day,
            "unseen_return_a_day": fold.unseen_a_day,
            "efficiency": fold.efficiency,
        }
        return {
            "window": fold.window.number,
            "symbol": fold.symbol or "candles",
            "seen_first": seen.first,
            "seen_last": seen.last,
            "unseen_first": unseen.first,
            "unseen_last": unseen.last,
            **dict(zip(self.grid, values, strict=True)),
            **{name: None if isinstance(value, Undefined) else value for name, value in told.items()},
        }


def a_day(total: float, days: int) -> Measured:
    """The daily return that compounds to a total."""
    return finite((1.0 + total) ** (1.0 / days) - 1.0) if total > -1.0 else Undefined("everything was lost")


def over(unseen: Measured, seen: Measured) -> Measured:
    """A part of what the choice had promised, which only a gain does."""
    if isinstance(unseen, Undefined) or isinstance(seen, Undefined):
        return seen if isinstance(seen, Undefined) else unseen
    return finite(unseen / seen) if seen > 0.0 else Undefined("what was chosen had earned nothing")


def _steadiness(knob: str, values: Sequence[Any], chosen: Sequence[Sequence[Any]]) -> Steadiness:
    every = [value for of_coin in chosen for value in of_coin]
    common, count = Counter(every).most_common(1)[0] if every else (None, 0)
    steps = [
        abs(values.index(later) - values.index(earlier)) / (len(values) - 1)
        for of_coin in chosen
        for earlier, later in pairwise(of_coin)
    ]
    moved = float(np.mean(steps)) if steps else None
    return Steadiness(knob, tuple(every), common, count / max(len(every), 1), moved)
