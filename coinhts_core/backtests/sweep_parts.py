"""Parts of a sweep: some points over one coin's candles, led to a row of figures each.

What lives here: what points of a part share, and its rows. What stays out: which parts there are (`sweeps`), counting
(`tallies`) and figures (`sweep_figures`).
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from functools import cache, partial
from inspect import getfile
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.backtests.account import Costs
from coinhts_core.backtests.courses import between, epochs
from coinhts_core.backtests.engine import NO_SPANS, Floats, Rows, knobs_of, minutes_within, prices_of
from coinhts_core.backtests.outcome import day_ends
from coinhts_core.backtests.points import Point
from coinhts_core.backtests.sources import Seen, Source, asked_by
from coinhts_core.backtests.sweep_figures import Columns, columns_in, columns_of, table_of
from coinhts_core.backtests.tallies import Standings, Stretch, Tallies, beginning, lead_together
from coinhts_core.candles.bars import Bars
from coinhts_core.code_version import code_version, core_file
from coinhts_core.hashes import Fact, digest
from coinhts_core.markets import Timeframe
from coinhts_core.rules import Rules
from coinhts_core.signals import Together, can_decide_together, decide_all
from coinhts_core.strategies import Strategy, name_of

_TILE = 12_288  # bars: few enough that their lines and decisions stay in a processor's caches


class Keeper(Protocol):
    """Keeps the rows of parts that are done, so that a sweep that was stopped goes on from there."""

    def find(self, part: str) -> pl.DataFrame | None:
        """The rows of a part, by its identity."""

    def keep(self, part: str, rows: pl.DataFrame) -> None: ...


class Part(NamedTuple):
    """Some points over one coin's candles."""

    symbol: str
    source: Source
    points: Sequence[Point]


class Terms(NamedTuple):
    """What is the same for all parts; `code` is that of the strategy and of all that its figures stand on."""

    kind: type[Strategy]
    timeframe: Timeframe | None
    first_day: date | None
    keeper: Keeper | None
    code: str

    @classmethod
    def of(
        cls, kind: type[Strategy], timeframe: Timeframe | None, first_day: date | None, keeper: Keeper | None
    ) -> "Terms":
        """Code is only read for a keeper, and at once: Python's parser cannot be asked by several threads."""
        code = code_version(Path(getfile(kind)), core_file("backtests", "sweep_parts.py")) if keeper is not None else ""
        return cls(kind, timeframe, first_day, keeper, code)


def figures_of(part: Part, terms: Terms) -> Columns:
    """A row for each of the part's points, in their order; led, unless they are kept already."""
    alike = _alike(part.points, lambda of: (_timeframe(of, terms), tuple(of.strategy.looks_at)))
    groups = [(part.source.seen(of[0].strategy, _timeframe(of[0], terms), terms.first_day), of) for of in alike]
    if terms.keeper is None:
        return _led(groups)
    name = _identity(part, [seen for seen, _ in groups], terms)
    rows = terms.keeper.find(name)
    if rows is None:
        rows = table_of(_led(groups))
        terms.keeper.keep(name, rows)
    return columns_in(rows)


def _timeframe(point: Point, terms: Terms) -> Timeframe | None:
    return terms.timeframe or asked_by(point.strategy)


def _alike(points: Sequence[Point], alike: Callable[[Point], Hashable]) -> list[list[Point]]:
    groups: dict[Hashable, list[Point]] = {}
    for point in points:
        groups.setdefault(alike(point), []).append(point)
    return list(groups.values())


def _shares(point: Point) -> Hashable:
    """What points must have in common to be led together: who decides, the rule book's ticks, and parts of the bars."""
    decides = None if can_decide_together(point.strategy) else point.strategy
    return decides, point.account.rules, None if point.account.even_fraction else point.account


def _led(groups: Sequence[tuple[Seen, list[Point]]]) -> Columns:
    """Each group's rows behind one another, brought into the order of the points."""
    led = [_led_over(seen, points) for seen, points in groups]
    order = np.argsort(np.concatenate([places for places, _ in led]))
    return {name: np.concatenate([columns[name] for _, columns in led])[order] for name in led[0][1]}


def _led_over(seen: Seen, points: Sequence[Point]) -> tuple[Rows, Columns]:
    """Those that share something one behind the other, so that each group is a slice of all."""
    groups, days = _alike(points, _shares), _Days.of(seen.traded)
    ordered = [point for group in groups for point in group]
    of, counted = beginning([point.account.cash for point in ordered], len(days.last_bars))
    first = 0
    for group in groups:
        rows = slice(first, first + len(group))
        standings, tallies = (each[rows] for each in of), (each[rows] for each in counted)
        _lead(seen, group, days, Standings._make(standings), Tallies._make(tallies))
        first += len(group)
    return np.array([point.place for point in ordered]), columns_of(of, counted, len(seen.traded))


class _Days(NamedTuple):
    """The last bar of each day."""

    last_bars: Rows

    @classmethod
    def of(cls, bars: Bars) -> "_Days":
        ends = day_ends(bars.opened_at[[0, -1]] + bars.length_us) if len(bars) else np.empty(0, np.int64)
        return cls(np.searchsorted(bars.opened_at, ends - bars.length_us, side="right") - 1)

    def within(self, rows: slice) -> tuple[int, Rows]:
        """The first day that ends in some rows, and the last bar of each that does, counted from the first row."""
        first, end = np.searchsorted(self.last_bars, [rows.start, rows.stop]).tolist()
        return first, self.last_bars[first:end] - rows.start


def _lead(seen: Seen, points: Sequence[Point], days: _Days, of: Standings, counted: Tallies) -> None:
    sides = _sides(seen, [point.strategy for point in points])
    spans = None if seen.minutes is None else minutes_within(seen.traded, seen.minutes).spans
    even, knobs_under = _even_fractions(points), cache(partial(_knobs, points))
    for rows, rules in _stretches(seen, sides.tile):
        costs, knobs = knobs_under(rules)
        bars = prices_of(seen.traded[rows])
        fine = bars if seen.minutes is None else prices_of(seen.minutes)
        stretch = Stretch(bars, fine, NO_SPANS if spans is None else spans[rows], rows.start, *days.within(rows))
        fractions = _fractions(seen, points, rows) if even is None else even
        decisions, which = sides.of(rows)
        lead_together(of, counted, stretch, decisions, which, fractions, knobs, costs.tick_bounds, costs.tick_sizes)


class _Sides(Protocol):
    """Decisions of points: of some traded bars, and which row is whose; so many bars at a time."""

    @property
    def tile(self) -> int | None: ...

    def of(self, rows: slice) -> tuple[NDArray[np.int8], Rows]: ...


class _DecidedOnce:
    """All points decide alike."""

    tile = None

    def __init__(self, seen: Seen, strategy: Strategy, count: int) -> None:
        self._decisions = decide_all(strategy, seen.bars)[seen.first :]
        self._which = np.zeros(count, dtype=np.int64)

    def of(self, rows: slice) -> tuple[NDArray[np.int8], Rows]:
        return self._decisions[rows].reshape(1, -1), self._which


class _DecidedTogether:
    """Each point decides by lines that others look at, too."""

    tile = _TILE

    def __init__(self, seen: Seen, strategies: Sequence[Strategy]) -> None:
        self._seen, self._together = seen, Together(strategies)
        self._which = np.arange(len(strategies))

    def of(self, rows: slice) -> tuple[NDArray[np.int8], Rows]:
        first = self._seen.first
        return self._together.decide(self._seen.bars, first + rows.start, first + rows.stop), self._which


def _sides(seen: Seen, strategies: Sequence[Strategy]) -> _Sides:
    if any(strategy != strategies[0] for strategy in strategies):
        return _DecidedTogether(seen, strategies)
    return _DecidedOnce(seen, strategies[0], len(strategies))


def _stretches(seen: Seen, length: int | None) -> Iterator[tuple[slice, Rules]]:
    """Traded bars under one rule book, at most so many of them."""
    for first, end, rules in epochs([seen.traded]):
        rows = between(seen.traded, first, end)
        step = length or max(rows.stop - rows.start, 1)
        for start in range(rows.start, rows.stop, step):
            yield slice(start, min(start + step, rows.stop)), rules


def _even_fractions(points: Sequence[Point]) -> Floats | None:
    """What part of the account an entry spends, a row a point; none where that depends on the bars."""
    even = [point.account.even_fraction for point in points]
    return None if None in even else np.array(even, dtype=np.float64).reshape(-1, 1)


def _fractions(seen: Seen, points: Sequence[Point], rows: slice) -> Floats:
    """Where it depends on the bars, all points have one account."""
    return np.tile(seen.parts(points[0].account, rows), (len(points), 1))


def _knobs(points: Sequence[Point], rules: Rules) -> tuple[Costs, Floats]:
    """The costs of one of them, for their ticks are those of all; and costs and limits, a row a point."""
    costs = cache(lambda account: account.costs(rules))
    limits = cache(lambda account, hold_bars: account.limits(hold_bars))
    rows = [
        knobs_of(costs(of.account), limits(of.account, of.strategy.hold_bars), is_optimistic=False) for of in points
    ]
    return costs(points[0].account), np.array(rows, dtype=np.float64)


def _identity(part: Part, seen: Sequence[Seen], terms: Terms) -> str:
    """Equal for equal candles, strategy, code, rules and points."""
    bars: list[Fact] = [[of.timeframe, of.first, *of.identities()] for of in seen]
    rules: list[Fact] = [book.as_facts() for of in seen for *_, book in epochs([of.traded])]
    points: list[Fact] = [[point.strategy.parameters(), point.account.facts()] for point in part.points]
    return digest("sweep 1", name_of(terms.kind), bars, rules, points, terms.code)
