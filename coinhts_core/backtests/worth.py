"""Worth: what an account was worth at bars, told by its fills.

What lives here: equity after some bars or after all, what is held, and the worst moment. What stays out: how the fills
came about (`engine`), and figures of equity (`metrics`).

The engine only looks at bars that change something. What it leaves out is worked out here, when it is asked for, by the
same sums in the same order: so it is the same to the last bit.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from coinhts_core.backtests.engine import ENTRY, TARGET, Floats, Marks, Prices, Rows, left_of
from coinhts_core.compiled import borrowing, compiled

_BAR = 0


class Curve(Protocol):
    """Equity after each moment; before the first, which is -1, the starting cash."""

    def at(self, moments: Rows) -> Floats:
        """After some of them."""

    def whole(self) -> Floats:
        """After all of them."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """Written down moment by moment."""

    cash: float
    equity: Floats

    def at(self, moments: Rows) -> Floats:
        return np.append(self.equity, self.cash)[moments]

    def whole(self) -> Floats:
        return self.equity


@dataclass(frozen=True, eq=False)
class Told:
    """Told by the fills of one coin: at which bar each was, and what was held before the first and behind each."""

    bars: Floats
    cash: Floats
    volume: Floats
    closes: Floats

    @classmethod
    def by(cls, marks: Marks, fills: Floats, closes: Floats) -> Self:
        return cls(fills[:, _BAR].copy(), *_behind(marks.cash, marks.volume, fills), closes)

    def at(self, moments: Rows) -> Floats:
        fills = np.searchsorted(self.bars, moments, side="right")
        equity: Floats = self.cash[fills] + self.volume[fills] * self.closes[moments]
        return equity

    def whole(self) -> Floats:
        return _marked(self.bars, self.cash, self.volume, self.closes)

    def held(self) -> Floats:
        """The value of what is held, after each bar."""
        return _marked(self.bars, np.zeros(len(self.cash)), self.volume, self.closes)


def worst(marks: Marks, fills: Floats, bars: Prices) -> float:
    """The lowest worth at a close, or at a low while a coin was held; infinite where there is no bar."""
    return float(_worst(marks.cash, marks.volume, fills, bars))


@compiled
def _behind(cash: float, volume: float, fills: Floats) -> tuple[Floats, Floats]:
    cashes, volumes = np.empty(len(fills) + 1), np.empty(len(fills) + 1)
    cashes[0], volumes[0] = cash, volume
    for place in range(len(fills)):
        cash, volume = booked(cash, fills[place, 2], fills[place, 3], fills[place, 4], fills[place, 5])
        cashes[place + 1], volumes[place + 1] = cash, volume
    return cashes, volumes


@borrowing
def booked(cash: float, reason: float, price: float, volume: float, fee: float) -> tuple[float, float]:
    """Cash and volume behind a fill."""
    if reason == ENTRY:
        return left_of(cash, price * volume + fee), volume
    return cash + (price * volume - fee), 0.0


@compiled
def _marked(bars: Floats, cash: Floats, volume: Floats, closes: Floats) -> Floats:
    equity = np.empty(len(closes))
    first = 0
    for place in range(len(cash)):
        end = int(bars[place]) if place < len(bars) else len(closes)
        for bar in range(first, end):
            equity[bar] = cash[place] + volume[place] * closes[bar]
        first = end
    return equity


@borrowing
def _worst(cash: float, volume: float, fills: Floats, bars: Prices) -> float:
    """A bar in which a target was reached may have been at its low before."""
    found, first = np.inf, 0
    for place in range(len(fills)):
        end = int(fills[place, 0])
        may_have_been_low = fills[place, 2] == TARGET and fills[place, 3] > bars.open[end]
        found = min(found, _worst_between(cash, volume, bars.low, first, end + may_have_been_low))
        (cash, volume), first = booked(cash, fills[place, 2], fills[place, 3], fills[place, 4], fills[place, 5]), end
    return min(found, _worst_between(cash, volume, bars.low, first, len(bars.low)))


@borrowing
def _worst_between(cash: float, volume: float, lows: Floats, first: int, end: int) -> float:
    found = np.inf if volume > 0.0 or first >= end else cash
    if volume > 0.0:
        for bar in range(first, end):
            found = min(found, cash + volume * lows[bar])
    return found
