"""Plots: coordinates, axes and the figure around a drawing.

What lives here: what every chart shares. What to add: a mark that several charts draw. What stays out: which charts
there are (`charts`).

The drawing is stretched to the width there is, and lines keep their strength; so its words are not part of it but stand
beside it, and can be read on a phone.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coinhts_core.backtests.tearsheet.markup import Markup, tag
from coinhts_core.backtests.tearsheet.words import short
from coinhts_core.backtests.undefined import ROUNDING, Floats

WIDTH, HEIGHT = 1_000, 300
MOST_POINTS = 480  # of a curve; more than twice a phone's pixels

_MOST_TICKS = 6
_HOURS, _DAYS, _MONTHS = (1, 3, 6, 12), (1, 2, 4, 7, 14), (1, 2, 3, 6, 12, 24, 60, 120)
_STEPS = 6  # at most, on the way up
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_NEAR_END = 0.96  # of an axis, where words would leave the page
_MARGIN = 0.04  # of the height, above and below the values
_FLAT = 1e-9  # a span of less, in parts of the values, is none


class Tick(NamedTuple):
    """A place between 0 and 1 on an axis, and the words beside it."""

    place: float
    words: str


@dataclass(frozen=True)
class Scale:
    """From values to heights in the drawing; 0 is its top."""

    low: float
    high: float

    @classmethod
    def of(cls, *values: Floats, anchor: float | None = None) -> "Scale":
        """Room for all values that are numbers; with an anchor, for that too, and no margin beyond it on its side."""
        known = np.concatenate([column[np.isfinite(column)] for column in values] or [np.empty(0)])
        ends = [*([known.min(), known.max()] if len(known) else []), *([] if anchor is None else [anchor])]
        low, high = (float(min(ends)), float(max(ends))) if ends else (0.0, 1.0)
        span = high - low if high - low > _FLAT * max(abs(low), abs(high)) else 0.0
        margin = (span or abs(high) or 1.0) * _MARGIN
        if span and anchor in {low, high}:
            return cls(low, high + margin) if low == anchor else cls(low - margin, high)
        return cls(low - margin, high + margin)

    def heights(self, values: Floats) -> Floats:
        return (self.high - values) / (self.high - self.low) * HEIGHT

    def step(self, parts: int) -> float:
        """A round number that is at least such a part of the height."""
        size = (self.high - self.low) / parts
        power = 10.0 ** np.floor(np.log10(size))
        return float(min(factor for factor in _ROUND if factor * power >= size * (1 - ROUNDING)) * power)

    def ticks(self) -> list[float]:
        """Round values within."""
        step = self.step(_STEPS)
        first, last = int(np.ceil(self.low / step)), int(np.floor(self.high / step))
        return [count * step for count in range(first, last + 1)]

    def tick(self, value: float, words: str) -> Tick:
        return Tick(float(self.heights(np.array([value]))[0]) / HEIGHT, words)

    def amounts(self) -> list[Tick]:
        """Ticks in KRW."""
        return [self.tick(value, short(value, self.step(_STEPS))) for value in self.ticks()]


def thinned(values: Floats, most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Which points to draw: all, or the first, the lowest and the highest of each of some stretches, and the last."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), most // 3 + 1).astype(int)
    lowest = [start + int(np.argmin(values[start:end])) for start, end in pairwise(edges)]
    highest = [start + int(np.argmax(values[start:end])) for start, end in pairwise(edges)]
    return np.unique([*edges[:-1], *lowest, *highest, len(values) - 1])


def line(across: Floats, down: Floats) -> Markup:
    """The course through points, interrupted where one has no height."""
    pieces = []
    command = "M"
    for x, y, is_known in zip(across.tolist(), down.tolist(), np.isfinite(down).tolist(), strict=True):
        if is_known:
            pieces.append(f"{command}{x:.1f} {y:.1f}")
        command = "L" if is_known else "M"
    return Markup("".join(pieces))


def dots(across: Floats, down: Floats) -> Markup:
    """Lines without length: their round or square ends keep their shape when the drawing is stretched."""
    return Markup("".join(f"M{x:.1f} {y:.1f}h0" for x, y in zip(across.tolist(), down.tolist(), strict=True)))


def time_ticks(moments: Sequence[datetime]) -> list[tuple[int, str]]:
    """Round moments in words, each with the first of the moments that is not before it; they stand in order."""
    if len(moments) < 2:  # noqa: PLR2004 - a single moment has no axis
        return []
    marks = next(marks for marks in _marks(moments[0], moments[-1]) if len(marks) <= _MOST_TICKS)
    stamps = [moment.timestamp() for moment in moments]
    return list({bisect_left(stamps, at.timestamp()): words for at, words in marks}.items())


def _marks(first: datetime, last: datetime) -> Iterator[list[tuple[datetime, str]]]:
    """Round moments from first to last in ever longer steps."""
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    for hours in _HOURS:
        count = (last - midnight) // timedelta(hours=hours) + 1
        if count <= 24 * _MOST_TICKS:
            at = [midnight + timedelta(hours=hours * step) for step in range(count)]
            yield [
                (moment, f"{moment:%m-%d}" if not moment.hour else f"{moment:%H:%M}")
                for moment in at
                if moment >= first
            ]
    for days in _DAYS:
        at = [midnight + timedelta(days=days * step) for step in range((last - midnight).days // days + 1)]
        yield [(moment, f"{moment:%m-%d}") for moment in at if moment >= first]
    for months in _MONTHS:
        counts = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        at = [datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC) for count in counts if count % months == 0]
        words = "%Y-%m" if months % 12 else "%Y"
        yield [(moment, moment.strftime(words)) for moment in at if moment >= first]
    yield []


def drawing(
    name: str,
    said: str,
    shapes: Sequence[Markup],
    *,
    across: Sequence[Tick],
    down: Sequence[Tick],
    caption: str,
    note: str = "",
    legend: Mapping[str, str] | None = None,
) -> Markup:
    """A figure: the drawing with what it says for those who do not see it, its axes, its caption.

    The legend is each name's words by its class of line.
    """
    grid = "".join(f"M0 {tick.place * HEIGHT:.1f}H{WIDTH}" for tick in down)
    image = tag(
        "svg",
        tag("title", said, id=f"{name}-title"),
        tag("path", class_="grid", d=grid),
        *shapes,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_labelledby=f"{name}-title",
    )
    keys = [tag("li", words, class_=f"key {kind}") for kind, words in (legend or {}).items()]
    return tag(
        "figure",
        tag("figcaption", caption, tag("small", note) if note else Markup()),
        tag("ul", *keys, class_="legend") if keys else Markup(),
        tag(
            "div",
            image,
            tag("div", *_beside(down, "top"), class_="down", aria_hidden="true"),
            tag("div", *_beside(across, "left"), class_="across", aria_hidden="true"),
            class_="plot",
        ),
        id=name,
    )


def _beside(ticks: Sequence[Tick], side: str) -> Iterator[Markup]:
    """Words are centred on their place; those of the last one end there."""
    for tick in ticks:
        if 0.0 <= tick.place <= 1.0:
            yield tag(
                "span", tick.words, class_="last" if tick.place > _NEAR_END else None, style=f"{side}:{tick.place:.2%}"
            )


def nothing(name: str, caption: str, reason: str) -> Markup:
    """In place of a drawing."""
    return tag("figure", tag("figcaption", caption), tag("p", reason, class_="nothing"), id=name)
