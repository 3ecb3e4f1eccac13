"""Figures of a result, each defined once.

What lives here: pure functions from daily equity and closed trades to numbers. What to add: a metric, and the
library it is compared with in its test. What stays out: which days count (`rehearsal`) and how figures are
shown.

Equity is marked at 00:00 UTC; returns are simple; a year has 365 days; the risk-free rate is 0; ddof is 1. A
figure that is undefined is None, never 0, infinity or NaN.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_YEAR = 365
_SHORTEST_FOR_A_YEARLY_FIGURE = 90  # days; below, compounding to a year only flatters


def returns(equity: Floats) -> Floats:
    """Daily returns of an equity that begins with the starting cash."""
    return equity[1:] / equity[:-1] - 1.0


def total_return(equity: Floats) -> float | None:
    return float(equity[-1] / equity[0] - 1.0) if len(equity) > 1 else None


def annual_return(equity: Floats) -> float | None:
    days = len(equity) - 1
    if days < _SHORTEST_FOR_A_YEARLY_FIGURE:
        return None
    return float((equity[-1] / equity[0]) ** (_YEAR / days) - 1.0)


def max_drawdown(equity: Floats) -> float | None:
    """The deepest fall below an earlier peak, at or below 0; the starting cash is the first peak."""
    return float((equity / np.maximum.accumulate(equity) - 1.0).min()) if len(equity) > 1 else None


def volatility(equity: Floats) -> float | None:
    daily = returns(equity)
    return float(daily.std(ddof=1) * np.sqrt(_YEAR)) if len(daily) > 1 else None


def sharpe(equity: Floats) -> float | None:
    daily = returns(equity)
    if len(daily) < 2 or not (deviation := daily.std(ddof=1)):  # noqa: PLR2004 - one return has no deviation
        return None
    return float(daily.mean() / deviation * np.sqrt(_YEAR))


def sortino(equity: Floats) -> float | None:
    daily = returns(equity)
    if not len(daily) or not (downside := np.sqrt((np.minimum(daily, 0.0) ** 2).mean())):
        return None
    return float(daily.mean() / downside * np.sqrt(_YEAR))


def win_rate(profits: Sequence[float]) -> float | None:
    """The share of closed trades that earned something after fees; break-even is not a win."""
    return sum(profit > 0 for profit in profits) / len(profits) if profits else None


def profit_factor(profits: Sequence[float]) -> float | None:
    lost = -sum(profit for profit in profits if profit < 0)
    return sum(profit for profit in profits if profit > 0) / lost if lost else None


def summary(equity: Floats, profits: Sequence[float]) -> dict[str, float | None]:
    return {
        "total_return": total_return(equity),
        "annual_return": annual_return(equity),
        "max_drawdown": max_drawdown(equity),
        "volatility": volatility(equity),
        "sharpe": sharpe(equity),
        "sortino": sortino(equity),
        "win_rate": win_rate(profits),
        "profit_factor": profit_factor(profits),
    }
