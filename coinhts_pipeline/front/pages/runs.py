"""A single run as a page, where its tearsheet is not at hand.

What lives here: `run_page`. What stays out: tearsheets (`coinhts_core.backtests.tearsheet`), which show more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.overfitting import Badge
from coinhts_core.backtests.tearsheet.markup import Markup, tag
from coinhts_core.backtests.tearsheet.words import figure, knob
from coinhts_core.results.kept import Kept
from coinhts_pipeline.front.pages.looks import Column, code, facts, note, page, section, table
from coinhts_pipeline.front.pages.results import HERE
from coinhts_pipeline.front.pages.sweeps import told_of


def run_page(of: Kept, badge: Badge, warnings: Sequence[str]) -> str:
    """What was asked, its figures, and what a reader should not overlook."""
    told = {**told_of(of), **{name: knob(value) for name, value in _asked(of).items()}}
    listed = tag("ul", *(tag("li", warning) for warning in warnings)) if warnings else note("There are none.")
    again = note("Its tearsheet is not on this machine: ", code("coinhts backtest run"), " draws it anew.")
    return page(
        f"{of.strategy} on {', '.join(of.symbols)}",
        facts(told),
        tag("p", badge.sentence),
        again,
        section("Figures", _figures(of.metrics)),
        section("Warnings", listed),
        here=HERE,
        is_below=True,
    )


def _asked(of: Kept) -> Mapping[str, Any]:
    """But for what was left open."""
    told = {**(of.asked.get("params") or {}), **(of.asked.get("account") or {})}
    return {name: value for name, value in told.items() if value is not None}


def _figures(metrics: Mapping[str, Any]) -> Markup:
    columns = [Column("Figure"), Column("Meaning"), Column("Value", is_number=True)]
    rows = [(of.label, of.meaning, figure(name, metrics[name])) for name, of in FIGURES.items() if name in metrics]
    return table("figures", "All figures", columns, rows)
