"""The portfolio: several coins on one cash.

What lives here: the compiled loop over the bars of all coins, moment by moment. What stays out: what happens to one
coin's position inside its bar, which is the engine's fill table (`engine`).

At each moment, in this order: sales at the open, coin by coin; entries at the open, coin by coin in the order the coins
were handed over, so that of those that compete for the cash the earlier one gets it; stops and targets; closes and
decisions. A part of the account is a part of the cash and of all coins at their last prices.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from coinhts_core.backtests.account import Costs, Limits
from coinhts_core.backtests.engine import (
    BUY,
    DECISION,
    DOWN,
    ENTRY,
    SELL,
    TIME,
    Day,
    Floats,
    Knobs,
    Minutes,
    Prices,
    Rows,
    buying,
    knobs_of,
    leaving,
    left_of,
    levels,
    next_order,
    note,
    on_tick,
    prices_of,
)  # fmt: skip
from coinhts_core.compiled import compiled
from coinhts_core.strategies import Decisions


class Holdings(NamedTuple):
    """What one moment hands to the next; of coins, a number each."""

    cash: float
    volume: Floats
    entry_price: Floats
    peak: Floats
    fraction: Floats
    last_price: Floats
    held: Rows
    order: Rows


class Books(NamedTuple):
    """What became of the account: equity after each moment, and fills as the engine's, with the coin behind."""

    holdings: Holdings
    moments: Rows
    equity: Floats
    ambiguous: int
    fills: Floats


def nothing_held(cash: float, coins: int) -> Holdings:
    volume, entry_price, peak, fraction, last_price = np.zeros((5, coins))
    held, order = np.zeros((2, coins), np.int64)
    return Holdings(cash, volume, entry_price, peak, fraction, last_price, held, order)


def run_portfolio(
    holdings: Holdings, coins: Sequence[Day], costs: Costs, limits: Limits, *, is_optimistic: bool = False
) -> Books:
    """Lead one account through the bars of all coins, which need not open at the same moments."""
    opened_at = np.concatenate([coin.bars.opened_at for coin in coins])
    starts = np.cumsum([0, *(len(coin.bars) for coin in coins)]).astype(np.int64)
    moments = np.unique(opened_at)
    fine, spans, before = _minutes_of(coins)
    after: Holdings = deepcopy(holdings)
    cash, equity, ambiguous, fills = _run(
        after, moments, opened_at, starts, _together([prices_of(coin.bars) for coin in coins]),
        np.concatenate([coin.decisions for coin in coins]), np.concatenate([_parts(coin) for coin in coins]),
        fine, spans, knobs_of(costs, limits, is_optimistic=is_optimistic), costs.tick_bounds, costs.tick_sizes,
    )  # fmt: skip
    inside = fills[:, 1] >= 0
    fills[inside, 1] -= before[fills[inside, 6].astype(np.int64)]
    return Books(after._replace(cash=cash), moments, equity, ambiguous, fills)


def _parts(coin: Day) -> Floats:
    return np.broadcast_to(coin.fractions, len(coin.bars)) if len(coin.fractions) == 1 else coin.fractions


def _together(prices: Sequence[Prices]) -> Prices:
    return Prices(*(np.concatenate(columns) for columns in zip(*prices, strict=True)))


def _minutes_of(coins: Sequence[Day]) -> tuple[Prices, Rows, Rows]:
    """The minutes of all coins in one row, each bar's among them, and how many come before a coin's own."""
    minutes = [coin.minutes or Minutes(coin.bars[:0], np.zeros((len(coin.bars), 2), np.int64)) for coin in coins]
    before = np.cumsum([0, *(len(of.bars) for of in minutes)]).astype(np.int64)
    spans = [of.spans + start for of, start in zip(minutes, before, strict=False)]
    return _together([prices_of(of.bars) for of in minutes]), np.concatenate(spans), before


@compiled
def _run(  # noqa: C901, PLR0912, PLR0917 - compiled: the order told above, handed numbers and arrays one by one
    of: Holdings, moments: Rows, opened_at: Rows, starts: Rows, bars: Prices, decisions: Decisions, fractions: Floats,
    fine: Prices, spans: Rows, knobs: Knobs, tick_bounds: Floats, tick_sizes: Floats,
) -> tuple[float, Floats, int, Floats]:  # fmt: skip
    cash, coins = of.cash, len(starts) - 1
    equity, ambiguous = np.empty(len(moments)), 0
    fills, filled = np.empty((16, 7)), 0
    rows, is_open = starts[:-1].copy(), np.zeros(coins, np.bool_)
    for moment in range(len(moments)):
        if filled + 2 * coins > len(fills):
            fills = with_room_for(fills, filled + 2 * coins)
        for coin in range(coins):
            bar = rows[coin]
            is_open[coin] = bar < starts[coin + 1] and opened_at[bar] == moments[moment]
            if is_open[coin]:
                of.last_price[coin] = bars.open[bar]
                if of.order[coin] < 0 and of.volume[coin] > 0.0:
                    price = on_tick(bars.open[bar] * (1.0 - knobs.slippage), tick_bounds, tick_sizes, DOWN)
                    if price * of.volume[coin] >= knobs.minimum:
                        why = DECISION if of.order[coin] == SELL else TIME
                        cash += sell(of, coin, price, knobs, fills, filled, bar - starts[coin], -1, why)
                        filled += 1
        for coin in range(coins):
            if is_open[coin] and of.order[coin] == BUY and of.volume[coin] == 0.0:
                bar, budget = rows[coin], of.fraction[coin] * (cash + (of.volume * of.last_price).sum())
                price, bought, fee = buying(cash, budget, bars.open[bar], knobs, tick_bounds, tick_sizes)
                if bought > 0.0:
                    cash = left_of(cash, price * bought + fee)
                    of.volume[coin], of.entry_price[coin], of.peak[coin], of.held[coin] = bought, price, price, 0
                    note(fills, filled, bar - starts[coin], -1, ENTRY, price, bought, fee)
                    fills[filled, 6] = coin
                    filled += 1
        for coin in range(coins):
            if not is_open[coin]:
                continue
            bar = rows[coin]
            if of.volume[coin] > 0.0:
                stop, why, target = levels(of.entry_price[coin], of.peak[coin], knobs, tick_bounds, tick_sizes)
                reason, minute, price, doubts = leaving(
                    bar, bars, fine, spans, stop, why, target, knobs, tick_bounds, tick_sizes
                )
                ambiguous += doubts
                if reason > 0 and price * of.volume[coin] >= knobs.minimum:
                    cash += sell(of, coin, price, knobs, fills, filled, bar - starts[coin], minute, reason)
                    filled += 1
                else:
                    of.peak[coin] = max(of.peak[coin], bars.high[bar])
                    of.held[coin] += 1
            of.last_price[coin] = bars.close[bar]
            of.order[coin] = next_order(decisions[bar], of.volume[coin] > 0.0, of.held[coin], knobs.hold_bars)
            of.fraction[coin] = fractions[bar] if of.order[coin] == BUY else 0.0
            rows[coin] += 1
        equity[moment] = cash + (of.volume * of.last_price).sum()
    return cash, equity, ambiguous, fills[:filled]


@compiled
def sell(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    of: Holdings, coin: int, price: float, knobs: Knobs, fills: Floats, row: int, bar: int, minute: int, reason: int
) -> Any:
    """Sell all of a coin and note it; tells the KRW that come in."""
    volume = of.volume[coin]
    fee = price * volume * knobs.fee_rate
    note(fills, row, bar, minute, reason, price, volume, fee)
    fills[row, 6] = coin
    of.volume[coin] = 0.0
    return price * volume - fee


@compiled
def with_room_for(fills: Floats, count: int) -> Floats:
    more = np.empty((2 * count, fills.shape[1]))
    more[: len(fills)] = fills
    return more
