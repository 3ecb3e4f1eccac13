"""Benchmarks: what the same cash would have done without a strategy, as equity over the same days.

What lives here: `Coin` (a coin bought once and held), all coins in equal parts, cash. What to add: a benchmark, as a
function to daily equity that begins with the starting cash. What stays out: comparing with one (`metrics`).

A coin is bought for a fee at the open of the bar at which the strategy could first have bought, and marked at 00:00 UTC
at its last close; there is no exit, hence no second fee. Equal parts are bought once and never rebalanced, since each
rebalancing would need fees and a rule of its own; a coin listed later waits in cash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from coinhts_core.backtests.undefined import Floats
from coinhts_core.candles.bars import Bars


@dataclass(frozen=True, eq=False)
class Coin:
    """What a coin cost when it could first be bought, on which of the days, and its worth at the end of each."""

    entry_price: float
    bought_on: int
    closes: Floats

    @classmethod
    def from_bars(cls, bars: Bars, first_bar: int, day_ends: NDArray[np.int64]) -> Self:
        """Bought at the open of `first_bar`; days end at these microseconds since 1970 UTC. No such bar: never."""
        if first_bar >= len(bars):
            return cls(1.0, len(day_ends), np.ones(len(day_ends)))
        entry_price = float(bars.open[first_bar])
        closed = np.searchsorted(bars.closed_at, day_ends, side="right")
        closes = np.where(closed > first_bar, bars.close[closed - 1], entry_price)
        return cls(entry_price, int(np.searchsorted(day_ends, bars.opened_at[first_bar], side="right")), closes)


def buy_and_hold(cash: float, coin: Coin, fee_rate: float) -> Floats:
    """All cash in one coin."""
    worth = cash / (coin.entry_price * (1.0 + fee_rate)) * coin.closes
    worth[: coin.bought_on] = cash
    return np.concatenate(([cash], worth))


def equal_weight(cash: float, coins: Sequence[Coin], fee_rate: float) -> Floats:
    """An equal part of the cash in each coin, over the same days."""
    parts = [buy_and_hold(cash / len(coins), coin, fee_rate) for coin in coins]
    worth: Floats = np.sum(parts, axis=0)
    return worth


def cash_alone(cash: float, days: int) -> Floats:
    return np.full(days + 1, cash)
