"""Two results side by side: what may have made the difference, how large it is, and both curves.

What lives here: `compared`, pure. What to add: a cause, told apart by a fact of a result's row. What stays out: finding
the two (`shelf`), and drawing (`comparison_page`, the terminal).

A cause is whatever differs and can change a figure. What follows from another cause is none of its own: other days are
other candles and perhaps other rules, another strategy is other code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.results.facts import Json
from coinhts_core.results.kept import Kept

_POINTS = 240
_AT_FIRST = 100.0
_SHORT = 12
_OF_DAYS = ("start_date", "end_date")
_OF_ACCOUNT = "account"

Held = tuple[Kept, pl.DataFrame | None]
Curves = dict[str, list[float]]


@dataclass(frozen=True)
class Cause:
    """One thing that differs, and how."""

    name: str
    how: str


@dataclass(frozen=True)
class Compared:
    """A figure of both, and the second less the first."""

    name: str
    first: float | None
    second: float | None

    @property
    def change(self) -> float | None:
        return None if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True)
class Comparison:
    """The first and the second result, what differs in what they stand on, and what differs in what they say."""

    first: Kept
    second: Kept
    causes: tuple[Cause, ...]
    figures: tuple[Compared, ...]
    curves: Curves
    days: tuple[str, str]

    @property
    def is_same(self) -> bool:
        return all(of.first == of.second for of in self.figures)

    @property
    def verdict(self) -> str:
        """One sentence: where the difference comes from."""
        names = ", ".join(of.name for of in self.causes)
        if not self.causes and self.is_same:
            return "nothing differs"
        if not self.causes:
            return "the figures differ, and nothing that is recorded of the two does"
        if self.is_same:
            return f"the figures are the same, although there is another {names}"
        if len(self.causes) == 1:
            return f"the cause is {names}: all else is the same"
        return f"{len(self.causes)} things differ ({names}); runs that change one of them at a time tell which counts"

    @property
    def facts(self) -> Json:
        return {
            "first": self.first.facts,
            "second": self.second.facts,
            "verdict": self.verdict,
            "causes": [vars(of) for of in self.causes],
            "figures": {of.name: {**vars(of), "change": of.change} for of in self.figures},
            "curves": self.curves,
            "days": list(self.days),
        }


def compared(one: Held, other: Held) -> Comparison:
    (first, _), (second, _) = one, other
    curves, days = _curves(one, other)
    return Comparison(first, second, tuple(_causes(first, second)), tuple(_figures(first, second)), curves, days)


def _causes(first: Kept, second: Kept) -> Iterator[Cause]:
    for name in ("kind", "strategy", "mode", "timeframe"):
        yield from _changed(name, getattr(first, name), getattr(second, name))
    yield from _changed("symbols", ", ".join(first.symbols), ", ".join(second.symbols))
    yield from _changed("days", *(f"{of.first_day} to {of.last_day}" for of in (first, second)))
    yield from _listed("parameters", *map(_asked, (first, second)))
    yield from _listed(_OF_ACCOUNT, *(of.asked.get(_OF_ACCOUNT) or {} for of in (first, second)))
    yield from _of_making(first, second)


def _of_making(first: Kept, second: Kept) -> Iterator[Cause]:
    one, other = first.made_from, second.made_from
    is_same_span = (first.first_day, first.last_day) == (second.first_day, second.last_day)
    if is_same_span and first.timeframe == second.timeframe:
        told = [f"{symbol} {part}" for symbol, part in _other_candles(one.get("data", {}), other.get("data", {}))]
        if told:
            yield Cause("data", f"other candles: {', '.join(told)}")
    same_strategy = first.strategy == second.strategy
    for name, counts in (("code", same_strategy), ("engine", True), ("rules", is_same_span)):
        if counts and name in one and name in other:
            yield from _changed(name, one[name][:_SHORT], other[name][:_SHORT])
    yield from _listed("libraries", one.get("libraries", {}), other.get("libraries", {}))


def _other_candles(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of coins and parts that both looked at."""
    for symbol in sorted(one.keys() & other.keys()):
        for part in sorted(one[symbol].keys() & other[symbol].keys()):
            if one[symbol][part] != other[symbol][part]:
                yield symbol, part


def _asked(of: Kept) -> Json:
    """Knobs, and whatever else was asked for beside the days and the account."""
    others = {name: value for name, value in of.asked.items() if name not in {*_OF_DAYS, _OF_ACCOUNT, "params"}}
    return {**others, **(of.asked.get("params") or {})}


def _changed(name: str, first: Any, second: Any) -> Iterator[Cause]:
    if first != second:
        yield Cause(name, f"{first} → {second}")


def _listed(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Cause]:
    names = [of for of in {**first, **second} if first.get(of) != second.get(of)]
    if names:
        yield Cause(name, ", ".join(f"{of} {_word(first.get(of))} → {_word(second.get(of))}" for of in names))


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _figures(first: Kept, second: Kept) -> Iterator[Compared]:
    for name in FIGURES:
        if name in first.metrics or name in second.metrics:
            yield Compared(name, first.metrics.get(name), second.metrics.get(name))


def _curves(one: Held, other: Held) -> tuple[Curves, tuple[str, str]]:
    """Of 100 at first, over the days that both have; where they have none in common, each over its own."""
    frames = {kept.id[:_SHORT]: rows for kept, rows in (one, other) if rows is not None and rows.height}
    if not frames:
        return {}, ("", "")
    first = max(rows["opened_at"][0] for rows in frames.values())
    last = min(rows["opened_at"][-1] for rows in frames.values())
    if first > last:
        return {name: _thinned(rows["equity"].to_list()) for name, rows in frames.items()}, ("first bar", "last bar")
    moments = pl.concat([rows["opened_at"] for rows in frames.values()]).unique().sort()
    grid = moments.filter((moments >= first) & (moments <= last)).to_frame()
    curves = {name: _thinned(grid.join_asof(rows, on="opened_at")["equity"].to_list()) for name, rows in frames.items()}
    return curves, (str(first.date()), str(last.date()))


def _thinned(values: Sequence[float]) -> list[float]:
    count = min(len(values), _POINTS)
    places = [round(at * (len(values) - 1) / max(count - 1, 1)) for at in range(count)]
    return [values[place] / values[0] * _AT_FIRST for place in places]
