"""How a strategy has done: figures per symbol over its unbroken, current chain.

What lives here: `Standing` (one strategy, one symbol) and its figures over a window of days. What stays out:
the figures' definitions (`backtests.metrics`) and the chain (`rehearsal`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from coinhts_core.backtests.benchmarks import Coin, buy_and_hold
from coinhts_core.backtests.chain import BACKTESTS
from coinhts_core.backtests.figures import FIGURES, measure
from coinhts_core.backtests.report import percent
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.backtests.undefined import Floats
from coinhts_core.candles.bars import Bars
from coinhts_core.candles.registry import Registered
from coinhts_core.frames import Column, Schema
from coinhts_core.lake.lake import Lake
from coinhts_core.lineup import Entry
from coinhts_core.positions import Position
from coinhts_core.rehearsal import Rehearsal

_SHOWN = (
    "total_return", "annual_return", "max_drawdown", "volatility", "sharpe", "sortino", "win_rate", "profit_factor",
)  # fmt: skip
_MOMENT = pl.Datetime("us", "UTC")
_TRADE: dict[str, Any] = {
    "opened_at": _MOMENT,
    "closed_at": _MOMENT,
    **dict.fromkeys(("entry_price", "exit_price", "quantity", "fees_krw", "profit_krw", "return"), pl.Float64),
    "reason": pl.String,
}
_EPOCH, _DAY, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=1), timedelta(microseconds=1)
_READ = ("day", "equity_open_krw", "equity_close_krw", "equity_optimistic_krw", "fills", "held")
_EQUITY = ("backtests.equity_open_krw", "backtests.equity_close_krw")
_TRADES = ("backtests.fills", "backtests.held")
_MADE_OF = dict.fromkeys(_SHOWN, _EQUITY) | dict.fromkeys(("win_rate", "profit_factor"), _TRADES)
_DAYS = ("backtests.opened_at",)
PERFORMANCE = Schema(
    "performance",
    1,
    (
        Column("strategy", "text", meaning="its name in the lineup"),
        Column("symbol", "text", meaning="Upbit's code"),
        Column("is_active", "bool", meaning="whether the settings still name the symbol"),
        Column("first_day", "text", nullable=True, meaning="of the window", made_of=_DAYS),
        Column("last_day", "text", nullable=True, meaning="of the window", made_of=_DAYS),
        Column("days", "int", meaning="in the window, all of them current", made_of=_DAYS),
        Column("trades", "int", meaning="closed in the window", made_of=_TRADES),
        *(
            Column(name, "float", nullable=True, meaning=FIGURES[name].meaning, made_of=_MADE_OF[name])
            for name in _SHOWN
        ),
        Column(
            "buy_and_hold",
            "float",
            nullable=True,
            meaning="what holding the coin returned, its entry fee paid",
            made_of=("candles.opened_at", "candles.open", "candles.close"),
        ),
    ),
)
LEADERBOARD = PERFORMANCE.handed_on  # over the window that all have


@dataclass(frozen=True)
class Standing:
    """One strategy over one symbol: its current days, and the days that lag behind."""

    strategy: str
    registered: Registered
    days: tuple[date, ...]
    rows: pl.DataFrame
    lagging: tuple[date, ...]
    head: str
    bars: Bars
    first_bar: int

    def equity(self, first: date, last: date) -> list[float]:
        """Equity at the beginning of `first` and at the end of each day to `last`."""
        rows = self.rows_between(first, last)
        return [rows["equity_open_krw"][0], *rows["equity_close_krw"]] if rows.height else []

    def trades(self, first: date, last: date) -> pl.DataFrame:
        """A row for each trade that was closed in the window."""
        rows = self.rows_between(first, last)
        reasons = {fill["position"]: fill["reason"] for text in rows["fills"] for fill in json.loads(text)}
        held = (Position.from_facts(facts) for text in rows["held"] for facts in json.loads(text))
        closed = [_trade(position, reasons[position.number]) for position in held if not position.is_open]
        return pl.DataFrame(closed, schema=_TRADE)

    def held(self, days: Sequence[date], cash: float, fee_rate: float) -> Floats:
        """What the cash would be worth in the coin, bought when the strategy could first have bought it."""
        ends = np.array([(datetime.combine(day, time(), UTC) - _EPOCH + _DAY) // _MICROSECOND for day in days])
        first_bar = max(self.first_bar, self.bars.rows_of(days[0]).start)
        return buy_and_hold(cash, Coin.from_bars(self.bars, first_bar, ends), fee_rate)

    def figures(self, first: date, last: date, fee_rate: float) -> dict[str, Any]:
        days = [day for day in self.days if first <= day <= last]
        trades = self.trades(first, last)
        measured = measure(np.array(self.equity(first, last)), RoundTrips.from_frame(trades)).values
        held = self.held(days, 1.0, fee_rate) if days else None
        return {
            "strategy": self.strategy,
            "symbol": str(self.registered.symbol),
            "is_active": self.registered.is_active,
            "first_day": str(days[0]) if days else None,
            "last_day": str(days[-1]) if days else None,
            "days": len(days),
            "trades": trades.height,
            **{name: measured[name] for name in _SHOWN},
            "buy_and_hold": None if held is None else float(held[-1] - 1.0),
        }

    def rows_between(self, first: date, last: date) -> pl.DataFrame:
        return self.rows.filter(pl.col("day").is_between(first, last))


def _trade(position: Position, reason: str) -> dict[str, Any]:
    profit = position.profit_krw(0.0)
    return {
        "opened_at": datetime.fromisoformat(position.opened_at),
        "closed_at": datetime.fromisoformat(position.closed_at or ""),
        "entry_price": position.entry_price_krw,
        "exit_price": position.exit_price_krw,
        "quantity": position.volume_base,
        "fees_krw": position.entry_fee_krw + (position.exit_fee_krw or 0.0),
        "profit_krw": profit,
        "return": profit / (position.entry_price_krw * position.volume_base + position.entry_fee_krw),
        "reason": reason,
    }


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
    days = tuple(current)
    return Standing(entry.name, registered, days, rows, lagging, head, rehearsal.bars, rehearsal.first_to_buy)


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


_FLOATS = dict.fromkeys((*_SHOWN, "buy_and_hold"), pl.Float64)


def _span(of: Standing) -> tuple[date, date]:
    return (of.days[0], of.days[-1]) if of.days else (of.registered.anchor, of.registered.anchor)


def _rows(lake: Lake, entry: Entry, registered: Registered, days: Sequence[date]) -> pl.DataFrame:
    """The stored rows of days that are known to be stored."""
    if not days:
        return BACKTESTS.empty().with_columns(day=pl.lit(None, dtype=pl.Date))
    return lake.read(f"backtests/{entry.name}", registered.symbol, days[0], days[-1], _READ)
