"""A result as people see it: curves as SVG for pages and as characters for terminals, numbers with units.

What lives here: pure drawing. What stays out: which figures there are (`metrics`).
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import count, cycle

_WIDTH, _HEIGHT = 900, 300
_LEFT, _TOP, _LINE = 110, 34, 20  # beside the plot stand amounts, above it the title, below it days and names
_COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#64748b")
_GREY = "#888888"  # readable on light and on dark
_BLOCKS = " ▁▂▃▄▅▆▇█"
UNDEFINED = "\N{EN DASH}"


def svg_curves(curves: Mapping[str, Sequence[float]], title: str, days: tuple[str, str]) -> str:
    """Amounts over the same days as one small self-contained image, the names of the curves below it."""
    drawn = {name: curve for name, curve in curves.items() if curve}
    if not drawn:
        return ""
    values = [value for curve in drawn.values() for value in curve]
    low, high = min(values), max(values)
    bottom = _TOP + _HEIGHT
    words = [
        _words(_LEFT, _TOP - 12, title),
        _words(4, _TOP + 12, f"{high:,.0f}"),
        _words(4, bottom, f"{low:,.0f}"),
        _words(_LEFT, bottom + _LINE, days[0]),
        _words(_WIDTH, bottom + _LINE, days[1], anchor="end"),
    ]
    for row, (name, curve), colour in zip(count(2), drawn.items(), cycle(_COLOURS), strict=False):
        points = _points(curve, low, high)
        words.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{points}"/>')
        change = percent(curve[-1] / curve[0] - 1.0)
        words.append(_words(_LEFT, bottom + _LINE * row, f"{name} {change}", colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + _LINE * (len(drawn) + 2)}" '
        f'width="{_WIDTH}" font-family="sans-serif" font-size="14">{"".join(words)}</svg>'
    )


def as_image(svg: str, title: str) -> str:
    """Markdown that Dagster's UI renders; raw SVG would be stripped."""
    return f"![{title}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def text_curve(values: Sequence[float], width: int = 60, height: int = 6) -> list[str]:
    """A curve as lines of block characters, highest line first."""
    if len(values) < 2:  # noqa: PLR2004 - one point is no curve
        return []
    columns = [values[round(place * (len(values) - 1) / (width - 1))] for place in range(width)]
    low, high = min(columns), max(columns)
    levels = [round((value - low) / ((high - low) or 1.0) * (height * 8 - 1)) + 1 for value in columns]
    return ["".join(_BLOCKS[min(max(level - 8 * row, 0), 8)] for level in levels) for row in reversed(range(height))]


def percent(fraction: float | None) -> str:
    return UNDEFINED if fraction is None else f"{fraction:+.2%}"


def _points(curve: Sequence[float], low: float, high: float) -> str:
    step, span = (_WIDTH - _LEFT) / max(len(curve) - 1, 1), (high - low) or 1.0
    return " ".join(
        f"{_LEFT + step * place:.1f},{_TOP + (high - value) / span * _HEIGHT:.1f}" for place, value in enumerate(curve)
    )


def _words(across: float, down: float, text: str, colour: str = _GREY, anchor: str = "start") -> str:
    return f'<text x="{across}" y="{down}" fill="{colour}" text-anchor="{anchor}">{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
