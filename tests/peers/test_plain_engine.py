"""Points of a sweep against the engine in plain decimals, with averages of plain sums: quick, so always tested.

What stays out: other people's engines, which take their time to install (`test_vectorbt`).
"""

from decimal import Decimal
from functools import cache
from itertools import pairwise
from math import fsum

import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.strategies import load
from tests.core.backtests.plain_engine import Bar, PlainEngine
from tests.peers.workloads import CASH, CROSSINGS, FEE_RATE, minutes

CANDLES = minutes(3_000)
TWENTY = CROSSINGS[::51]


class WithoutLevels(PlainEngine):
    """It never stands near a stop, for it has none."""

    def not_too_near(self, bar, stop, target):
        """Nothing to look at."""


@cache
def averages(window):
    """Means of the last so many closes, from the first complete one on."""
    closes = CANDLES["close"].to_list()
    return [None] * (window - 1) + [fsum(closes[end - window : end]) / window for end in range(window, len(closes) + 1)]


def crossings(fast, slow):
    """1 where the fast average has risen above the slow one, -1 where it has fallen below."""
    decisions = [0] * slow
    stands = [quick > calm for quick, calm in zip(averages(fast)[slow - 1 :], averages(slow)[slow - 1 :], strict=True)]
    return decisions + [after - before for before, after in pairwise(stands)]


def exact_bars():
    rows = CANDLES.select("open", "high", "low", "close").iter_rows()
    return [Bar(*map(Decimal, row)) for row in rows]


def led(decisions):
    """Lead the plain engine through the candles; give it and its equity at each close."""
    plain = WithoutLevels(Decimal(int(CASH)), None, Decimal(str(FEE_RATE)))
    equity = []
    for place, (bar, decision) in enumerate(zip(exact_bars(), decisions, strict=True)):
        plain.at_open(place, bar)
        plain.inside(place, bar)
        plain.at_close(bar, decision, Decimal(1))
        equity.append(plain.equity)
    return plain, equity


def test_there_are_twenty_points():
    """They lie all over the sweep."""
    assert (len(TWENTY), len(set(TWENTY))) == (20, 20)
    assert {fast for fast, _ in TWENTY} >= {4, 52}


@pytest.mark.parametrize(("fast", "slow"), TWENTY)
def test_a_point_is_the_plain_engines(fast, slow):
    """Same trades at the same prices, and equity within a billionth at every bar."""
    plain, equity = led(crossings(fast, slow))
    result = run(CANDLES, load("sma_cross", fast=fast, slow=slow), Account(cash=CASH, rules=None, fee_rate=FEE_RATE))
    places = CANDLES["opened_at"].search_sorted
    trades = result.trades
    fills = [
        fill
        for opened_at, closed_at, entry, left in trades.select(
            "opened_at", "closed_at", "entry_price", "exit_price"
        ).iter_rows()
        for fill in ((places(opened_at), "entry", entry), (places(closed_at), "decision", left))
    ]
    closed = plain.fills[: len(fills)]
    assert [(place, why, float(price)) for place, why, price, *_ in closed] == fills
    assert len(fills) >= 6
    held = result.symbols[0].fills.open_position()
    assert [place for place, *_ in plain.fills[len(fills) :]] == ([places(held["opened_at"])] if held else [])
    assert result.equity["equity"].to_list() == pytest.approx([float(of) for of in equity], rel=1e-9)
