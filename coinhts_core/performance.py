"""How a strategy has done: figures per symbol over its unbroken, current chain.

What lives here: `Standing` (one strategy, one symbol) and its figures over a window of days. What stays out:
the figures' definitions (`backtests.metrics`) and the chain (`rehearsal`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from coinhts_core.backtests.chain import BACKTESTS
from coinhts_core.backtests.metrics import summary
from coinhts_core.backtests.report import percent
from coinhts_core.candles.bars import Bars
from coinhts_core.candles.registry import Registered
from coinhts_core.frames import Column, Schema
from coinhts_core.lake.lake import Lake
from coinhts_core.lineup import Entry
from coinhts_core.positions import Position
from coinhts_core.rehearsal import Rehearsal

_FIGURES = {
    "total_return": "of the equity over all days, a fraction",
    "annual_return": "compounded to a year of 365 days; from 90 days on",
    "max_drawdown": "deepest fall below an earlier peak, at day ends",
    "volatility": "of daily returns, a year",
    "sharpe": "of daily returns, a year, against 0",
    "sortino": "of daily returns, a year, against 0",
    "win_rate": "share of closed trades that earned something after fees",
    "profit_factor": "won over lost, closed trades after fees",
    "buy_and_hold": "what holding the coin returned, its entry fee paid",
}
_READ = ("day", "equity_open_krw", "equity_close_krw", "equity_optimistic_krw", "fills", "held")
PERFORMANCE = Schema(
    "performance",
    1,
    (
        Column("strategy", "text", meaning="its name in the lineup"),
        Column("symbol", "text", meaning="Upbit's code"),
        Column("is_active", "bool", meaning="whether the settings still name the symbol"),
        Column("first_day", "text", nullable=True, meaning="of the window"),
        Column("last_day", "text", nullable=True, meaning="of the window"),
        Column("days", "int", meaning="in the window, all of them current"),
        Column("trades", "int", meaning="closed in the window"),
        *(Column(figure, "float", nullable=True, meaning=meaning) for figure, meaning in _FIGURES.items()),
    ),
)


@dataclass(frozen=True)
class Standing:
    """One strategy over one symbol: its current days, and the days that lag behind."""

    strategy: str
    registered: Registered
    days: tuple[date, ...]
    rows: pl.DataFrame
    lagging: tuple[date, ...]
    head: str
    prices: Mapping[date, tuple[float, float]]
    bars: Bars

    def equity(self, first: date, last: date) -> list[float]:
        """Equity at the beginning of `first` and at the end of each day to `last`."""
        rows = self.rows.filter(pl.col("day").is_between(first, last))
        return [rows["equity_open_krw"][0], *rows["equity_close_krw"]] if rows.height else []

    def figures(self, first: date, last: date, fee_rate: float) -> dict[str, Any]:
        days = [day for day in self.days if first <= day <= last]
        equity = np.array(self.equity(first, last))
        profits = self._profits(first, last)
        return {
            "strategy": self.strategy,
            "symbol": str(self.registered.symbol),
            "is_active": self.registered.is_active,
            "first_day": str(days[0]) if days else None,
            "last_day": str(days[-1]) if days else None,
            "days": len(days),
            "trades": len(profits),
            **summary(equity, profits),
            "buy_and_hold": self._buy_and_hold(days, fee_rate),
        }

    def _profits(self, first: date, last: date) -> list[float]:
        """Profits of the trades that were closed in the window."""
        rows = self.rows.filter(pl.col("day").is_between(first, last))
        held = (Position.from_facts(facts) for row in rows["held"] for facts in json.loads(row))
        return [position.profit_krw(0.0) for position in held if not position.is_open]

    def _buy_and_hold(self, days: Sequence[date], fee_rate: float) -> float | None:
        """Bought at the window's first open for a fee, held to its last close."""
        traded = [self.prices[day] for day in days if day in self.prices]
        return traded[-1][1] / traded[0][0] / (1.0 + fee_rate) - 1.0 if traded else None


def standing(lake: Lake, entry: Entry, registered: Registered) -> Standing:
    """From the anchor to the end of the unbroken current chain; stored days beyond it lag behind."""
    stored = lake.heads(f"backtests/{entry.name}", registered.symbol)
    listed = [day for day in stored if registered.is_listed_on(day)]
    rehearsal = Rehearsal(lake, entry, registered, max(listed, default=registered.anchor))
    links = rehearsal.links(listed)
    current: list[date] = []
    for day in rehearsal.days:
        if day not in stored or stored[day].data_version != links[day]:
            break
        current.append(day)
    rows = _rows(lake, entry, registered, current)
    head = links[current[-1]] if current else ""
    lagging = tuple(day for day in listed if day not in set(current))
    return Standing(entry.name, registered, tuple(current), rows, lagging, head, rehearsal.prices, rehearsal.bars)


def table(standings: Iterable[Standing], fee_rate: float, window: tuple[date, date] | None = None) -> pl.DataFrame:
    """One row a standing, over its own days or over one window for all."""
    rows = [of.figures(*(window or _span(of)), fee_rate) for of in standings]
    return PERFORMANCE.judge(pl.DataFrame(rows, schema_overrides=_FLOATS) if rows else PERFORMANCE.empty())


def in_words(rows: pl.DataFrame) -> pl.DataFrame:
    """The figures people look at first, as they are printed."""
    return pl.DataFrame(
        {
            "strategy": row["strategy"],
            "coin": row["symbol"],
            "to": row["last_day"],
            "days": str(row["days"]),
            "return": percent(row["total_return"]),
            "drawdown": percent(row["max_drawdown"]),
            "trades": str(row["trades"]),
            "win rate": percent(row["win_rate"]),
            "buy & hold": percent(row["buy_and_hold"]),
        }
        for row in rows.iter_rows(named=True)
    )


def common_window(standings: Iterable[Standing]) -> tuple[date, date] | None:
    """The days every standing has; none when they do not overlap."""
    spans = [_span(of) for of in standings if of.days]
    if not spans:
        return None
    first, last = max(first for first, _ in spans), min(last for _, last in spans)
    return (first, last) if first <= last else None


_FLOATS = dict.fromkeys(_FIGURES, pl.Float64)


def _span(of: Standing) -> tuple[date, date]:
    return (of.days[0], of.days[-1]) if of.days else (of.registered.anchor, of.registered.anchor)


def _rows(lake: Lake, entry: Entry, registered: Registered, days: Sequence[date]) -> pl.DataFrame:
    """The stored rows of days that are known to be stored."""
    if not days:
        return BACKTESTS.empty().with_columns(day=pl.lit(None, dtype=pl.Date))
    return lake.read(f"backtests/{entry.name}", registered.symbol, days[0], days[-1], _READ)
