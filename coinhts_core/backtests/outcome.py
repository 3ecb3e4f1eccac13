"""An outcome: what an account did over bars, as tables, daily equity and figures.

What lives here: `Outcome` of one cash, in one coin or several, and the tables of a coin's fills. What stays out: how it
came about (`engine`, `portfolio`), and what a figure is (`figures`). All is worked out when it is first asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from coinhts_core.backtests.benchmarks import Coin, cash_alone, equal_weight
from coinhts_core.backtests.engine import DECISION, ENTRY, REASONS, TIME, Floats, Rows
from coinhts_core.backtests.figures import FIGURES, Figures, measure
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.candles.bars import Bars

_MICROSECONDS_A_DAY = 86_400 * 10**6
_BAR, _MINUTE, _REASON, _PRICE, _VOLUME, _FEE = range(6)
_MOMENT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, eq=False)
class Fills:
    """The engine's rows over some bars, an exit behind each entry but perhaps the last."""

    rows: Floats
    bars: Bars
    minutes: Bars | None = None

    @cached_property
    def entries(self) -> Floats:
        entries: Floats = self.rows[self.rows[:, _REASON] == ENTRY]
        return entries

    @cached_property
    def exits(self) -> Floats:
        exits: Floats = self.rows[self.rows[:, _REASON] != ENTRY]
        return exits

    @cached_property
    def figures(self) -> Figures:
        """What can be said of a coin that shares its cash: its trades, and no equity of its own."""
        measured = measure(np.empty(0), RoundTrips.from_frame(self.trades))
        of_trades = {name: value for name, value in measured.values.items() if FIGURES[name].group == "trades"}
        return Figures(of_trades, {name: why for name, why in measured.reasons.items() if name in of_trades})

    @property
    def open_entry(self) -> Floats | None:
        """The entry that nothing has left yet."""
        return self.entries[-1] if len(self.entries) > len(self.exits) else None

    @cached_property
    def trades(self) -> pl.DataFrame:
        """A row a closed trade. `mae` and `mfe` are the worst and best moment, as fractions of the entry's price."""
        left = self.exits
        entered = self.entries[: len(left)]
        price, volume = entered[:, _PRICE], entered[:, _VOLUME]
        spent, fees = price * volume + entered[:, _FEE], entered[:, _FEE] + left[:, _FEE]
        profit = left[:, _PRICE] * volume - left[:, _FEE] - spent
        worst, best = self._extremes(entered, left)
        return pl.DataFrame(
            {
                "opened_at": self._moments(entered),
                "closed_at": self._moments(left),
                "entry_price": price,
                "exit_price": left[:, _PRICE],
                "quantity": volume,
                "fees_krw": fees,
                "profit_krw": profit,
                "return": profit / spent,
                "reason": pl.Series([REASONS[int(code)] for code in left[:, _REASON]], dtype=pl.String),
                "bars_held": (left[:, _BAR] - entered[:, _BAR]).astype(np.int64),
                "mae": worst / price - 1.0,
                "mfe": best / price - 1.0,
            }
        )

    def open_position(self) -> dict[str, Any] | None:
        """What is held at the end, valued at the last close as if it were sold for no fee."""
        if self.open_entry is None:
            return None
        bar, _, _, price, volume, fee = self.open_entry.tolist()
        last_price = float(self.bars.close[-1])
        return {
            "opened_at": times(self.bars.opened_at[[int(bar)]])[0],
            "entry_price": price,
            "quantity": volume,
            "fees_krw": fee,
            "last_price": last_price,
            "profit_krw": volume * (last_price - price) - fee,
        }

    def held_after(self) -> Floats:
        """The volume held at each bar's close."""
        after = np.where(self.rows[:, _REASON] == ENTRY, self.rows[:, _VOLUME], 0.0)
        last = np.searchsorted(self.rows[:, _BAR], np.arange(len(self.bars)), side="right")
        return np.concatenate(([0.0], after))[last]

    def _moments(self, rows: Floats) -> pl.Series:
        """When the bar opened in which a fill happened, or the minute, where that is known."""
        moments = self.bars.opened_at[rows[:, _BAR].astype(np.int64)]
        if self.minutes is not None and len(self.minutes):
            within = rows[:, _MINUTE].astype(np.int64)
            moments = np.where(within >= 0, self.minutes.opened_at[within], moments)
        return times(moments)

    def _extremes(self, entered: Floats, left: Floats) -> tuple[Floats, Floats]:
        """The lowest and highest price while each was held; a bar at whose open it was left does not count."""
        if not len(left):
            return np.empty(0), np.empty(0)
        at_open = np.isin(left[:, _REASON], (DECISION, TIME))
        first, end = entered[:, _BAR].astype(np.int64), left[:, _BAR].astype(np.int64) + ~at_open
        edges = np.stack([first, end], axis=1).ravel()
        low = np.minimum.reduceat(np.append(self.bars.low, np.inf), edges)[::2]
        high = np.maximum.reduceat(np.append(self.bars.high, -np.inf), edges)[::2]
        return np.minimum(low, left[:, _PRICE]), np.maximum(high, left[:, _PRICE])


@dataclass(frozen=True, eq=False)
class Outcome:
    """A cash and what became of it, bar by bar; with several coins, moment by moment."""

    cash: float
    moments: Rows
    closed_at: Rows
    equity: Floats
    optimistic: Floats | None
    ambiguous: int
    parts: Sequence[Fills]
    fee_rate: float
    first_bars: Sequence[int]

    @cached_property
    def day_ends(self) -> Rows:
        return day_ends(self.closed_at)

    @cached_property
    def daily(self) -> Floats:
        """Equity at 00:00 UTC, the starting cash first."""
        return self._at_day_ends(self.equity)

    @cached_property
    def daily_optimistic(self) -> Floats | None:
        return None if self.optimistic is None else self._at_day_ends(self.optimistic)

    @cached_property
    def benchmarks(self) -> dict[str, Floats]:
        """The coin, or all in equal parts, bought at the first bar that could have been bought; and cash alone."""
        coins = [
            Coin.from_bars(of.bars, first, self.day_ends) for of, first in zip(self.parts, self.first_bars, strict=True)
        ]
        return {
            "buy and hold" if len(coins) == 1 else "equal parts": equal_weight(self.cash, coins, self.fee_rate),
            "cash": cash_alone(self.cash, len(self.day_ends)),
        }

    @cached_property
    def figures(self) -> Figures:
        rows = np.concatenate([of.rows for of in self.parts])
        entries = [of.open_entry for of in self.parts]
        return measure(
            self.daily,
            RoundTrips.from_frame(self.trades),
            benchmark=next(iter(self.benchmarks.values())),
            fill_values=rows[:, _PRICE] * rows[:, _VOLUME],
            exposure=self._exposure(),
            open_fees_krw=sum(float(entry[_FEE]) for entry in entries if entry is not None),
        )

    @cached_property
    def trades(self) -> pl.DataFrame:
        """Of all coins, in the order they were closed."""
        return pl.concat([of.trades for of in self.parts]).sort("closed_at", maintain_order=True)

    @cached_property
    def equity_frame(self) -> pl.DataFrame:
        peak = np.maximum(np.maximum.accumulate(self.equity), self.cash)
        return pl.DataFrame(
            {"opened_at": times(self.moments), "equity": self.equity, "drawdown": self.equity / peak - 1.0}
        )

    def _at_day_ends(self, equity: Floats) -> Floats:
        known = np.concatenate(([self.cash], equity))
        return np.concatenate(([self.cash], known[np.searchsorted(self.closed_at, self.day_ends, side="right")]))

    def _exposure(self) -> Floats:
        """The value held over the equity, after each moment."""
        held = np.zeros(len(self.moments))
        for of in self.parts:
            worth = np.concatenate(([0.0], of.held_after() * of.bars.close))
            held += worth[np.searchsorted(of.bars.opened_at, self.moments, side="right")]
        return held / self.equity


def day_ends(closed_at: Rows) -> Rows:
    """The midnights, in microseconds, that end the days from the first bar's to the last one's."""
    if not len(closed_at):
        return np.empty(0, np.int64)
    first, last = ((closed_at[[0, -1]] - 1) // _MICROSECONDS_A_DAY).tolist()
    return np.arange(first + 1, last + 2, dtype=np.int64) * _MICROSECONDS_A_DAY


def times(microseconds: Rows) -> pl.Series:
    return pl.Series(microseconds, dtype=pl.Int64).cast(_MOMENT)
