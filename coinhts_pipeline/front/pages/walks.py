"""A walk-forward as a page: window by window, what was seen beside what came after.

What lives here: `walk_page`. What stays out: the walk itself (`coinhts_core.backtests.walked`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.overfitting import Badge
from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet.markup import joined, tag
from coinhts_core.backtests.tearsheet.words import figure, knob
from coinhts_core.results.kept import Kept
from coinhts_pipeline.front.pages.looks import Column, facts, page, section, table, whole
from coinhts_pipeline.front.pages.results import HERE
from coinhts_pipeline.front.pages.sweeps import told_of

_SHOWN = ("total_return", "benchmark_return", "annual_return", "max_drawdown", "sharpe", "trades", "win_rate")


def walk_page(kept: Kept, of: Mapping[str, Any], badge: Badge) -> str:
    """What was earned unseen, how far that may be trusted, and each window."""
    kind = "anchored" if of["anchored"] else "rolling"
    told = {
        **told_of(kept),
        "Windows": f"{of['windows']}, {kind}",
        "Combinations": f"{of['combinations']:,}, chosen by {of['chosen_by']}",
        "Efficiency": _ratio(of["efficiency"]),
        "Windows that earned unseen": f"{of['winning_windows']:.0%}",
    }
    warnings = [tag("li", warning) for warning in of["warnings"]]
    return page(
        f"Walk-forward of {kept.strategy} on {', '.join(kept.symbols)}",
        facts(told),
        tag("p", badge.sentence),
        section("Windows", _windows(of)),
        section("On unseen days", _figures(of["metrics"])),
        *([section("Warnings", tag("ul", *warnings))] if warnings else []),
        here=HERE,
        is_below=True,
    )


def _windows(of: Mapping[str, Any]) -> str:
    knobs = list(of["grid"])
    figures = ("Seen return", "Unseen return", "Efficiency", "Unseen trades")
    columns = [
        *map(Column, ("Window", "Coin", "Unseen days", *knobs)),
        *(Column(name, is_number=True) for name in figures),
    ]
    caption = "Seen, where the knobs were chosen, beside unseen, where they were tried"
    return table("windows", caption, columns, [_window(row, knobs) for row in of["rows"]])


def _window(row: Mapping[str, Any], knobs: Sequence[str]) -> list[str]:
    return [
        str(row["window"]),
        str(row["symbol"]),
        joined(whole(f"{str(row['unseen_first'])[:10]} to"), " ", whole(str(row["unseen_last"])[:10])),
        *(UNDEFINED if row[name] is None else knob(row[name]) for name in knobs),
        percent(row["seen_return"]),
        percent(row["unseen_return"]),
        _ratio(row["efficiency"]),
        figure("trades", row["unseen_trades"]),
    ]


def _figures(metrics: Mapping[str, Any]) -> str:
    columns = [Column("Figure"), Column("Value", is_number=True)]
    rows = [(FIGURES[name].label, figure(name, metrics[name])) for name in _SHOWN if name in metrics]
    return table("unseen", "What came of all choices, one after another", columns, rows)


def _ratio(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.2f}"
