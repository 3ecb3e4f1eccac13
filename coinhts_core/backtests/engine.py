"""The fold: a state, the next bars and their decisions in; the next state, fills and equity out.

What lives here: `State`, `fold_day` and the compiled loop under it. What stays out: where bars and decisions
come from, and identities (`chain`).

The fills, exactly:
    an order decided at a bar's close fills at the open of the next bar that exists, be it in another day
    buying: all cash, at the open plus slippage, rounded up to a tick; the volume cut to 8 decimals
    selling: all volume, at the open minus slippage, rounded down to a tick
    fee: price x volume x rate, paid in KRW on either side
    an order below the minimum is not placed: nothing happens and the decision is gone
    a decision to enter while holding, or to leave while flat, is ignored
Equity is marked at a bar's close; the worst equity of a day also looks at the lows while a coin was held.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from coinhts_core.backtests.account import Costs
from coinhts_core.candles.bars import Bars
from coinhts_core.positions import Position
from coinhts_core.strategies import Decisions

Floats = NDArray[np.float64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VOLUME_STEPS = 1e8  # Upbit cuts volumes to 8 decimals
_ROUNDING = 6e-16  # what five roundings of doubles may add up to, in parts of the number


@dataclass(frozen=True)
class State:
    """All that a day hands to the next one."""

    cash_krw: float
    position: Position | None = None
    pending: int = 0
    last_price_krw: float = 0.0
    entries: int = 0

    @property
    def equity_krw(self) -> float:
        return self.cash_krw + (self.position.volume_base * self.last_price_krw if self.position else 0.0)

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        held = facts["position"]
        return cls(**{**facts, "position": Position.from_facts(held) if held else None})


class Fill(NamedTuple):
    """One side of a trade."""

    filled_at: str
    side: str
    price_krw: float
    volume_base: float
    fee_krw: float
    position: int


@dataclass(frozen=True)
class DayFold:
    """What one day did to an account."""

    state: State
    equity_open_krw: float
    equity_close_krw: float
    equity_worst_krw: float
    fills: tuple[Fill, ...]
    held: tuple[Position, ...]


def fold_day(state: State, bars: Bars, decisions: Decisions, costs: Costs) -> DayFold:
    """One day's bars over the state the day before left; no bars leave it as it was."""
    volume = state.position.volume_base if state.position else 0.0
    marked = (state.cash_krw, volume, float(state.pending), state.last_price_krw)
    (cash, volume, pending, last_price, worst), rows = _fold(
        *marked, bars.open, bars.low, bars.close, decisions,
        costs.fee_rate, costs.slippage, costs.minimum_krw, costs.tick_bounds, costs.tick_sizes,
    )  # fmt: skip
    fills, held, position, entries = _booked(state, bars, rows)
    after = State(cash, position, int(pending), last_price, entries)
    return DayFold(after, state.equity_krw, after.equity_krw, min(worst, state.equity_krw), fills, held)


def _booked(
    state: State, bars: Bars, rows: Floats
) -> tuple[tuple[Fill, ...], tuple[Position, ...], Position | None, int]:
    """The loop's rows as fills, and the positions they open and close."""
    fills: list[Fill] = []
    closed: list[Position] = []
    position, entries = state.position, state.entries
    for bar, side, price, volume, fee in rows.tolist():
        at = _iso(int(bars.opened_at[int(bar)]))
        if side > 0:
            entries += 1
            position = Position(entries, at, price, volume, fee)
        elif position:
            closed.append(position.closed(at, price, fee))
            position = None
        fills.append(Fill(at, "buy" if side > 0 else "sell", price, volume, fee, entries))
    return tuple(fills), (*closed, *([position] if position else [])), position, entries


def _iso(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()


@njit(cache=True)
def _fold(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    cash: float, volume: float, pending: float, last_price: float,
    opens: Floats, lows: Floats, closes: Floats, decisions: Decisions,
    fee_rate: float, slippage: float, minimum: float, tick_bounds: Floats, tick_sizes: Floats,
) -> tuple[tuple[float, float, float, float, float], Floats]:  # fmt: skip
    worst = np.inf
    rows = np.empty((len(opens), 5))
    filled = 0
    for bar in range(len(opens)):
        if pending > 0:
            price = _on_tick(opens[bar] * (1.0 + slippage), tick_bounds, tick_sizes, upwards=True)
            bought = cash / (price * (1.0 + fee_rate))
            if len(tick_bounds):
                bought = _whole(bought * _VOLUME_STEPS, upwards=False) / _VOLUME_STEPS
            if bought > 0.0 and price * bought >= minimum:
                fee = price * bought * fee_rate
                cash = max(cash - price * bought - fee, 0.0)
                volume = bought
                rows[filled] = (float(bar), 1.0, price, volume, fee)
                filled += 1
        elif pending < 0:
            price = _on_tick(opens[bar] * (1.0 - slippage), tick_bounds, tick_sizes, upwards=False)
            if price * volume >= minimum:
                fee = price * volume * fee_rate
                cash += price * volume - fee
                rows[filled] = (float(bar), -1.0, price, volume, fee)
                filled += 1
                volume = 0.0
        pending = 0.0
        worst = min(worst, cash + volume * lows[bar])
        last_price = closes[bar]
        if (decisions[bar] > 0 and volume == 0.0) or (decisions[bar] < 0 and volume > 0.0):
            pending = float(decisions[bar])
    return (cash, volume, pending, last_price, worst), rows[:filled]


@njit(cache=True)
def _on_tick(price: float, bounds: Floats, sizes: Floats, upwards: bool) -> Any:  # noqa: FBT001 - the compiler knows no other
    """The price on the grid; parts of a won are counted by their whole inverse, so the result is exact."""
    for bound, size in zip(bounds, sizes):  # noqa: B905 - the compiler knows no strict
        if price >= bound:
            if size >= 1.0:
                return _whole(price / size, upwards) * size
            parts = np.rint(1.0 / size)
            return _whole(price * parts, upwards) / parts
    return price


@njit(cache=True)
def _whole(steps: float, upwards: bool) -> Any:  # noqa: FBT001 - the compiler knows no other
    """Up or down to a whole step, unless it is one and only rounding hides it."""
    nearest = np.rint(steps)
    if abs(steps - nearest) <= _ROUNDING * steps:
        return nearest
    return np.ceil(steps) if upwards else np.floor(steps)
