"""Tallies: many accounts led through the same bars, and what is counted of each on the way.

What lives here: the compiled loop over accounts, each of which is led by the engine itself, and what is counted of its
fills. What stays out: the fill table (`engine`), what is told of the tallies (`sweep_figures`), and which accounts
there are (`points`).

Of an account's fills only sums are kept, and its worth at day ends: so many accounts need little room. Each sum adds up
what `round_trips` adds up, in the same order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coinhts_core.backtests.engine import Floats, Knobs, Marks, Prices, Rows, through
from coinhts_core.backtests.worth import booked
from coinhts_core.compiled import borrowing, compiled
from coinhts_core.signals import Turns


class Standings(NamedTuple):
    """What one stretch hands to the next: the marks of each account, and what its open position cost."""

    cash: Floats
    volume: Floats
    entry_price: Floats
    peak: Floats
    held: Rows
    order: Rows
    fraction: Floats
    last_price: Floats
    spent: Floats
    entry_fee: Floats
    entered: Rows


class Tallies(NamedTuple):
    """What was counted of each account; `daily` is its worth at day ends, the starting cash first."""

    daily: Floats
    trades: Rows
    wins: Rows
    bars_held: Rows
    ambiguous: Rows
    won: Floats
    lost: Floats
    fees: Floats
    best: Floats
    worst: Floats


class _Count(NamedTuple):
    """What was counted of one account, and what its open position cost."""

    spent: float
    entry_fee: float
    entered: int
    trades: int
    wins: int
    bars_held: int
    won: float
    lost: float
    fees: float
    best: float
    worst: float


class Stretch(NamedTuple):
    """Some bars: which is the first of them, the first day that ends among them, and the last bar of each such day."""

    bars: Prices
    fine: Prices
    spans: Rows
    first_bar: int
    first_day: int
    day_ends: Rows


def beginning(cash: Sequence[float], days: int) -> tuple[Standings, Tallies]:
    count = len(cash)
    floats, whole = np.zeros((7, count)), np.zeros((7, count), dtype=np.int64)
    volume, entry_price, peak, fraction, last_price, spent, entry_fee = floats
    held, order, entered, trades, wins, bars_held, ambiguous = whole
    marks = Standings(
        np.array(cash), volume, entry_price, peak, held, order, fraction, last_price, spent, entry_fee, entered
    )
    daily = np.empty((count, days + 1))
    daily[:, 0] = cash
    won, lost, fees = np.zeros((3, count))
    best, worst = np.full(count, -np.inf), np.full(count, np.inf)
    return marks, Tallies(daily, trades, wins, bars_held, ambiguous, won, lost, fees, best, worst)


@compiled
def lead_together(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    of: Standings, tallies: Tallies, stretch: Stretch, turns: Turns, rows: Rows, fractions: Floats,
    knobs: Floats, tick_bounds: Floats, tick_sizes: Floats,
) -> None:  # fmt: skip
    """Lead each account through a stretch by its row of the turns."""
    for one in range(len(of.cash)):
        marks = Marks(
            of.cash[one], of.volume[one], of.entry_price[one], of.peak[one],
            of.held[one], of.order[one], of.fraction[one], of.last_price[one],
        )  # fmt: skip
        terms = Knobs(
            knobs[one, 0], knobs[one, 1], knobs[one, 2], knobs[one, 3], knobs[one, 4], knobs[one, 5], knobs[one, 6],
            int(knobs[one, 7]), knobs[one, 8] > 0.0,
        )  # fmt: skip
        after, ambiguous, fills = through(
            marks, stretch.bars, turns.bars[rows[one], : turns.counts[rows[one]]], fractions[one],
            stretch.fine, stretch.spans, terms, tick_bounds, tick_sizes,
        )  # fmt: skip
        count = _Count(
            of.spent[one], of.entry_fee[one], of.entered[one], tallies.trades[one], tallies.wins[one],
            tallies.bars_held[one], tallies.won[one], tallies.lost[one], tallies.fees[one], tallies.best[one],
            tallies.worst[one],
        )  # fmt: skip
        count = _counted(
            count, of.cash[one], of.volume[one], fills, stretch.first_bar, stretch.day_ends, stretch.bars.close,
            tallies.daily[one, stretch.first_day + 1 :],
        )  # fmt: skip
        of.spent[one], of.entry_fee[one], of.entered[one] = count.spent, count.entry_fee, count.entered
        tallies.trades[one], tallies.wins[one], tallies.bars_held[one] = count.trades, count.wins, count.bars_held
        tallies.won[one], tallies.lost[one], tallies.fees[one] = count.won, count.lost, count.fees
        tallies.best[one], tallies.worst[one] = count.best, count.worst
        tallies.ambiguous[one] += ambiguous
        of.cash[one], of.volume[one], of.entry_price[one] = after.cash, after.volume, after.entry_price
        of.peak[one], of.held[one], of.order[one] = after.peak, after.held, after.order
        of.fraction[one], of.last_price[one] = after.fraction, after.last_price


@borrowing
def _counted(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    of: _Count, cash: float, volume: float, fills: Floats, first_bar: int, day_ends: Rows, closes: Floats, daily: Floats
) -> _Count:
    """What is counted behind some fills; and the worth at each day's end on the way."""
    spent, entry_fee, entered, trades, wins, bars_held, won, lost, fees, best, worst = of
    day = 0
    for place in range(len(fills)):
        bar = int(fills[place, 0])
        while day < len(day_ends) and day_ends[day] < bar:
            daily[day] = cash + volume * closes[day_ends[day]]
            day += 1
        price, traded, fee = fills[place, 3], fills[place, 4], fills[place, 5]
        cash, volume = booked(cash, fills[place, 2], price, traded, fee)
        if volume > 0.0:
            spent, entry_fee, entered = price * traded + fee, fee, first_bar + bar
            continue
        profit = price * traded - fee - spent
        change = profit / spent
        trades, bars_held, fees = trades + 1, bars_held + first_bar + bar - entered, fees + (entry_fee + fee)
        best, worst = max(best, change), min(worst, change)
        wins += profit > 0.0
        won += max(profit, 0.0)
        lost += min(profit, 0.0)
    for later in range(day, len(day_ends)):
        daily[later] = cash + volume * closes[day_ends[later]]
    return _Count(spent, entry_fee, entered, trades, wins, bars_held, won, lost, fees, best, worst)
