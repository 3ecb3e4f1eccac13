"""Studies: how coin_hts judged a strategy, each entry by itself and without an account.

What lives here: `study`, its unit trades, their curve, and that system's five figures in its own units. What stays out:
trading with cash and costs (`engine`), and the figures of that (`metrics`).

Every decision to enter is a trade of one unit, from the close of its bar to the close `hold_bars` later, however many
others are open then; no fees, no slippage, no cash, no stops; decisions to leave are not read. What follows from that
is kept as it is there, and worth knowing:
    the last bars have less than `hold_bars` after them and are left at the last close: a signal on the last bar
    returns 0 % and is no win
    avg_hold_bars there is the parameter, not what was held; here `bars_held` tells
    its drawdown is that of the running sum of percents, in percentage points: a loss of the first trade counts as 0,
    for the first peak is the first sum, and it may exceed 100
    the curve compounds trades that overlap, each with all there is, in the order of their entries
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.backtests.round_trips import best, profit_factor, win_rate, worst
from coinhts_core.backtests.undefined import Floats, Measured, Undefined, finite
from coinhts_core.candles.bars import Bars
from coinhts_core.strategies import ENTER, Decisions

Places = NDArray[np.intp]

HELD, END = "time", "end"  # why a trade was left: after its bars, or because there were no more

_TRADES: dict[str, Any] = {
    "bar": pl.Int64,
    "date": pl.Date,
    "opened_at": pl.Datetime("us", "UTC"),
    "closed_at": pl.Datetime("us", "UTC"),
    "entry_price": pl.Float64,
    "exit_price": pl.Float64,
    "quantity": pl.Float64,
    "fees_krw": pl.Float64,
    "profit_krw": pl.Float64,
    "return": pl.Float64,
    "reason": pl.String,
    "bars_held": pl.Int64,
    "equity": pl.Float64,
    "drawdown": pl.Float64,
}


@dataclass(frozen=True, eq=False)
class Study:
    """Units bought at some bars and sold at others; tables and figures are worked out when they are asked for."""

    bars: Bars
    entered: Places
    left: Places
    hold_bars: int

    @cached_property
    def trades(self) -> pl.DataFrame:
        """A row a signal, in order: its trade, and the signal curve up to it.

        `date` is the day its bar opened, UTC; `equity` the product of 1 + return, `drawdown` equity over its peak less
        1, the peak being 1 at first; both are null where the product is beyond what a number can hold.
        """
        entered, left = self.entered, self.left
        equity, drawdown = _signal_curve(self._returns)
        columns = {
            "bar": entered,
            "date": _moments(self.bars.opened_at[entered]).dt.date(),
            "opened_at": _moments(self.bars.closed_at[entered]),
            "closed_at": _moments(self.bars.closed_at[left]),
            "entry_price": self._entry_price,
            "exit_price": self._exit_price,
            "quantity": np.ones(len(entered)),
            "fees_krw": np.zeros(len(entered)),
            "profit_krw": self._exit_price - self._entry_price,
            "return": self._returns,
            "reason": np.where(left - entered == self.hold_bars, HELD, END),
            "bars_held": left - entered,
            "equity": equity,
            "drawdown": drawdown,
        }
        return pl.DataFrame(columns if len(entered) else None, schema=_TRADES)

    def coin_hts(self) -> dict[str, float]:
        """That system's figures in its own units; all are 0 when there is no signal."""
        if not len(self.entered):
            return {"samples": 0, "win_rate": 0.0, "avg_return": 0.0, "max_drawdown": 0.0, "avg_hold_bars": 0.0}
        percents = self._returns * 100.0
        sums = np.cumsum(percents)
        return {
            "samples": len(percents),
            "win_rate": float((percents > 0.0).mean()),
            "avg_return": float(percents.mean()),
            "max_drawdown": float((np.maximum.accumulate(sums) - sums).max()),
            "avg_hold_bars": float(self.hold_bars),
        }

    def measured(self) -> dict[str, Measured]:
        """What can be said of trades without an account, as fractions: with `coin_hts`, the metrics of a study."""
        returns, held, nothing = self._returns, self.left - self.entered, Undefined("there is no signal")
        return {
            "trades": len(returns),
            "win_rate": win_rate(returns),
            "average_return": finite(returns.mean()) if len(returns) else nothing,
            "profit_factor": profit_factor(returns),
            "best_trade": best(returns),
            "worst_trade": worst(returns),
            "average_bars_held": finite(held.mean()) if len(returns) else nothing,
        }

    @property
    def _entry_price(self) -> Floats:
        return self.bars.close[self.entered]

    @property
    def _exit_price(self) -> Floats:
        return self.bars.close[self.left]

    @cached_property
    def _returns(self) -> Floats:
        return (self._exit_price - self._entry_price) / self._entry_price


def study(bars: Bars, decisions: Decisions, hold_bars: int) -> Study:
    entered = np.flatnonzero(decisions == ENTER)
    return Study(bars, entered, np.minimum(entered + hold_bars, len(bars) - 1), hold_bars)


def _signal_curve(returns: Floats) -> tuple[pl.Series, pl.Series]:
    with np.errstate(over="ignore", invalid="ignore"):
        equity = np.cumprod(1.0 + returns)
        drawdown = equity / np.maximum(np.maximum.accumulate(equity), 1.0) - 1.0
    lost = ~np.isfinite(equity)
    return pl.Series(np.where(lost, np.nan, equity)).fill_nan(None), pl.Series(drawdown).fill_nan(None)


def _moments(microseconds: NDArray[np.int64]) -> pl.Series:
    return pl.Series(microseconds).cast(pl.Datetime("us", "UTC"))
