"""Closed trades as columns, and the figures of them.

What lives here: `RoundTrips` and pure functions of its columns. What to add: a figure, and its line in `figures`. What
stays out: how a trade came about (`engine`, `study`), and figures of equity (`metrics`).

Profits are after the fees of both sides. A trade that breaks even is neither won nor lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from coinhts_core.backtests.undefined import Floats, Measured, Undefined, deviation, finite

MOST_FOR_SQN = 100  # trades that a capped system quality number counts
_NO_TRADE = Undefined("no trade was closed")


@dataclass(frozen=True, eq=False)
class RoundTrips:
    """A row a closed trade, in the order they were closed; `bars_held` may not be known."""

    profit_krw: Floats
    returns: Floats
    fees_krw: Floats
    bars_held: Floats | None = None

    @classmethod
    def from_frame(cls, trades: pl.DataFrame) -> Self:
        """Columns profit_krw, return, fees_krw, and bars_held where there is one."""
        held = trades["bars_held"] if "bars_held" in trades.columns else None
        profits, returns, fees = (_floats(trades[name]) for name in ("profit_krw", "return", "fees_krw"))
        return cls(profits, returns, fees, None if held is None else _floats(held))

    def __len__(self) -> int:
        return len(self.profit_krw)


def win_rate(profits: Sequence[float] | Floats) -> Measured:
    """The share of trades that earned something."""
    return float((np.asarray(profits) > 0.0).mean()) if len(profits) else _NO_TRADE


def profit_factor(profits: Sequence[float] | Floats) -> Measured:
    """Everything won over everything lost."""
    values = np.asarray(profits, dtype=np.float64)
    won, lost = added(values[values > 0.0]), added(values[values < 0.0])
    if lost:
        return finite(won / -lost)
    return Undefined("no trade lost") if len(profits) else _NO_TRADE


def expectancy(profits: Floats) -> Measured:
    return finite(profits.mean()) if len(profits) else _NO_TRADE


def expectancy_r(profits: Floats) -> Measured:
    """(1 + mean win / mean loss) x win rate - 1: what a trade earns for each KRW that a losing one loses.

    A trade that breaks even counts as lost here, as it does in the win rate.
    """
    won, lost = profits[profits > 0.0], profits[profits < 0.0]
    if not len(lost):
        return Undefined("no trade lost") if len(profits) else _NO_TRADE
    payoff = won.mean() / -lost.mean() if len(won) else 0.0
    return finite((1.0 + payoff) * len(won) / len(profits) - 1.0)


def system_quality(profits: Floats, most: int | None = None) -> Measured:
    """The root of the count x mean over deviation (SQN); counting at most some, so that many trades are no merit."""
    if not len(profits):
        return _NO_TRADE
    differing = deviation(profits, "profits")
    if isinstance(differing, Undefined):
        return differing
    return finite(np.sqrt(min(len(profits), most or len(profits))) * profits.mean() / differing)


def longest_loss_streak(profits: Floats) -> Measured:
    """Losing trades in a row; one that breaks even ends the row."""
    if not len(profits):
        return _NO_TRADE
    longest = streak = 0
    for profit in profits.tolist():
        streak = streak + 1 if profit < 0.0 else 0
        longest = max(longest, streak)
    return float(longest)


def average_bars_held(bars_held: Floats | None) -> Measured:
    if bars_held is None:
        return Undefined("how long trades were held was not recorded")
    return finite(bars_held.mean()) if len(bars_held) else _NO_TRADE


def best(returns: Floats) -> Measured:
    return finite(returns.max()) if len(returns) else _NO_TRADE


def worst(returns: Floats) -> Measured:
    return finite(returns.min()) if len(returns) else _NO_TRADE


def added(values: Floats) -> float:
    """The sum, one after the other: that is what a sweep, which meets them so, comes to as well."""
    return float(np.cumsum(values)[-1]) if len(values) else 0.0


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).to_numpy()
