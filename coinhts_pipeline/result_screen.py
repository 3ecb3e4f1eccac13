"""Results on a terminal: one, a list of them, two side by side, and what may go.

What lives here: a function a view. What stays out: tables and curves as such (`screen`), and pages (`tearsheet`,
`comparison_page`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.overfitting import Badge
from coinhts_core.backtests.report import percent
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_core.results.comparison import Comparison
from coinhts_core.results.comparison_page import row_of
from coinhts_core.results.kept import Kept
from coinhts_core.results.retention import Verdict
from coinhts_pipeline import screen

_UNDEFINED = " is undefined: "
_SHORT = 12
_MOST_ROWS = 20


def show(of: Mapping[str, Any], equity: Sequence[float] = (), badge: Badge | None = None) -> None:
    """What was run, its figures, the equity where it is at hand, what a reader should not overlook, and its badge."""
    if "rows" in of:
        _table(of)
        return
    symbols = ", ".join(one["symbol"] or "candles" for one in of["symbols"])
    bars = sum(one["candles"] for one in of["symbols"])
    screen.say(f"[bold]{screen.plain(of['strategy'])}[/bold] on {symbols}, {bars:,} bars of {of['timeframe']}\n")
    told = of["portfolio"] or of["symbols"][0]
    for title, facts in (("study", told), ("account", told.get("account"))) if of["mode"] == "study" else (("", told),):
        screen.table([title, ""], list(_rows(facts["metrics"])), words=1)
        screen.say()
    if equity:
        screen.curve("equity", equity)
        screen.say()
    missing = [warning.partition(_UNDEFINED)[0] for warning in of["warnings"] if _UNDEFINED in warning]
    if missing:
        screen.say(f"undefined here: {', '.join(missing)} (--json says why)")
    for warning in of["warnings"]:
        if _UNDEFINED not in warning:
            screen.say(warning)
    if badge:
        screen.say(f"[bold]{screen.plain(badge.sentence)}[/bold]")
    name = of["id"][:12]
    screen.say(f"\nresult {name}; `coinhts backtest report {name}` is its page")


def _table(of: Mapping[str, Any]) -> None:
    """Of a sweep or a walk-forward: its first rows."""
    rows = of["rows"][:_MOST_ROWS]
    screen.say(f"[bold]{of['kind']}[/bold], {len(of['rows']):,} rows\n")
    if rows:
        screen.table(list(rows[0]), [[_cell(name, value) for name, value in row.items()] for row in rows])
    if len(of["rows"]) > len(rows):
        screen.say(f"… and {len(of['rows']) - len(rows):,} more (--json shows all)")


def _cell(name: str, value: Any) -> str:
    return figure(name, value) if name in FIGURES else "" if value is None else str(value)


def listing(found: Sequence[Kept]) -> None:
    """A line a result."""
    if not found:
        screen.say("no such result is kept; `coinhts backtest run` keeps what it comes to")
        return
    columns = ["result", "kept", "return", "drawdown", "trades", "id"]
    screen.table(columns, [_line(of) for of in found], words=2)


def comparison(of: Comparison) -> None:
    """The sentence, what differs, the figures that do, and both curves."""
    first, second = of.first.id[:_SHORT], of.second.id[:_SHORT]
    screen.say(f"[bold]{first}[/bold] against [bold]{second}[/bold]: {screen.plain(of.verdict)}\n")
    if of.causes:
        screen.table(["", "how"], [[cause.name, cause.how] for cause in of.causes])
        screen.say()
    changed = [row_of(figure) for figure in of.figures if figure.first != figure.second]
    if changed:
        screen.table(["", first, second, "change"], changed, words=1)
        screen.say()
    for name, curve in of.curves.items():
        screen.curve(f"{name}, of 100 at first, {of.days[0]} to {of.days[1]}", curve)


def retention(verdicts: Sequence[Verdict], gone: Sequence[str]) -> None:
    """What may go and why, how many stay, and what is gone now."""
    going = [verdict for verdict in verdicts if verdict.goes]
    if going:
        rows = [[of.answer.id[:_SHORT], of.answer.strategy, of.why] for of in going]
        screen.table(["may go", "strategy", "since"], rows)
    staying = len(verdicts) - len(going)
    screen.say(f"{len(going)} may go, {staying} stay" + (f", {len(gone)} are removed" if gone else ""))
    if going and not gone:
        screen.say("nothing was removed; --yes removes them, `coinhts backtest pin ID` keeps one for ever")


def _line(of: Kept) -> list[str]:
    kind = "" if of.kind == "backtest" else f"{of.kind} of "
    coins, days = ", ".join(of.symbols), f"{of.first_day} to {of.last_day}"
    return [
        f"{kind}{of.strategy} on {coins}, {of.timeframe}, {days}" + (", pinned" if of.is_pinned else ""),
        screen.moment(of.kept_at),
        percent(of.total_return),
        figure("max_drawdown", of.max_drawdown),
        figure("trades", of.trades),
        of.id[:_SHORT],
    ]


def _rows(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The figures that are defined, coin_hts' own in its own units."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from ((f"{name} {of}", f"{number:.4g}") for of, number in value.items())
        elif value is not None and not isinstance(value, bool):
            yield FIGURES[name].label if name in FIGURES else name, figure(name, value)
