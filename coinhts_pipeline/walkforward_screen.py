"""A walk-forward on a terminal: how far it is, its windows, how steady its choices were, and what became of them.

What lives here: `counted` and `show`. What stays out: tables and curves as such (`screen`), and the work
(`walkforwards`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.overfitting import Badge
from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_pipeline import screen

_SHOWN = ("total_return", "benchmark_return", "annual_return", "max_drawdown", "sharpe", "trades", "win_rate")
_SHORT = 12


@contextmanager
def counted(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar over all windows of all coins; told how many are done."""
    with screen.progress("windows", total) as step:
        yield lambda done, of: step(f"{done} of {of}")


def show(of: Mapping[str, Any], equity: Sequence[float], badge: Badge) -> None:
    """Seen beside unseen, window by window; what was earned unseen; and how far that may be trusted."""
    kind = "anchored" if of["anchored"] else "rolling"
    screen.say(
        f"[bold]{screen.plain(of['strategy'])}[/bold] on {', '.join(of['symbols'])}: {of['windows']} {kind} windows, "
        f"the best of {of['combinations']:,} combinations by {of['chosen_by']}\n"
    )
    knobs = list(of["grid"])
    coins = ["symbol"] if len(of["symbols"]) > 1 else []
    columns = ["", *coins, "unseen from", *knobs, "seen", "unseen", "efficiency", "trades"]
    screen.table(columns, [_row(row, coins, knobs) for row in of["rows"]], words=0)
    screen.say()
    for steady in of["steadiness"]:
        screen.say(_steady(steady))
    efficiency = UNDEFINED if of["efficiency"] is None else f"{of['efficiency']:.2f}"
    won = f"{of['winning_windows']:.0%} of the windows earned something unseen"
    screen.say(
        f"efficiency {efficiency}: what a day brought unseen, over what it had brought where it was chosen; {won}"
    )
    screen.say()
    metrics = of["metrics"]
    screen.table(["unseen days", ""], [(FIGURES[name].label, figure(name, metrics[name])) for name in _SHOWN], words=1)
    if equity:
        screen.say()
        screen.curve("equity of the unseen days", [of["account"]["cash"], *equity])
    screen.say()
    for warning in of["warnings"]:
        screen.say(screen.plain(warning))
    screen.say(f"[bold]{screen.plain(badge.sentence)}[/bold]")
    screen.say(f"\nwalk-forward {of['id'][:_SHORT]}; `coinhts walkforward show {of['id'][:_SHORT]}` shows it again")


def _row(row: Mapping[str, Any], coins: Sequence[str], knobs: Sequence[str]) -> list[str]:
    efficiency = UNDEFINED if row["efficiency"] is None else f"{row['efficiency']:.2f}"
    return [
        str(row["window"]),
        *(row[name] for name in coins),
        str(row["unseen_first"])[:10],
        *(UNDEFINED if row[name] is None else str(row[name]) for name in knobs),
        percent(row["seen_return"]),
        percent(row["unseen_return"]),
        efficiency,
        str(row["unseen_trades"]),
    ]


def _steady(of: Mapping[str, Any]) -> str:
    if not of["chosen"]:
        return f"{of['knob']}: never chosen"
    moved = "" if of["moved"] is None else f", a step of {of['moved']:.0%} of its values from window to window"
    return f"{screen.plain(of['knob'])}: {of['most_common']} in {of['share']:.0%} of the windows{moved}"
