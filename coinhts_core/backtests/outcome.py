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
from coinhts_core.backtests.engine import DECISION, REASONS, TIME, Floats, Marks, Rows
from coinhts_core.backtests.figures import Figures, Given
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.backtests.worth import Curve, Told
from coinhts_core.candles.bars import Bars
from coinhts_core.compiled import compiled

_MICROSECONDS_A_DAY = 86_400 * 10**6
_BAR, _MINUTE, _REASON, _PRICE, _VOLUME, _FEE = range(6)
_MOMENT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, eq=False)
class Fills:
    """The engine's rows over some bars, an exit behind each entry but perhaps the last."""

    rows: Floats
    bars: Bars
    minutes: Bars | None = None

    @property
    def entries(self) -> Floats:
        return self.rows[::2]

    @property
    def exits(self) -> Floats:
        return self.rows[1::2]

    @cached_property
    def figures(self) -> Figures:
        """What can be said of a coin that shares its cash: its trades, and no equity of its own."""
        return Figures(Given(np.empty(0), self.round_trips), "trades")

    @cached_property
    def round_trips(self) -> RoundTrips:
        return RoundTrips(*_round_trips(self.rows))

    @property
    def open_entry(self) -> Floats | None:
        """The entry that nothing has left yet."""
        return self.entries[-1] if len(self.entries) > len(self.exits) else None

    @cached_property
    def trades(self) -> pl.DataFrame:
        """A row a closed trade. `mae` and `mfe` are the worst and best moment, as fractions of the entry's price."""
        left, trips = self.exits, self.round_trips
        entered = self.entries[: len(left)]
        price = entered[:, _PRICE]
        worst, best = self._extremes(entered, left)
        return pl.DataFrame(
            {
                "opened_at": self._moments(entered),
                "closed_at": self._moments(left),
                "entry_price": price,
                "exit_price": left[:, _PRICE],
                "quantity": entered[:, _VOLUME],
                "fees_krw": trips.fees_krw,
                "profit_krw": trips.profit_krw,
                "return": trips.returns,
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

    def held_value(self) -> Floats:
        """What is held, at each bar's close."""
        return Told.by(Marks(0.0), self.rows, self.bars.close).held()

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
    """A cash and what became of it, bar by bar; with several coins, moment by moment.

    `curve` is the equity after each moment, for some of them or for all; `optimistic` the same of the other bound.
    """

    cash: float
    moments: Rows
    length_us: int
    curve: Curve
    optimistic: Curve | None
    ambiguous: int
    parts: Sequence[Fills]
    fee_rate: float
    first_bars: Sequence[int]

    @cached_property
    def equity(self) -> Floats:
        return self.curve.whole()

    @cached_property
    def day_ends(self) -> Rows:
        return day_ends(self.moments[[0, -1]] + self.length_us) if len(self.moments) else np.empty(0, np.int64)

    @cached_property
    def daily(self) -> Floats:
        """Equity at 00:00 UTC, the starting cash first."""
        return self._at_day_ends(self.curve)

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

    @property
    def benchmark(self) -> Floats:
        """The one that figures compare with."""
        return next(iter(self.benchmarks.values()))

    @cached_property
    def round_trips(self) -> RoundTrips:
        return self.parts[0].round_trips if len(self.parts) == 1 else RoundTrips.from_frame(self.trades)

    @property
    def fill_values(self) -> Floats:
        rows = np.concatenate([of.rows for of in self.parts])
        values: Floats = rows[:, _PRICE] * rows[:, _VOLUME]
        return values

    @property
    def open_fees_krw(self) -> float:
        entries = [of.open_entry for of in self.parts]
        return sum((float(entry[_FEE]) for entry in entries if entry is not None), 0.0)

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

    @cached_property
    def exposure(self) -> Floats:
        """The value held over the equity, after each moment."""
        if len(self.parts) == 1:
            return self.parts[0].held_value() / self.equity
        held = np.zeros(len(self.moments))
        for of in self.parts:
            worth = np.concatenate(([0.0], of.held_value()))
            held += worth[np.searchsorted(of.bars.opened_at, self.moments, side="right")]
        return held / self.equity

    def _at_day_ends(self, curve: Curve) -> Floats:
        closed = count_opened_by(self.moments, self.day_ends - self.length_us, self.length_us)
        return np.concatenate(([self.cash], curve.at(closed - 1)))


@compiled
def _round_trips(fills: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Profit, return, fees and bars held of each entry that was left."""
    count = len(fills) // 2
    profits, returns, fees, held = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    for trip in range(count):
        entered, left = fills[2 * trip], fills[2 * trip + 1]
        spent = entered[_PRICE] * entered[_VOLUME] + entered[_FEE]
        profits[trip] = left[_PRICE] * entered[_VOLUME] - left[_FEE] - spent
        returns[trip] = profits[trip] / spent
        fees[trip] = entered[_FEE] + left[_FEE]
        held[trip] = left[_BAR] - entered[_BAR]
    return profits, returns, fees, held


def day_ends(closed_at: Rows) -> Rows:
    """The midnights, in microseconds, that end the days from the first of these closes to the last one."""
    first, last = ((closed_at[[0, -1]] - 1) // _MICROSECONDS_A_DAY).tolist()
    return np.arange(first + 1, last + 2, dtype=np.int64) * _MICROSECONDS_A_DAY


@compiled
def count_opened_by(opened_at: Rows, latest: Rows, length_us: int) -> Rows:
    """How many bars opened up to each moment; they are found where they stand if none is missing, and else searched."""
    counts = np.zeros(len(latest), dtype=np.int64)
    for place in range(len(latest) if len(opened_at) else 0):
        moment = latest[place]
        expected = min(max((moment - opened_at[0]) // length_us + 1, 0), len(opened_at))
        is_before = expected == 0 or opened_at[expected - 1] <= moment
        is_behind = expected == len(opened_at) or opened_at[expected] > moment
        stands_there = is_before and is_behind
        counts[place] = expected if stands_there else np.searchsorted(opened_at, moment, side="right")
    return counts


def times(microseconds: Rows) -> pl.Series:
    return pl.Series(microseconds, dtype=pl.Int64).cast(_MOMENT)
