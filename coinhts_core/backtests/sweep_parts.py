"""Parts of a sweep: some points over some coins' candles, led to a row of figures each.

What lives here: what points of a part share, and its rows. What stays out: which parts there are (`sweeps`), counting
(`tallies`) and figures (`sweep_figures`).
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from inspect import getfile
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import polars as pl

from coinhts_core.backtests.account import Costs
from coinhts_core.backtests.courses import between, epochs
from coinhts_core.backtests.engine import NO_SPANS, Floats, Knobs, Rows, knobs_of, minutes_within, prices_of
from coinhts_core.backtests.outcome import count_opened_by, day_ends
from coinhts_core.backtests.points import Point
from coinhts_core.backtests.sources import Seen, Source, asked_by
from coinhts_core.backtests.sweep_figures import Columns, columns_in, columns_of, table_of
from coinhts_core.backtests.tallies import Standings, Stretch, Tallies, beginning, lead_together
from coinhts_core.candles.bars import Bars
from coinhts_core.code_version import code_version, core_file
from coinhts_core.hashes import Fact, digest
from coinhts_core.markets import Timeframe
from coinhts_core.rules import Rules
from coinhts_core.signals import Together, Turned, Turns, can_decide_together, decide_all, turns_of
from coinhts_core.strategies import Strategy, name_of

_Any = TypeVar("_Any")

_TILE = 12_288  # bars: few enough that their lines and decisions stay in a processor's caches
_A_FEW = 16  # sets of knobs


class Keeper(Protocol):
    """Keeps the rows of parts that are done, so that a sweep that was stopped goes on from there."""

    def find(self, part: str) -> pl.DataFrame | None:
        """The rows of a part, by its identity."""

    def keep(self, part: str, rows: pl.DataFrame) -> None: ...


class Part(NamedTuple):
    """Some points over the candles of some coins, each coin alone."""

    coins: Sequence[Source]
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
    """A row for each of the part's points, in their order, coin by coin; led, unless they are kept already."""
    alike = _alike(part.points, lambda of: (_timeframe(of, terms), tuple(of.strategy.looks_at)))
    groups = [
        _Group.of(place, source.seen(of[0].strategy, _timeframe(of[0], terms), terms.first_day), of)
        for place, source in enumerate(part.coins)
        for of in alike
    ]
    if terms.keeper is None:
        return _led(groups)
    name = _identity(part, [group.seen for group in groups], terms)
    rows = terms.keeper.find(name)
    if rows is None:
        rows = table_of(_led(groups))
        terms.keeper.keep(name, rows)
    return columns_in(rows)


@dataclass(frozen=True, eq=False)
class _Group:
    """Points that see the same of a coin."""

    coin: int
    seen: Seen
    days: "_Days"
    points: list[Point]

    @classmethod
    def of(cls, coin: int, seen: Seen, points: list[Point]) -> "_Group":
        return cls(coin, seen, _Days.of(seen.traded), points)


def _timeframe(point: Point, terms: Terms) -> Timeframe | None:
    return terms.timeframe or asked_by(point.strategy)


def _alike(of: Iterable[_Any], alike: Callable[[_Any], Hashable]) -> list[list[_Any]]:
    groups: dict[Hashable, list[_Any]] = {}
    for one in of:
        groups.setdefault(alike(one), []).append(one)
    return list(groups.values())


def _sharing(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Points that are led together: they share the rule book's ticks, and parts of the bars.

    Of those that decide by themselves only a few sets of knobs at a time, so that they need little room.
    """
    for of in _alike(points, _shares):
        if can_decide_together(of[0].strategy):
            yield of
            continue
        alike = _alike(of, lambda point: point.strategy)
        for first in range(0, len(alike), _A_FEW):
            yield list(chain.from_iterable(alike[first : first + _A_FEW]))


def _shares(point: Point) -> Hashable:
    account = None if point.account.even_fraction else point.account
    return can_decide_together(point.strategy), point.account.rules, account


def _led(groups: Sequence[_Group]) -> Columns:
    """The rows of all groups, brought into the order of coins and points; those over as many days are told at once."""
    led = [_led_over(of) for of in _alike(groups, lambda group: len(group.days.last_bars))]
    order = np.lexsort(np.concatenate([places for places, _ in led], axis=1))
    return {name: np.concatenate([columns[name] for _, columns in led])[order] for name in led[0][1]}


def _led_over(groups: Sequence[_Group]) -> tuple[Rows, Columns]:
    """Those that share something one behind the other, so that each is a slice of all."""
    sharing = [(group, of) for group in groups for of in _sharing(group.points)]
    legs = cache(_legs)
    ordered = [(group, point) for group, of in sharing for point in of]
    of, counted = beginning([point.account.cash for _, point in ordered], len(groups[0].days.last_bars))
    first = 0
    for group, points in sharing:
        rows = slice(first, first + len(points))
        standings, tallies = (each[rows] for each in of), (each[rows] for each in counted)
        _lead(group.seen, partial(legs, group), points, Standings._make(standings), Tallies._make(tallies))
        first += len(points)
    places = np.array([[point.place, group.coin] for group, point in ordered]).T
    return places, columns_of(of, counted, np.array([len(group.seen.traded) for group, _ in ordered]))


class _Days(NamedTuple):
    """The last bar of each day."""

    last_bars: Rows

    @classmethod
    def of(cls, bars: Bars) -> "_Days":
        ends = day_ends(bars.opened_at[[0, -1]] + bars.length_us) if len(bars) else np.empty(0, np.int64)
        return cls(count_opened_by(bars.opened_at, ends - bars.length_us, bars.length_us) - 1)

    def within(self, rows: slice) -> tuple[int, Rows]:
        """The first day that ends in some rows, and the last bar of each that does, counted from the first row."""
        first, end = np.searchsorted(self.last_bars, [rows.start, rows.stop]).tolist()
        return first, self.last_bars[first:end] - rows.start


class _Leg(NamedTuple):
    """Traded bars under one rule book, some rows at a time."""

    rules: Rules
    stretches: list[tuple[slice, Stretch]]


def _legs(group: _Group, length: int | None) -> list[_Leg]:
    """All bars of a coin, at most so many in a stretch."""
    traded, minutes = group.seen.traded, group.seen.minutes
    spans = NO_SPANS if minutes is None else minutes_within(traded, minutes).spans
    legs = []
    for first, end, rules in epochs([traded]):
        of = between(traded, first, end)
        step = length or max(of.stop - of.start, 1)
        stretches = []
        for start in range(of.start, of.stop, step):
            rows = slice(start, min(start + step, of.stop))
            bars = prices_of(traded[rows])
            fine = bars if minutes is None else prices_of(minutes)
            stretches.append((rows, Stretch(bars, fine, spans[rows], start, *group.days.within(rows))))
        legs.append(_Leg(rules, stretches))
    return legs


def _lead(
    seen: Seen, legs: Callable[[int | None], list[_Leg]], points: Sequence[Point], of: Standings, counted: Tallies
) -> None:
    sides, even = _sides(seen, [point.strategy for point in points]), _even_fractions(points)
    for rules, stretches in legs(sides.tile):
        costs, knobs = _knobs(points, rules)
        for rows, stretch in stretches:
            fractions = _fractions(seen, points, rows) if even is None else even
            turns, which = sides.of(rows)
            lead_together(of, counted, stretch, turns, which, fractions, knobs, costs.tick_bounds, costs.tick_sizes)


class _Sides(Protocol):
    """Decisions of points: of some traded bars, and which row is whose; so many bars at a time."""

    @property
    def tile(self) -> int | None: ...

    def of(self, rows: slice) -> tuple[Turns, Rows]: ...


class _DecidedAlone:
    """Each set of knobs decides by itself, once for all points that have it."""

    tile = None

    def __init__(self, seen: Seen, strategies: Sequence[Strategy]) -> None:
        places = {strategy: place for place, strategy in enumerate(dict.fromkeys(strategies))}
        self._turns = [turns_of(decide_all(strategy, seen.bars)[seen.first :]) for strategy in places]
        self._which = np.array([places[strategy] for strategy in strategies])
        self._all = slice(0, len(seen.traded))

    def of(self, rows: slice) -> tuple[Turns, Rows]:
        turns = self._turns if rows == self._all else [_within(turns, rows) for turns in self._turns]
        return Turns.of(turns), self._which


def _within(turns: Turned, rows: slice) -> Turned:
    """Turns of some of the bars, counted from the first of those."""
    first, end = np.searchsorted(np.abs(turns), (rows.start, rows.stop), side="right")
    found = turns[first:end]
    moved: Turned = found - np.where(found > 0, rows.start, -rows.start).astype(np.int32)
    return moved


class _DecidedTogether:
    """Each point decides by lines that others look at, too."""

    tile = _TILE

    def __init__(self, seen: Seen, strategies: Sequence[Strategy]) -> None:
        self._seen, self._together = seen, Together(strategies)
        self._which = np.arange(len(strategies))

    def of(self, rows: slice) -> tuple[Turns, Rows]:
        first = self._seen.first
        return self._together.decide(self._seen.bars, first + rows.start, first + rows.stop), self._which


def _sides(seen: Seen, strategies: Sequence[Strategy]) -> _Sides:
    if can_decide_together(strategies[0]) and any(strategy != strategies[0] for strategy in strategies):
        return _DecidedTogether(seen, strategies)
    return _DecidedAlone(seen, strategies)


def _even_fractions(points: Sequence[Point]) -> Floats | None:
    """What part of the account an entry spends, a row a point; none where that depends on the bars."""
    even = [point.account.even_fraction for point in points]
    return None if None in even else np.array(even, dtype=np.float64).reshape(-1, 1)


def _fractions(seen: Seen, points: Sequence[Point], rows: slice) -> Floats:
    """Where it depends on the bars, all points have one account."""
    return np.tile(seen.parts(points[0].account, rows), (len(points), 1))


def _knobs(points: Sequence[Point], rules: Rules) -> tuple[Costs, Floats]:
    """The costs of one of them, for their ticks are those of all; and costs and limits, a row a point."""
    costs = {id(account): account.costs(rules) for account in {id(of.account): of.account for of in points}.values()}
    knobs: dict[Hashable, Knobs] = {}  # by who an account is, for comparing accounts would cost more than all else
    rows = []
    for of in points:
        alike = id(of.account), of.strategy.hold_bars
        if alike not in knobs:
            limits = of.account.limits(of.strategy.hold_bars)
            knobs[alike] = knobs_of(costs[id(of.account)], limits, is_optimistic=False)
        rows.append(knobs[alike])
    return costs[id(points[0].account)], np.array(rows, dtype=np.float64)


def _identity(part: Part, seen: Sequence[Seen], terms: Terms) -> str:
    """Equal for equal candles, strategy, code, rules and points."""
    bars: list[Fact] = [[of.timeframe, of.first, *of.identities()] for of in seen]
    rules: list[Fact] = [book.as_facts() for of in seen for *_, book in epochs([of.traded])]
    points: list[Fact] = [[point.strategy.parameters(), point.account.facts()] for point in part.points]
    return digest("sweep 1", name_of(terms.kind), bars, rules, points, terms.code)
