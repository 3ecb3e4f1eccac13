"""Courses: an account led through coins' bars from the first to the last, each day under the rules of that day.

What lives here: `Coin`, `lead`, and the stretches of time between changes of the rule book. What stays out: reading
candles and deciding (`runs`), the compiled loops (`engine`, `portfolio`), and what is told of the outcome (`outcome`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.engine import Day, Floats, Marks, Rows, minutes_within, run_course
from coinhts_core.backtests.outcome import Fills, Outcome
from coinhts_core.backtests.portfolio import nothing_held, run_portfolio
from coinhts_core.backtests.sources import Seen
from coinhts_core.backtests.worth import Curve, Recorded, Told
from coinhts_core.candles.bars import Bars
from coinhts_core.errors import RefusedError
from coinhts_core.rules import Rules, days_of_change, rules_on
from coinhts_core.strategies import Decisions, Strategy

_EPOCH = date(1970, 1, 1)
_MICROSECONDS_A_DAY = 86_400 * 10**6
_COIN = 6  # the column of a portfolio's fills


@dataclass(frozen=True, eq=False)
class Coin:
    """What is seen of a coin, and what was decided at each bar."""

    symbol: str
    seen: Seen
    decisions: Decisions

    @property
    def traded(self) -> Bars:
        return self.seen.traded

    def brings(self, account: Account, rows: slice) -> Day:
        """What some of the traded bars bring."""
        bars, minutes = self.traded[rows], self.seen.minutes
        within = None if minutes is None else minutes_within(bars, minutes)
        return Day(bars, self.decisions[self.seen.first :][rows], self.seen.parts(account, rows), within)


def lead(coins: Sequence[Coin], strategy: Strategy, account: Account) -> Outcome:
    """One coin alone, or several on one cash."""
    return _alone(coins[0], strategy, account) if len(coins) == 1 else _on_one_cash(coins, strategy, account)


def _alone(coin: Coin, strategy: Strategy, account: Account) -> Outcome:
    fills, ambiguous = _course(coin, strategy, account)
    other = _course(coin, strategy, account, is_optimistic=True)[0] if ambiguous else None
    marks, closes = Marks(account.cash), coin.traded.close
    found = _Found(
        coin.traded.opened_at,
        Told.by(marks, fills, closes),
        None if other is None else Told.by(marks, other, closes),
        ambiguous,
        [Fills(fills, coin.traded, coin.seen.minutes)],
    )
    return _outcome([coin], strategy, account, found)


def _course(coin: Coin, strategy: Strategy, account: Account, *, is_optimistic: bool = False) -> tuple[Floats, int]:
    """Fills, and how many bars are in doubt."""
    marks, limits = Marks(account.cash), account.limits(strategy.hold_bars)
    fills: list[Floats] = []
    ambiguous = 0
    for first, end, rules in epochs([coin.traded]):
        rows = between(coin.traded, first, end)
        course = run_course(
            marks, coin.brings(account, rows), account.costs(rules), limits, is_optimistic=is_optimistic
        )
        marks, ambiguous = course.marks, ambiguous + course.ambiguous
        fills.append(_counted_from(course.fills, rows.start))
    return _joined(fills), ambiguous


def _on_one_cash(coins: Sequence[Coin], strategy: Strategy, account: Account) -> Outcome:
    if len({coin.seen.timeframe for coin in coins}) > 1:
        reason = "bars of coins that share a cash must be equally long; ask for one timeframe"
        raise RefusedError(reason=reason)
    moments, equity, parts, ambiguous = _books(coins, strategy, account)
    other = _books(coins, strategy, account, is_optimistic=True)[1] if ambiguous else None
    found = _Found(
        moments,
        Recorded(account.cash, equity),
        None if other is None else Recorded(account.cash, other),
        ambiguous,
        [Fills(rows, coin.traded, coin.seen.minutes) for coin, rows in zip(coins, parts, strict=True)],
    )
    return _outcome(coins, strategy, account, found)


def _books(
    coins: Sequence[Coin], strategy: Strategy, account: Account, *, is_optimistic: bool = False
) -> tuple[Rows, Floats, list[Floats], int]:
    """Moments, equity after each, fills of each coin, and how many bars are in doubt."""
    holdings, limits = nothing_held(account.cash, len(coins)), account.limits(strategy.hold_bars)
    moments, equity, ambiguous = [np.empty(0, np.int64)], [np.empty(0)], 0
    parts: list[list[Floats]] = [[] for _ in coins]
    for first, end, rules in epochs([coin.traded for coin in coins]):
        rows = [between(coin.traded, first, end) for coin in coins]
        brought = [coin.brings(account, of) for coin, of in zip(coins, rows, strict=True)]
        books = run_portfolio(holdings, brought, account.costs(rules), limits, is_optimistic=is_optimistic)
        holdings, ambiguous = books.holdings, ambiguous + books.ambiguous
        moments.append(books.moments)
        equity.append(books.equity)
        for place, of in enumerate(rows):
            parts[place].append(_counted_from(books.fills[books.fills[:, _COIN] == place][:, :_COIN], of.start))
    return np.concatenate(moments), np.concatenate(equity), [_joined(part) for part in parts], ambiguous


class _Found(NamedTuple):
    """What the engines tell of all stretches together."""

    moments: Rows
    curve: Curve
    optimistic: Curve | None
    ambiguous: int
    parts: Sequence[Fills]


def _outcome(coins: Sequence[Coin], strategy: Strategy, account: Account, found: _Found) -> Outcome:
    began = _day_of(found.moments[0]) if len(found.moments) else _EPOCH
    return Outcome(
        cash=account.cash,
        moments=found.moments,
        length_us=coins[0].traded.length_us,
        curve=found.curve,
        optimistic=found.optimistic,
        ambiguous=found.ambiguous,
        parts=found.parts,
        fee_rate=account.costs(rules_on(began)).fee_rate,
        first_bars=[max(strategy.ready_after + 1 - coin.seen.first, 1) for coin in coins],
    )


def epochs(coins: Sequence[Bars]) -> list[tuple[int, int, Rules]]:
    """Stretches of closing times with the rule book in force, from the first bar's to the last one's."""
    closes = [bars.opened_at[[0, -1]] + bars.length_us for bars in coins if len(bars)]
    if not closes:
        return []
    first, last = min(of[0] for of in closes) - 1, max(of[-1] for of in closes)
    changes = [(day - _EPOCH).days * _MICROSECONDS_A_DAY for day in days_of_change()]
    edges = [first, *(change for change in changes if first < change < last), last]
    return [(since, until, rules_on(_day_of(since))) for since, until in pairwise(edges)]


def _day_of(microseconds: int) -> date:
    return _EPOCH + timedelta(days=int(microseconds) // _MICROSECONDS_A_DAY)


def between(bars: Bars, first: int, end: int) -> slice:
    return slice(bars.count_closed_by(first), bars.count_closed_by(end))


def _counted_from(fills: Floats, first: int) -> Floats:
    if first:
        fills[:, 0] += first
    return fills


def _joined(fills: Sequence[Floats]) -> Floats:
    return fills[0] if len(fills) == 1 else np.concatenate([np.empty((0, 6)), *fills])
