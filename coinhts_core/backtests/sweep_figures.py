"""Figures of many accounts at once, out of what was counted of each.

What lives here: `columns_of`, one column a figure, and the table of them. What to add: a figure that tallies tell, to
the last bit as `figures` has it. What stays out: what a figure is (`metrics`, `round_trips`), and counting (`tallies`).

A figure that is undefined is NaN in a column and null in a table. A run of the same account says why.
"""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.backtests.engine import Rows
from coinhts_core.backtests.metrics import SHORTEST_FOR_A_YEARLY_FIGURE, YEAR
from coinhts_core.backtests.tallies import Standings, Tallies
from coinhts_core.backtests.undefined import ROUNDING, Floats

_FEWEST_TO_DIFFER = 2

Columns = dict[str, NDArray[Any]]

_Flags = NDArray[np.bool_] | np.bool_


def columns_of(after: Standings, counted: Tallies, bars: Rows) -> Columns:
    """A row an account, each of which was led through so many bars."""
    with np.errstate(all="ignore"):  # what is beyond a number is none
        told = {**_of_equity(counted.daily), **_of_trades(after, counted, bars)}
    return {
        **{name: _where(np.isfinite(values), values) for name, values in told.items()},
        "trades": counted.trades,
        "ambiguous": counted.ambiguous,
        "final_equity_krw": counted.daily[:, -1],
    }


def table_of(columns: Columns) -> pl.DataFrame:
    return pl.DataFrame([pl.Series(name, values, nan_to_null=True) for name, values in columns.items()])


def columns_in(table: pl.DataFrame) -> Columns:
    """As the table was made of."""
    return {column.name: column.to_numpy() for column in table}


def _of_equity(daily: Floats) -> dict[str, Floats]:
    """A row of `daily` for each account."""
    days = daily.shape[1] - 1
    deepest = (daily / np.maximum.accumulate(daily, axis=1) - 1.0).min(axis=1)
    has_days = np.bool_(days > 0)
    annual = _annual_return(daily[:, -1] / daily[:, 0], days)
    return {
        "total_return": _where(has_days, daily[:, -1] / daily[:, 0] - 1.0),
        "annual_return": annual,
        "max_drawdown": _where(has_days, deepest),
        "calmar": _where(deepest < -ROUNDING, annual / -deepest),
        **_of_returns(daily[:, 1:] / daily[:, :-1] - 1.0, (daily[:, :-1] > 0.0).all(axis=1)),
    }


def _annual_return(growth: Floats, days: int) -> Floats:
    """One by one, as a run does: powers of whole arrays may differ in the last bit."""
    if days < SHORTEST_FOR_A_YEARLY_FIGURE:
        return np.full(len(growth), np.nan)
    return np.array([of ** (YEAR / days) - 1.0 for of in growth])


def _of_returns(returns: Floats, was_never_nothing: _Flags) -> dict[str, Floats]:
    count, days = returns.shape
    if days < 1:
        return dict.fromkeys(("volatility", "sharpe", "sortino"), np.full(count, np.nan))
    mean, downside = returns.mean(axis=1), np.sqrt((np.minimum(returns, 0.0) ** 2).mean(axis=1))
    deviation = np.full(count, np.nan) if days < _FEWEST_TO_DIFFER else returns.std(axis=1, ddof=1)
    differs = (deviation > ROUNDING * (1.0 + np.abs(returns).max(axis=1))) & np.isfinite(deviation)
    return {
        "volatility": _where(was_never_nothing, deviation * np.sqrt(YEAR)),
        "sharpe": _where(was_never_nothing & differs, mean / deviation * np.sqrt(YEAR)),
        "sortino": _where(was_never_nothing & (downside > ROUNDING), mean / downside * np.sqrt(YEAR)),
    }


def _of_trades(after: Standings, counted: Tallies, bars: Rows) -> dict[str, Floats]:
    is_held, has_traded = after.volume > 0.0, counted.trades > 0
    in_market = counted.bars_held + np.where(is_held, bars - after.entered, 0)
    return {
        "win_rate": _where(has_traded, counted.wins / counted.trades),
        "profit_factor": _where(counted.lost < 0.0, counted.won / -counted.lost),
        "best_trade": _where(has_traded, counted.best),
        "worst_trade": _where(has_traded, counted.worst),
        "average_bars_held": _where(has_traded, counted.bars_held / counted.trades),
        "exposure_time": in_market / bars,
        "fees_krw": counted.fees + np.where(is_held, after.entry_fee, 0.0),
    }


def _where(defined: _Flags, values: Floats) -> Floats:
    return np.where(defined, values, np.nan)
