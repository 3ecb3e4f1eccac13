"""Plots: a small curve among an asset's facts, seen without a click.

What lives here: drawing one curve, with marks for what was decided along it. What to add: nothing an asset could say
for itself. What stays out: curves of several strategies (`coinhts_core.backtests.report`) and tearsheets.

The UI shows Markdown at once while it is shorter than a thousand characters, so a curve has few points.
"""

from collections.abc import Sequence
from itertools import pairwise

import dagster as dg

from coinhts_core.backtests.report import as_image

_POINTS = 32
_WIDTH, _HEIGHT, _MARGIN = 240, 60, 8
_UP, _DOWN = "m-4 8h8l-4-7z", "m-4-8h8l-4 7z"
_MOST_MARKS = 8


def plot(values: Sequence[float], title: str, sides: Sequence[int] = ()) -> dict[str, dg.MarkdownMetadataValue]:
    """The curve under the name `plot`, nothing of less than two values; `sides` are decisions, up and down.

    Of a long curve the last value of each stretch is drawn, of many decisions the last few, each where it was made.
    """
    if len(values) < 2:  # noqa: PLR2004 - one point is no curve
        return {}
    low, high = min(values), max(values)
    step, span = _WIDTH / (len(values) - 1), (high - low) or 1.0

    def place(of: int) -> str:
        return f"{round(of * step)} {round(_MARGIN + (high - values[of]) / span * (_HEIGHT - 2 * _MARGIN))}"

    line = f'<path d="M{"L".join(map(place, _thinned(len(values))))}" fill="none" stroke="#2563eb"/>'
    decided = [(of, side) for of, side in enumerate(sides) if side]
    marked = decided[-_MOST_MARKS:]
    marks = "".join(f"M{place(of)}{_UP if side > 0 else _DOWN}" for of, side in marked)
    drawn = line + (f'<path d="{marks}" fill="#d97706"/>' if marks else "")
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}">{drawn}</svg>'
    left_out = f"; the last {len(marked)} of {len(decided)} decisions" if len(marked) < len(decided) else ""
    told = f"{low:,.12g} to {high:,.12g}{left_out}"
    return {"plot": dg.MetadataValue.md(f"{as_image(svg, title)}\n\n{title}\n\n{told}")}


def _thinned(count: int) -> list[int]:
    """The first place and the last of each stretch of equal length."""
    ends = [round(part * (count - 1) / _POINTS) for part in range(_POINTS + 1)]
    return [ends[0], *(after for before, after in pairwise(ends) if after > before)]
