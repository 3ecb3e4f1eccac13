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
from numpy.typing import NDArray

from coinhts_core.backtests.account import Costs, Limits
from coinhts_core.candles.bars import Bars
from coinhts_core.compiled import A_LINE, borrowing, compiled, fetch_ahead
from coinhts_core.signals import Turned, turns_of
from coinhts_core.strategies import LEAVE, NOTHING, Decisions

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
_ABREAST = 64  # bars
_AHEAD = 16  # entries
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
    ambiguous: int
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
    """What comes: bars, what is decided at their closes, the parts of the account an entry spends, and the minutes.

    A single part stands for all bars.
    """

    bars: Bars
    decisions: Decisions
    fractions: Floats
    minutes: Minutes | None = None


def run_course(marks: Marks, day: Day, costs: Costs, limits: Limits, *, is_optimistic: bool = False) -> Course:
    """Lead an account through bars; no bars leave it as it was."""
    knobs = knobs_of(costs, limits, is_optimistic=is_optimistic)
    bars = prices_of(day.bars)
    fine, spans = (prices_of(day.minutes.bars), day.minutes.spans) if day.minutes else (bars, NO_SPANS)
    after, ambiguous, fills = through(
        tuple(marks), tuple(bars), turns_of(day.decisions), day.fractions, tuple(fine), spans, tuple(knobs),
        costs.tick_bounds, costs.tick_sizes,
    )  # fmt: skip
    return Course(Marks(*after), ambiguous, fills)


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


@compiled
def through(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    marks: tuple[Any, ...], bars: tuple[Floats, ...], turns: Turned, fractions: Floats, fine: tuple[Floats, ...],
    spans: Rows, knobs: tuple[Any, ...], tick_bounds: Floats, tick_sizes: Floats,
) -> tuple[Marks, int, Floats]:  # fmt: skip
    """Marks, prices and knobs may come without their names: numba reads plain tuples four times as fast."""
    prices, openings = Prices(*bars), np.empty(len(turns))
    fills = np.empty((2 * behind(turns, prices.open, openings) + 2, 6))
    after, ambiguous, filled = led(
        Marks(*marks), prices, turns, openings, fractions, Prices(*fine), spans, Knobs(*knobs), tick_bounds, tick_sizes,
        fills,
    )  # fmt: skip
    return after, ambiguous, fills[:filled]


@borrowing
def led(  # noqa: C901, PLR0912, PLR0915, PLR0917 - compiled: the table above, handed numbers and arrays one by one
    marks: Marks, bars: Prices, turns: Turned, openings: Floats, fractions: Floats, fine: Prices, spans: Rows,
    knobs: Knobs, tick_bounds: Floats, tick_sizes: Floats, fills: Floats,
) -> tuple[Marks, int, int]:  # fmt: skip
    """From one order or level to the next: the bars between them change nothing, and are not looked at."""
    cash, volume, entry_price, peak, held, order, fraction, last_price = marks
    has_levels = knobs.stop_loss < 1.0 or knobs.trailing_stop < 1.0 or knobs.take_profit < np.inf
    filled, ambiguous = 0, 0
    bar, end, into, out, held_from, fetched = 0, len(bars.open), 0, 0, 0, 0
    hit, stop, why, target, opening = end, 0.0, 0, 0.0, bars.open[0] if end else 0.0
    while bar < end:
        if order == BUY and volume == 0.0:
            price, bought, fee = buying(cash, cash * fraction, opening, knobs, tick_bounds, tick_sizes)
            if bought > 0.0:
                cash = left_of(cash, price * bought + fee)
                volume, entry_price, peak, held, held_from = bought, price, price, 0, bar
                note(fills, filled, bar, -1, ENTRY, price, volume, fee)
                filled += 1
        elif order < 0 and volume > 0.0:
            price = on_tick(opening * (1.0 - knobs.slippage), tick_bounds, tick_sizes, DOWN)
            if price * volume >= knobs.minimum:
                fee = price * volume * knobs.fee_rate
                cash += price * volume - fee
                note(fills, filled, bar, -1, DECISION if order == SELL else TIME, price, volume, fee)
                filled += 1
                volume = 0.0
        order, fraction = 0, 0.0
        if volume > 0.0:
            while out < len(turns) and -turns[out] <= bar:
                out += 1
            last = -turns[out] - 1 if out < len(turns) else end
            if knobs.hold_bars > 0:
                last = min(last, bar + max(knobs.hold_bars - held - 1, 0))
            until, hit = min(last + 1, end), end
            if has_levels:
                hit, stop, why, target, peak = first_reached(
                    bars, bar, until, entry_price, peak, knobs, tick_bounds, tick_sizes
                )
            if hit < until:
                reason, minute, price, doubts = leaving(
                    hit, bars, fine, spans, stop, why, target, knobs, tick_bounds, tick_sizes
                )
                ambiguous += doubts
                until, last, peak = hit + 1, hit, max(peak, bars.high[hit])
                if reason > 0 and price * volume >= knobs.minimum:
                    fee = price * volume * knobs.fee_rate
                    cash += price * volume - fee
                    note(fills, filled, hit, minute, reason, price, volume, fee)
                    filled += 1
                    volume = 0.0
            if volume > 0.0:
                held += until - bar
                if last < end:
                    is_decided = out < len(turns) and -turns[out] == last + 1
                    order = next_order(LEAVE if is_decided else NOTHING, volume > 0.0, held, knobs.hold_bars)
                    opening = openings[out] if is_decided else bars.open[min(last + 1, end - 1)]
                bar = last + 1
            else:
                bar = hit
        if volume == 0.0 and bar < end:
            while into < len(turns) and turns[into] <= bar:
                into += 1
            bar = end
            if has_levels:
                fetched = fetch_held(bars, turns, fetched, min(into + _AHEAD, len(turns)))
            if into < len(turns):
                bar, opening = turns[into], openings[into]
                order, fraction = BUY, fractions[min(bar - 1, len(fractions) - 1)]
    if volume == 0.0:
        entry_price, peak, held = 0.0, 0.0, 0
    else:
        peak = max(peak, highest(bars.high[held_from:]))
    if end:
        last_price = bars.close[end - 1]
    return Marks(cash, volume, entry_price, peak, held, order, fraction, last_price), ambiguous, filled


@borrowing
def behind(turns: Turned, opens: Floats, openings: Floats) -> int:
    """Fetch the opens behind bars that decide something, and count how many of those enter.

    They are fetched together, since one by one each would be waited for.
    """
    entries = 0
    for place in range(len(turns)):
        openings[place] = opens[min(abs(turns[place]), len(opens) - 1)]
        entries += turns[place] > 0
    return entries


@borrowing
def fetch_held(bars: Prices, turns: Turned, first: int, end: int) -> int:
    """Have the bars fetched that are looked at when one of these turns enters; how far they are."""
    for place in range(first, end):
        if turns[place] > 0:
            for bar in range(turns[place], turns[place] + _ABREAST, A_LINE):
                fetch_ahead(bars.low, bar)
                fetch_ahead(bars.high, bar)
    return max(first, end)


@borrowing
def first_reached(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    bars: Prices, first: int, end: int, entry_price: float, peak: float, knobs: Knobs,
    tick_bounds: Floats, tick_sizes: Floats,
) -> tuple[int, float, int, float, float]:  # fmt: skip
    """The first bar that reaches a level, or the end; the levels in it, and the peak before it, which a stop trails."""
    stop, why, target = levels(entry_price, peak, knobs, tick_bounds, tick_sizes)
    bar, is_reached = first, knobs.trailing_stop < 1.0
    while bar < end and not is_reached:  # levels that stay: many bars are looked at abreast, up to those that reach one
        lows, highs = bars.low[bar : min(bar + _ABREAST, end)], bars.high[bar : min(bar + _ABREAST, end)]
        reaching = 0
        for place in range(len(lows)):
            reaching += (lows[place] <= stop) | (highs[place] >= target)
        is_reached = reaching > 0
        bar += 0 if is_reached else len(lows)
    while bar < end and bars.low[bar] > stop and bars.high[bar] < target:
        if knobs.trailing_stop < 1.0 and bars.high[bar] > peak:
            peak = bars.high[bar]
            stop, why, target = levels(entry_price, peak, knobs, tick_bounds, tick_sizes)
        bar += 1
    return bar, stop, why, target, peak


@borrowing
def highest(prices: Floats) -> Any:
    found = 0.0
    for price in prices:
        found = max(found, price)
    return found


@borrowing
def next_order(decision: int, is_holding: bool, held: int, hold_bars: int) -> int:  # noqa: FBT001 - the compiler knows no other
    if not is_holding:
        return BUY if decision > 0 else 0
    if decision < 0:
        return SELL
    return TIME_IS_UP if 0 < hold_bars <= held else 0


@borrowing
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


@borrowing
def left_of(cash: float, spent: float) -> Any:
    """What remains; where nothing should, rounding leaves no crumb that another coin could be bought for."""
    rest = cash - spent
    return rest if rest > _CRUMB * cash else 0.0


@borrowing
def note(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    fills: Floats, row: int, bar: int, minute: int, reason: int, price: float, volume: float, fee: float
) -> None:
    fills[row, 0], fills[row, 1], fills[row, 2] = bar, minute, reason
    fills[row, 3], fills[row, 4], fills[row, 5] = price, volume, fee


@borrowing
def levels(
    entry_price: float, peak: float, knobs: Knobs, tick_bounds: Floats, tick_sizes: Floats
) -> tuple[float, int, float]:
    """The stop, which of the two it is, and the target."""
    loss = on_tick(entry_price * (1.0 - knobs.stop_loss), tick_bounds, tick_sizes, DOWN)
    trail = on_tick(peak * (1.0 - knobs.trailing_stop), tick_bounds, tick_sizes, DOWN)
    target = on_tick(entry_price * (1.0 + knobs.take_profit), tick_bounds, tick_sizes, UP)
    return (trail, TRAILING, target) if trail > loss else (loss, STOP, target)


@borrowing
def leaving(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    bar: int, bars: Prices, fine: Prices, spans: Rows, stop: float, why: int, target: float, knobs: Knobs,
    tick_bounds: Floats, tick_sizes: Floats,
) -> tuple[int, int, float, int]:  # fmt: skip
    """Why, in which minute and at what price a position is left inside a bar; whether that is in doubt."""
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


@borrowing
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


@borrowing
def on_tick(price: float, bounds: Floats, sizes: Floats, upwards: bool) -> Any:  # noqa: FBT001 - the compiler knows no other
    """The price on the grid; parts of a won are counted by their whole inverse, so the result is exact."""
    for place in range(len(bounds)):
        if price >= bounds[place]:
            if sizes[place] >= 1.0:
                return whole(price / sizes[place], upwards) * sizes[place]
            parts = np.rint(1.0 / sizes[place])
            return whole(price * parts, upwards) / parts
    return price


@borrowing
def whole(steps: float, upwards: bool) -> Any:  # noqa: FBT001 - the compiler knows no other
    """Up or down to a whole step, unless it is one and only rounding hides it."""
    nearest = np.rint(steps)
    if abs(steps - nearest) <= _ROUNDING * steps:
        return nearest
    return np.ceil(steps) if upwards else np.floor(steps)
