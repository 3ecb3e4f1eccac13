"""make bench: limits of the machine, peers and us in turn, and goals beside what was measured.

    make bench                       all rows, about twelve minutes on an idle machine
    make bench ARGS="w1 w2"          some of them
    make bench ARGS=--rows           which there are

What lives here: the order of rows, the table, and what is kept. What to add: a row, in `engines` or `house`.
"""

import argparse
import os
import platform
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from coinhts_core.clock import now
from coinhts_core.settings import read_settings
from coinhts_pipeline.speed import WORDS, Bench, Figure, history, worse
from tests.benchmarks import engines, house
from tests.benchmarks.contestants import PINNED
from tests.benchmarks.limits import limits

ROWS = {**house.ROWS, **engines.ROWS}
_COLOURS = {
    "not measured": "red",
    "below the goal": "red",
    "ambition ahead": "yellow",
    "goal reached": "yellow",
    "ambition reached": "green",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("chosen", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rows", action="store_true", help="say which rows there are, and what each measures")
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    if unknown := [name for name in asked.chosen if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]}; choose from {', '.join(ROWS)}")
    if asked.rows:
        console.print("\n".join(f"{name:12} {row.__doc__}" for name, row in ROWS.items()), markup=False)
        return
    bench = _measured([name for name in ROWS if not asked.chosen or name in asked.chosen], console)
    folder = read_settings().benchmarks_folder
    file = bench.write(folder)
    _show(bench, console)
    for sentence in worse(history(folder)):
        console.print(f"lost a fifth: {sentence}", style="yellow", markup=False)
    console.print(f"kept in {file}; the asset ops/benchmarks shows it with what was measured before", markup=False)


def _measured(rows: list[str], console: Console) -> Bench:
    moment, figures = now(), []
    found = limits()
    for name in rows:
        began = time.monotonic()
        with console.status(f"{name}: {ROWS[name].__doc__}"):
            figures += _figures_of(name)
        console.print(f"{name}: {time.monotonic() - began:.0f} s", style="dim")
    return Bench(moment, _machine(), found, tuple(figures))


def _figures_of(name: str) -> list[Figure]:
    """A row that cannot be measured is no reason not to measure the others."""
    try:
        return list(ROWS[name](name))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told in the table
        return [Figure(name, ROWS[name].__doc__ or "", None, note=f"{type(error).__name__}: {error}")]


def _show(bench: Bench, console: Console) -> None:
    told = ", ".join(f"{name} {version}" for name, version in PINNED.items())
    table = Table(title=f"{bench.machine}; {told}", caption=_limits(bench))
    for place, word in enumerate(WORDS):
        table.add_column(word, justify="right" if place > 2 else "left")
    for figure in bench.worst_first():
        table.add_row(*figure.in_words(), style=_COLOURS.get(figure.state))
    console.print(table)


def _limits(bench: Bench) -> str:
    return "limits of the machine: " + "; ".join(f"{name} {value:g}" for name, value in bench.limits.items())


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
