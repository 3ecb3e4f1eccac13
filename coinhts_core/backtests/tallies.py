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
from numpy.typing import NDArray

from coinhts_core.backtests.engine import ENTRY, Floats, Knobs, Marks, Prices, Rows, through
from coinhts_core.backtests.worth import booked
from coinhts_core.compiled import compiled


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
    of: Standings, tallies: Tallies, stretch: Stretch, decisions: NDArray[np.int8], rows: Rows, fractions: Floats,
    knobs: Floats, tick_bounds: Floats, tick_sizes: Floats,
) -> None:  # fmt: skip
    """Lead each account through a stretch by its row of the decisions."""
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
            marks, stretch.bars, decisions[rows[one]], fractions[one], stretch.fine, stretch.spans,
            terms, tick_bounds, tick_sizes,
        )  # fmt: skip
        _count(of, tallies, one, stretch, fills)
        tallies.ambiguous[one] += ambiguous
        of.cash[one], of.volume[one], of.entry_price[one] = after.cash, after.volume, after.entry_price
        of.peak[one], of.held[one], of.order[one] = after.peak, after.held, after.order
        of.fraction[one], of.last_price[one] = after.fraction, after.last_price


@compiled
def _count(of: Standings, tallies: Tallies, one: int, stretch: Stretch, fills: Floats) -> None:
    cash, volume, day, days = of.cash[one], of.volume[one], 0, len(stretch.day_ends)
    for place in range(len(fills) + 1):
        bar = fills[place, 0] if place < len(fills) else np.inf
        while day < days and stretch.day_ends[day] < bar:
            tallies.daily[one, stretch.first_day + day + 1] = cash + volume * stretch.bars.close[stretch.day_ends[day]]
            day += 1
        if place < len(fills):
            cash, volume = booked(cash, fills, place)
            _count_fill(of, tallies, one, stretch.first_bar + int(bar), fills, place)


@compiled
def _count_fill(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    of: Standings, tallies: Tallies, one: int, bar: int, fills: Floats, place: int
) -> None:
    reason, price, volume, fee = fills[place, 2], fills[place, 3], fills[place, 4], fills[place, 5]
    if reason == ENTRY:
        of.spent[one], of.entry_fee[one], of.entered[one] = price * volume + fee, fee, bar
        return
    profit = price * volume - fee - of.spent[one]
    change = profit / of.spent[one]
    tallies.trades[one] += 1
    tallies.bars_held[one] += bar - of.entered[one]
    tallies.fees[one] += of.entry_fee[one] + fee
    tallies.best[one], tallies.worst[one] = max(tallies.best[one], change), min(tallies.worst[one], change)
    if profit > 0.0:
        tallies.wins[one] += 1
        tallies.won[one] += profit
    elif profit < 0.0:
        tallies.lost[one] += profit
