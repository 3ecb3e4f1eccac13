"""What a terminal shows: tables, curves, progress, and times as people in Korea read them.

What lives here: drawing for people. What stays out: JSON (`cli`) and figures.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from coinhts_core.backtests.report import percent, text_curve
from coinhts_core.masking import hidden

if TYPE_CHECKING:
    # whose imports a sentence on the screen need not wait for
    from coinhts_core.inventory import Hole
    from coinhts_pipeline.backfill import Plan
    from coinhts_pipeline.demo import Outcome

KST = timezone(timedelta(hours=9), "KST")
_WORDS = Console(stderr=False, highlight=False)
_NOTES = Console(stderr=True, highlight=False)


def say(text: str = "") -> None:
    _WORDS.print(text)


def note(text: str) -> None:
    """For people, beside a document on stdout."""
    _NOTES.print(plain(text), style="dim")


def complain(sentence: str) -> None:
    _NOTES.print(f"[red]error:[/red] {plain(sentence)}", soft_wrap=True)


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC ({at.astimezone(KST):%H:%M} KST)"


@contextmanager
def progress(title: str, total: int) -> Iterator[Any]:
    """A bar with an estimate, on a terminal; a callable that counts one step and names it."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_NOTES,
        disable=not sys.stderr.isatty() or not total,
    )
    with bar:
        task = bar.add_task(title, total=total)
        yield lambda step: bar.update(task, advance=1, description=plain(f"{title}: {step}"))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: int | None = None) -> None:
    """The first `words` columns hold words and stand to the left, the others numbers; all words when not said."""
    shown = Table(header_style="bold", box=None, pad_edge=False, show_header=any(columns))
    for place, column in enumerate(columns):
        is_number = words is not None and place >= words
        shown.add_column(
            column, justify="right" if is_number else "left", no_wrap=is_number or (place == 0 and not words)
        )
    for row in rows:
        shown.add_row(*map(plain, row))
    _WORDS.print(shown)


def demo(outcome: "Outcome") -> None:
    """What came of it, and where to look next."""
    say(f"\n[bold]{outcome.days.first} to {outcome.days.last}[/bold]: {outcome.candles:,} minute candles")
    did = (
        f"{outcome.partitions} symbol-days in {outcome.runs} runs" if outcome.runs else "every day was current already"
    )
    say(f"{did}\n")
    figures(outcome.figures)
    say()
    best = outcome.figures[0] if outcome.figures else None
    if best:
        name = f"{best['strategy']} {best['symbol']}"
        curve(name, outcome.curves[name])
    say("\nnext:")
    table(
        ["", ""],
        [
            ["  make up", "the UI on http://127.0.0.1:3000: lineage, schedules, equity curves"],
            ["  .venv/bin/coinhts backfill", "every day from the start to yesterday"],
            ["  .venv/bin/coinhts strategy show sma_cross", "its rule and its knobs"],
        ],
    )


def plan(planned: "Plan") -> None:
    """Runs, and what each covers."""
    count = len(planned.blocks)
    say(f"{planned.partitions} symbol-days in {count} {'run' if count == 1 else 'runs'}")
    table(["symbols", "first", "last"], [[", ".join(of.symbols), str(of.first), str(of.last)] for of in planned.blocks])


def holes(found: "Sequence[Hole]") -> None:
    """Each hole: where it begins and ends, and why it is there."""
    rows = [[of.symbol, _when(of.first), _when(of.last), of.state, of.reason] for of in found]
    table(["symbol", "first", "last", "state", "reason"], rows)


def _when(place: date) -> str:
    return moment(place) if isinstance(place, datetime) else str(place)


def figures(rows: Sequence[Mapping[str, Any]]) -> None:
    """Strategy x coin: what it made, how deep it fell, how often it traded, and what holding would have made."""
    table(
        ["strategy", "coin", "return", "drawdown", "trades", "win rate", "buy & hold"],
        [
            [
                row["strategy"],
                row["symbol"],
                percent(row["total_return"]),
                percent(row["max_drawdown"]),
                str(row["trades"]),
                percent(row["win_rate"]).lstrip("+"),
                percent(row["buy_and_hold"]),
            ]
            for row in rows
        ],
        words=2,
    )


def curve(name: str, values: Sequence[float]) -> None:
    lines = text_curve(values)
    if not lines:
        return
    say(f"[bold]{plain(name)}[/bold]  {percent(values[-1] / values[0] - 1)}")
    low, high = min(values), max(values)
    for place, line in enumerate(lines):
        label = f"{high:,.0f}" if place == 0 else f"{low:,.0f}" if place == len(lines) - 1 else ""
        say(f"{label:>14} [cyan]{line}[/cyan]")


def plain(text: str) -> str:
    """Words that others wrote: no markup, and no secret that a narrow column would hide from the mask."""
    return hidden(text).replace("[", "\\[")
