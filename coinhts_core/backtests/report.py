"""A result as people see it: curves as SVG for pages and as characters for terminals, numbers with units.

What lives here: pure drawing. What stays out: which figures there are (`metrics`).
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import count, cycle

_WIDTH, _HEIGHT, _MARGIN = 640, 220, 8
_COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#64748b")
_BLOCKS = " ▁▂▃▄▅▆▇█"
_UNDEFINED = "\N{EN DASH}"


def svg_curves(curves: Mapping[str, Sequence[float]], title: str) -> str:
    """Curves over the same days, each with its name at its end, as one small self-contained image."""
    values = [value for curve in curves.values() for value in curve]
    if not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    lines = [
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{_points(curve, low, span)}"/>'
        f'<text x="{_MARGIN}" y="{30 + 14 * row}" fill="{colour}">'
        f"{_escaped(name)} {percent(curve[-1] / curve[0] - 1.0)}</text>"
        for row, (name, curve), colour in zip(count(), curves.items(), cycle(_COLOURS), strict=False)
        if curve
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><text x="{_MARGIN}" y="14" fill="#888">{_escaped(title)}</text>'
        f"{''.join(lines)}</svg>"
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
    return _UNDEFINED if fraction is None else f"{fraction:+.2%}"


def _points(curve: Sequence[float], low: float, span: float) -> str:
    inner, tall = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    step = inner / max(len(curve) - 1, 1)
    return " ".join(
        f"{_MARGIN + step * place:.1f},{_HEIGHT - _MARGIN - (value - low) / span * tall:.1f}"
        for place, value in enumerate(curve)
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
