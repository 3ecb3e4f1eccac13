"""A sweep as pages: its combinations, the best first, and a figure over two of its knobs.

What lives here: `sweep_page` and `heatmap_page`. What stays out: which rows are the best, and what a cell holds
(`coinhts_core.results.swept`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.overfitting import luck_among
from coinhts_core.backtests.report import UNDEFINED
from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.backtests.tearsheet.words import figure, knob
from coinhts_core.results.kept import Kept
from coinhts_core.results.swept import Heatmap, figures_of, ordered, rows_of, varied
from coinhts_pipeline.front.pages.looks import (
    ROOT,
    Column,
    address,
    choice,
    days,
    facts,
    form,
    framed,
    link,
    moment,
    note,
    page,
    table,
)
from coinhts_pipeline.front.pages.results import HERE, pager, place_of

AT_ONCE = 50
SHADES = 6
_PAIR = 2
_SHORT = 12
_SHOWN = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")


@dataclass(frozen=True)
class Swept:
    """A sweep, the figure that counts, and from which of its rows on."""

    kept: Kept
    document: Mapping[str, Any]
    by: str
    offset: int

    @property
    def place(self) -> str:
        return place_of(self.kept.id)


def sweep_page(of: Swept) -> str:
    tried = rows_of(of.document)
    rows = ordered(of.document, of.by)
    luck = luck_among([row.get("sharpe") for row in tried])
    further = pager(
        of.place, {"by": of.by}, of.offset, AT_ONCE, "combinations", has_more=len(rows) > of.offset + AT_ONCE
    )
    title = f"Sweep of {of.kept.strategy} on {', '.join(of.kept.symbols)}"
    told = facts({**told_of(of.kept), "Combinations": f"{len(tried):,}"})
    return page(title, told, tag("p", luck), _way_to_map(of), _table(of, rows), further, here=HERE, is_below=True)


def told_of(kept: Kept) -> dict[str, str]:
    """What every table of results says of itself."""
    return {
        "Days": joined(days(kept.first_day, kept.last_day), f", {kept.days:,} days"),
        "Bars": kept.timeframe,
        "Kept": moment(kept.kept_at),
        "Result": kept.id[:_SHORT],
    }


def heatmap_page(of: Kept, document: Mapping[str, Any], drawn: Heatmap) -> str:
    knobs = varied(document)
    chosen = form(
        choice("x", "To the right", knobs, drawn.across),
        choice("y", "Downwards", knobs, drawn.down),
        choice("by", "Figure", {name: label(name) for name in figures_of(document)}, drawn.by),
        deed="Draw",
        to=f"{ROOT}heatmap/{of.id}",
    )
    told = note("A cell is the middle of all combinations that share both values; the stronger its colour, the higher.")
    back = tag("p", link("All combinations", place_of(of.id)))
    title = f"Heat map of {of.strategy} on {', '.join(of.symbols)}"
    return page(title, chosen, told, _map(drawn), back, here=HERE, is_below=True)


def label(name: str) -> str:
    return FIGURES[name].label if name in FIGURES else name


def _way_to_map(of: Swept) -> Markup:
    if len(varied(of.document)) < _PAIR:
        return note("One knob was varied at most, so there is no heat map of two.")
    return tag("p", link("Heat map", f"{ROOT}heatmap/{of.kept.id}", by=of.by))


def _table(of: Swept, rows: Sequence[Mapping[str, Any]]) -> Markup:
    knobs = [name for name in ("symbol", *of.document["grid"]) if name in rows[0]]
    known = figures_of(of.document)
    figures = [of.by, *(name for name in _SHOWN if name != of.by and name in known)]
    columns = [Column("No.", is_number=True), *map(Column, knobs), *(_figure_column(of, name) for name in figures)]
    shown = [
        [f"{number:,}", *(knob(row[name]) for name in knobs), *(figure(name, row[name]) for name in figures)]
        for number, row in enumerate(rows[of.offset : of.offset + AT_ONCE], start=of.offset + 1)
    ]
    return table("combinations", f"Combinations, the highest first by {label(of.by)}", columns, shown)


def _figure_column(of: Swept, name: str) -> Column:
    to = address(of.place, by=name)
    return Column(label(name), is_number=True, link=to, sorted="descending" if name == of.by else None)


def _map(of: Heatmap) -> Markup:
    corner = tag("td", f"{of.down} \\ {of.across}")
    head = tag("tr", corner, *(tag("th", knob(value), scope="col", class_="number") for value in of.columns))
    rows = [
        tag("tr", tag("th", knob(line), scope="row"), *(_cell(of, value) for value in row))
        for line, row in zip(of.rows, of.cells, strict=True)
    ]
    caption = f"{label(of.by)}, {of.across} to the right and {of.down} downwards"
    return framed("heatmap", caption, head, rows, class_="heat")


def _cell(of: Heatmap, value: float | None) -> Markup:
    if value is None:
        return tag("td", UNDEFINED, class_="number")
    shade = min(int(of.place(value) * SHADES), SHADES - 1)
    is_best = value == of.bounds[1]
    words = joined(figure(of.by, value), tag("small", "best")) if is_best else figure(of.by, value)
    return tag("td", words, class_=f"number heat-{shade}{' best' if is_best else ''}")
