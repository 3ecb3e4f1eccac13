"""A backtest's result on a terminal.

What lives here: `show`. What stays out: tables and curves as such (`screen`), and the page (`tearsheet`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_pipeline import screen

_UNDEFINED = " is undefined: "


def show(of: Mapping[str, Any], equity: Sequence[float] = ()) -> None:
    """What was run, its figures, the equity where it is at hand, and what a reader should not overlook."""
    symbols = ", ".join(one["symbol"] or "candles" for one in of["symbols"])
    bars = sum(one["candles"] for one in of["symbols"])
    screen.say(f"[bold]{screen.plain(of['strategy'])}[/bold] on {symbols}, {bars:,} bars of {of['timeframe']}\n")
    told = of["portfolio"] or of["symbols"][0]
    for title, facts in (("study", told), ("account", told.get("account"))) if of["mode"] == "study" else (("", told),):
        screen.table([title, ""], list(_rows(facts["metrics"])), words=1)
        screen.say()
    if equity:
        screen.curve("equity at day ends", equity)
        screen.say()
    missing = [warning.partition(_UNDEFINED)[0] for warning in of["warnings"] if _UNDEFINED in warning]
    if missing:
        screen.say(f"undefined here: {', '.join(missing)} (--json says why)")
    for warning in of["warnings"]:
        if _UNDEFINED not in warning:
            screen.say(warning)
    name = of["id"][:12]
    screen.say(f"\nresult {name}; `coinhts backtest report {name}` is its page")


def _rows(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The figures that are defined, coin_hts' own in its own units."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from ((f"{name} {of}", f"{number:.4g}") for of, number in value.items())
        elif value is not None and not isinstance(value, bool):
            yield FIGURES[name].label if name in FIGURES else name, figure(name, value)
