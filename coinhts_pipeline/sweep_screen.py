"""A sweep on a terminal: how far it is, its best rows, and a map of a figure.

What lives here: a function a view. What stays out: tables as such (`screen`), and which rows are the best
(`coinhts_core.results.swept`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.overfitting import luck_among
from coinhts_core.backtests.report import UNDEFINED
from coinhts_core.backtests.tearsheet.words import figure, knob
from coinhts_core.results.swept import Heatmap, best, rows_of
from coinhts_pipeline import screen

_SHOWN = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")
_SHADES = " ░▒▓█"
_SHORT = 12


@contextmanager
def counted(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar over all combinations; told how many are done."""
    before = 0
    with screen.progress("combinations", total) as step:

        def progress(done: int, of: int) -> None:
            nonlocal before
            for _ in range(before, done):
                step(f"{done:,} of {of:,}")
            before = done

        yield progress


def show_best(of: Mapping[str, Any], by: str, count: int) -> None:
    """What was tried, the figure that counts, and those that most people look at."""
    tried = rows_of(of)
    chosen = best(of, by, count)
    screen.say(f"[bold]{screen.plain(of['strategy'])}[/bold], {len(tried):,} combinations, the best by {by}\n")
    knobs = [name for name in ("symbol", *of["grid"]) if name in tried[0]]
    figures = [by, *(name for name in _SHOWN if name != by)]
    rows = [[*(knob(row[name]) for name in knobs), *(_figure(name, row[name]) for name in figures)] for row in chosen]
    labels = [FIGURES[name].label if name in FIGURES else name for name in figures]
    screen.table([*knobs, *labels], rows, words=len(knobs))
    screen.say(f"\n[bold]{luck_among([row['sharpe'] for row in tried])}[/bold]")
    name = of["id"][:_SHORT]
    screen.say(f"\nsweep {name}; `coinhts sweep heatmap {name}` draws it, `coinhts sweep top {name} --by …` sorts it")


def show_heatmap(of: Heatmap) -> None:
    """The darker, the higher."""
    screen.say(f"[bold]{of.by}[/bold], {of.across} to the right, {of.down} downwards; the middle of what shares both\n")
    rows = [[knob(line), *(_shaded(of, value) for value in row)] for line, row in zip(of.rows, of.cells, strict=True)]
    screen.table([f"{of.down} \\ {of.across}", *map(knob, of.columns)], rows, words=1)


def _shaded(of: Heatmap, value: float | None) -> str:
    if value is None:
        return UNDEFINED
    return f"{_figure(of.by, value)} {_SHADES[round(of.place(value) * (len(_SHADES) - 1))]}"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return UNDEFINED
    return figure(name, value) if name in FIGURES else f"{value:,.4g}"
