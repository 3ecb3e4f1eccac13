"""The engine: what an account does at the next bars, given what was decided at their closes.

What lives here: the compiled loop, and the fill table it follows. What stays out: where bars and decisions come
from, days and what they hand on (`fold`), identities (`chain`).

The fill table. In each bar, in this order:
    open    the order of the bar before fills at the open, be that bar in another day: a buy at the open plus slippage,
            up to a tick; a sale at the open less slippage, down to a tick
    open    a position whose stop is at or above the open is sold at the open less slippage, down to a tick; one whose
            target is at or below the open is sold at the open
    inside  the low reaches the stop: sold at the stop less slippage, down to a tick
            the high reaches the target: sold at the target, without slippage: it is a limit order
            both: the bar is ambiguous. Its minutes tell, where they are known; where they are not, or inside a minute,
            the bar is counted, and the stop comes first (pessimistic) or the target (optimistic)
    close   equity is marked; the bar's high counts for the trailing stop of the bars to come
    close   a decision becomes the order for the next bar. To enter while holding, or to leave while flat, is ignored.
            A position held for its time (the entry's bar is the first) is ordered to be sold
    stop    the higher of entry x (1 - stop loss) and highest price since x (1 - trailing stop), down to a tick
    target  entry x (1 + take profit), up to a tick
    buying  spends its part of what the account is worth, fee included, and never more than its cash; the volume is cut
            to 8 decimals; a rest below 1e-14 of the cash is rounding, and none
    fee     price x volume x rate, paid in KRW on either side
    an order below the minimum is not placed: nothing happens, and it is gone
The worst equity looks at the lows, too, while a coin was held; a sale at the target may have come after the low.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from coinhts_core.backtests.account import Costs, Limits
from coinhts_core.candles.bars import Bars
from coinhts_core.strategies import Decisions

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

BUY, SELL, TIME_IS_UP = 1, -1, -2  # orders
ENTRY, DECISION, TIME, STOP, TRAILING, TARGET = range(6)  # why a fill happened
_BOTH = -1
UP, DOWN = True, False
REASONS = ("entry", "decision", "time", "stop", "trailing stop", "target")

NO_SPANS = np.empty((0, 2), dtype=np.int64)
_VOLUME_STEPS = 1e8  # Upbit cuts volumes to 8 decimals
_CRUMB = 1e-14  # of the cash
_ROUNDING = 6e-16  # what five roundings of doubles may add up to, in parts of the number


class Marks(NamedTuple):
    """What one bar hands to the next."""

    cash: float
    volume: float = 0.0
    entry_price: float = 0.0
    peak: float = 0.0
    held: int = 0
    order: int = 0
    fraction: float = 0.0
    last_price: float = 0.0


class Course(NamedTuple):
    """What the bars did to the account. A fill is (bar, minute or -1, reason, price, volume, fee)."""

    marks: Marks
    worst: float
    ambiguous: int
    equity: Floats
    fills: Floats


class Knobs(NamedTuple):
    """Costs and limits as the compiler reads them."""

    fee_rate: float
    slippage: float
    minimum: float
    spend: float
    stop_loss: float
    take_profit: float
    trailing_stop: float
    hold_bars: int
    is_optimistic: bool


class Prices(NamedTuple):
    """Bars as the compiler reads them."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


class Minutes(NamedTuple):
    """The finer bars that order what happens inside a bar, and from which to which each bar has them."""

    bars: Bars
    spans: Rows


class Day(NamedTuple):
    """What comes: bars, what is decided at their closes, the part of the account an entry spends, and the minutes."""

    bars: Bars
    decisions: Decisions
    fractions: Floats
    minutes: Minutes | None = None


def run_course(marks: Marks, day: Day, costs: Costs, limits: Limits, *, is_optimistic: bool = False) -> Course:
    """Lead an account through bars; no bars leave it as it was."""
    knobs = knobs_of(costs, limits, is_optimistic=is_optimistic)
    bars = prices_of(day.bars)
    fine, spans = (prices_of(day.minutes.bars), day.minutes.spans) if day.minutes else (bars, NO_SPANS)
    marks, worst, ambiguous, equity, fills = _run(
        marks, bars, day.decisions, day.fractions, fine, spans, knobs, costs.tick_bounds, costs.tick_sizes
    )
    return Course(Marks(*marks), worst, ambiguous, equity, fills)


def knobs_of(costs: Costs, limits: Limits, *, is_optimistic: bool) -> Knobs:
    return Knobs(
        costs.fee_rate, costs.slippage, costs.minimum_krw, limits.spend_krw,
        limits.stop_loss, limits.take_profit, limits.trailing_stop, limits.hold_bars, is_optimistic,
    )  # fmt: skip


def minutes_within(bars: Bars, minutes: Bars) -> Minutes:
    edges = [np.searchsorted(minutes.opened_at, moments) for moments in (bars.opened_at, bars.closed_at)]
    return Minutes(minutes, np.stack(edges, axis=1).astype(np.int64))


def prices_of(bars: Bars) -> Prices:
    return Prices(bars.open, bars.high, bars.low, bars.close)


@njit(cache=True)
def _run(  # noqa: C901, PLR0917 - compiled: the table above from top to bottom, handed numbers and arrays one by one
    marks: Marks, bars: Prices, decisions: Decisions, fractions: Floats, fine: Prices, spans: Rows,
    knobs: Knobs, tick_bounds: Floats, tick_sizes: Floats,
) -> tuple[Marks, float, int, Floats, Floats]:  # fmt: skip
    cash, volume, entry_price, peak, held, order, fraction, last_price = marks
    worst, ambiguous = np.inf, 0
    equity = np.empty(len(bars.open))
    fills, filled = np.empty((16, 6)), 0
    for bar in range(len(bars.open)):
        fills = with_room_for(fills, filled + 2)
        if order == BUY and volume == 0.0:
            price, bought, fee = buying(cash, cash * fraction, bars.open[bar], knobs, tick_bounds, tick_sizes)
            if bought > 0.0:
                cash = left_of(cash, price * bought + fee)
                volume, entry_price, peak, held = bought, price, price, 0
                note(fills[filled], bar, -1, ENTRY, price, volume, fee)
                filled += 1
        elif order < 0 and volume > 0.0:
            price = on_tick(bars.open[bar] * (1.0 - knobs.slippage), tick_bounds, tick_sizes, DOWN)
            if price * volume >= knobs.minimum:
                fee = price * volume * knobs.fee_rate
                cash += price * volume - fee
                note(fills[filled], bar, -1, DECISION if order == SELL else TIME, price, volume, fee)
                filled += 1
                volume = 0.0
        if volume > 0.0:
            reason, minute, price, doubts = leaving(
                bar, bars, fine, spans, entry_price, peak, knobs, tick_bounds, tick_sizes
            )
            ambiguous += doubts
            is_sold = reason > 0 and price * volume >= knobs.minimum
            if not is_sold or (reason == TARGET and price > bars.open[bar]):
                worst = min(worst, cash + volume * bars.low[bar])
            if is_sold:
                fee = price * volume * knobs.fee_rate
                cash += price * volume - fee
                note(fills[filled], bar, minute, reason, price, volume, fee)
                filled += 1
                volume = 0.0
            else:
                peak = max(peak, bars.high[bar])
                held += 1
        last_price = bars.close[bar]
        equity[bar] = cash + volume * last_price
        worst = min(worst, equity[bar])
        order = next_order(decisions[bar], volume > 0.0, held, knobs.hold_bars)
        fraction = fractions[bar] if order == BUY else 0.0
    if volume == 0.0:
        entry_price, peak, held = 0.0, 0.0, 0
    marks = Marks(cash, volume, entry_price, peak, held, order, fraction, last_price)
    return marks, worst, ambiguous, equity, fills[:filled]


@njit(cache=True)
def next_order(decision: int, is_holding: bool, held: int, hold_bars: int) -> int:  # noqa: FBT001 - the compiler knows no other
    if not is_holding:
        return BUY if decision > 0 else 0
    if decision < 0:
        return SELL
    return TIME_IS_UP if 0 < hold_bars <= held else 0


@njit(cache=True)
def buying(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    cash: float, budget: float, opens: float, knobs: Knobs, tick_bounds: Floats, tick_sizes: Floats
) -> tuple[float, float, float]:
    """Price, volume and fee of an entry at the open; the volume is 0 when the order is not placed."""
    price = on_tick(opens * (1.0 + knobs.slippage), tick_bounds, tick_sizes, UP)
    bought = min(budget, knobs.spend, cash) / (price * (1.0 + knobs.fee_rate))
    if len(tick_bounds):
        bought = whole(bought * _VOLUME_STEPS, DOWN) / _VOLUME_STEPS
    if price * bought < knobs.minimum:
        bought = 0.0
    return price, bought, price * bought * knobs.fee_rate


@njit(cache=True)
def left_of(cash: float, spent: float) -> Any:
    """What remains; where nothing should, rounding leaves no crumb that another coin could be bought for."""
    rest = cash - spent
    return rest if rest > _CRUMB * cash else 0.0


@njit(cache=True)
def note(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    row: Floats, bar: int, minute: int, reason: int, price: float, volume: float, fee: float
) -> None:
    row[0], row[1], row[2] = bar, minute, reason
    row[3], row[4], row[5] = price, volume, fee


@njit(cache=True)
def with_room_for(fills: Floats, count: int) -> Floats:
    if count <= len(fills):
        return fills
    more = np.empty((2 * count, fills.shape[1]))
    more[: len(fills)] = fills
    return more


@njit(cache=True)
def leaving(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    bar: int, bars: Prices, fine: Prices, spans: Rows, entry_price: float, peak: float, knobs: Knobs,
    tick_bounds: Floats, tick_sizes: Floats,
) -> tuple[int, int, float, int]:  # fmt: skip
    """Why, in which minute and at what price a position is left inside a bar; whether that is in doubt."""
    loss = on_tick(entry_price * (1.0 - knobs.stop_loss), tick_bounds, tick_sizes, DOWN)
    trail = on_tick(peak * (1.0 - knobs.trailing_stop), tick_bounds, tick_sizes, DOWN)
    stop, why = (trail, TRAILING) if trail > loss else (loss, STOP)
    target = on_tick(entry_price * (1.0 + knobs.take_profit), tick_bounds, tick_sizes, UP)
    reason, price = reached(bars.open[bar], bars.high[bar], bars.low[bar], stop, target)
    minute, doubts = -1, 0
    if reason == _BOTH:
        if len(spans):
            for at in range(spans[bar, 0], spans[bar, 1]):
                reason, price = reached(fine.open[at], fine.high[at], fine.low[at], stop, target)
                if reason:
                    minute = at
                    break
        if reason == _BOTH:
            doubts = 1
            reason, price = (TARGET, target) if knobs.is_optimistic else (STOP, stop)
    if reason == STOP:
        return why, minute, on_tick(price * (1.0 - knobs.slippage), tick_bounds, tick_sizes, DOWN), doubts
    return reason, minute, price, doubts


@njit(cache=True)
def reached(opens: float, high: float, low: float, stop: float, target: float) -> tuple[int, float]:
    """Which of the two a bar reaches, and the price there; 0 when neither."""
    if opens <= stop:
        return STOP, opens
    if opens >= target:
        return TARGET, opens
    if low <= stop:
        return (_BOTH, stop) if high >= target else (STOP, stop)
    if high >= target:
        return TARGET, target
    return 0, 0.0


@njit(cache=True)
def on_tick(price: float, bounds: Floats, sizes: Floats, upwards: bool) -> Any:  # noqa: FBT001 - the compiler knows no other
    """The price on the grid; parts of a won are counted by their whole inverse, so the result is exact."""
    for bound, size in zip(bounds, sizes):  # noqa: B905 - the compiler knows no strict
        if price >= bound:
            if size >= 1.0:
                return whole(price / size, upwards) * size
            parts = np.rint(1.0 / size)
            return whole(price * parts, upwards) / parts
    return price


@njit(cache=True)
def whole(steps: float, upwards: bool) -> Any:  # noqa: FBT001 - the compiler knows no other
    """Up or down to a whole step, unless it is one and only rounding hides it."""
    nearest = np.rint(steps)
    if abs(steps - nearest) <= _ROUNDING * steps:
        return nearest
    return np.ceil(steps) if upwards else np.floor(steps)
