"""A sweep on a terminal: how far it is, its best rows, and a map of a figure.

What lives here: a function a view. What stays out: tables as such (`screen`), and which rows are the best (`sweeps`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.overfitting import luck_among
from coinhts_core.backtests.report import UNDEFINED
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_pipeline import screen
from coinhts_pipeline.sweeps import Heatmap, best

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
    screen.say(f"[bold]{screen.plain(of['strategy'])}[/bold], {len(of['rows']):,} combinations, the best by {by}\n")
    knobs = [name for name in ("symbol", *of.get("grid", {})) if name in of["rows"][0]]
    figures = [by, *(name for name in _SHOWN if name != by)]
    rows = [
        [*(_value(row[name]) for name in knobs), *(_figure(name, row[name]) for name in figures)]
        for row in best(of, by, count)
    ]
    labels = [FIGURES[name].label if name in FIGURES else name for name in figures]
    screen.table([*knobs, *labels], rows, words=len(knobs))
    screen.say(f"\n[bold]{luck_among([row['sharpe'] for row in of['rows']])}[/bold]")
    name = of["id"][:_SHORT]
    screen.say(f"\nsweep {name}; `coinhts sweep heatmap {name}` draws it, `coinhts sweep top {name} --by …` sorts it")


def show_heatmap(of: Heatmap) -> None:
    """The darker, the higher."""
    found = [value for row in of.cells for value in row if value is not None]
    low, high = min(found, default=0.0), max(found, default=0.0)
    screen.say(f"[bold]{of.by}[/bold], {of.across} to the right, {of.down} downwards; the middle of what shares both\n")
    rows = [
        [_value(line), *(_shaded(of.by, value, low, high) for value in row)]
        for line, row in zip(of.rows, of.cells, strict=True)
    ]
    screen.table([f"{of.down} \\ {of.across}", *map(_value, of.columns)], rows, words=1)


def _shaded(by: str, value: float | None, low: float, high: float) -> str:
    if value is None:
        return UNDEFINED
    part = (value - low) / (high - low) if high > low else 0.0
    return f"{_figure(by, value)} {_SHADES[round(part * (len(_SHADES) - 1))]}"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return UNDEFINED
    return figure(name, value) if name in FIGURES else f"{value:,.4g}"


def _value(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
