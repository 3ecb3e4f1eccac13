"""A comparison as a page: one self-contained HTML file that asks nobody for anything.

What lives here: `page_of`, and `parts_of` for a page that is more than a file. What stays out: what is compared
(`comparison`), and how pages look (`tearsheet`).
"""

import numpy as np

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.report import percent
from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.backtests.tearsheet.plots import WIDTH, Scale, Tick, drawing, line, nothing
from coinhts_core.backtests.tearsheet.shell import shell
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_core.results.comparison import Compared, Comparison

_SHORT = 12
_LINES = ("main", "benchmark-1")  # one drawn through, one in dashes


def page_of(of: Comparison) -> str:
    title = title_of(of)
    return shell(title, tag("header", tag("h1", title), tag("p", of.verdict)), tag("main", parts_of(of)))


def title_of(of: Comparison) -> str:
    return f"{of.first.id[:_SHORT]} against {of.second.id[:_SHORT]}"


def parts_of(of: Comparison) -> Markup:
    """What may have made the difference, both curves, and all figures."""
    parts = {"Causes": _causes(of), "Equity": _curves(of), "Figures": _table(of)}
    return joined(*(tag("section", tag("h2", title), part) for title, part in parts.items()))


def _causes(of: Comparison) -> Markup:
    told = [tag("li", f"{cause.name}: {cause.how}") for cause in of.causes]
    return tag("ul", *told) if told else tag("p", "What was asked, the candles and the code are the same.")


def _curves(of: Comparison) -> Markup:
    if not of.curves:
        return nothing("equity", "Equity of both", "There is no equity to draw.")
    caption = f"Equity of both, of 100 at first, {' to '.join(of.days)}"
    curves = {name: np.array(curve) for name, curve in of.curves.items()}
    scale = Scale.of(*curves.values())
    legend = {
        kind: f"{name} {percent(float(curve[-1] / curve[0] - 1.0))}"
        for kind, (name, curve) in zip(_LINES, curves.items(), strict=False)
    }
    shapes = [
        tag("path", class_=f"line {kind}", d=line(np.linspace(0.0, WIDTH, len(curve)), scale.heights(curve)))
        for kind, curve in zip(_LINES, curves.values(), strict=False)
    ]
    return drawing(
        "equity",
        f"From {of.days[0]} to {of.days[1]}: {'; '.join(legend.values())}",
        shapes,
        across=[Tick(0.0, of.days[0]), Tick(1.0, of.days[1])],
        down=scale.amounts(),
        caption=caption,
        legend=legend,
    )


def _table(of: Comparison) -> Markup:
    names = (of.first.id[:_SHORT], of.second.id[:_SHORT], "change")
    head = tag(
        "tr", tag("th", "Figure", scope="col"), *(tag("th", name, scope="col", class_="number") for name in names)
    )
    caption = tag("caption", "The second less the first is the change", id="figures-caption")
    table = tag("table", caption, tag("thead", head), tag("tbody", *map(_row, of.figures)))
    return tag("div", table, class_="scrolling", role="region", tabindex=0, aria_labelledby="figures-caption")


def _row(of: Compared) -> Markup:
    label, *values = row_of(of)
    return tag("tr", tag("th", label, scope="row"), *(tag("td", value, class_="number") for value in values))


def row_of(of: Compared) -> list[str]:
    """A figure's label, both values in its unit, and the change."""
    return [FIGURES[of.name].label, *(figure(of.name, value) for value in (of.first, of.second, of.change))]
