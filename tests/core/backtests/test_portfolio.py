"""Several coins on one cash, against the plain engine and against one coin alone."""

from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.engine import REASONS, Day, minutes_within
from coinhts_core.backtests.portfolio import nothing_held, run_portfolio
from tests.core.backtests.plain_engine import Bar
from tests.core.backtests.test_engine import RULES, accounts, bars_of, course, plain_engine, walks

COIN = 6


def books(account, walks_of_coins, *, knows_quarters=False, first=0, holdings=None):
    """Lead an account through the hours of several coins, from an hour on."""
    coins = []
    for prices, decisions, fractions in walks_of_coins:
        bars = bars_of(prices, first)
        quarters = [part for bar in prices for part in bar.parts] if knows_quarters else []
        minutes = minutes_within(bars, bars_of(quarters, first * 4, length=15)) if quarters else None
        coins.append(Day(bars, np.array(decisions, np.int8), np.array(fractions, float), minutes))
    holdings = holdings or nothing_held(account.cash, len(coins))
    return run_portfolio(holdings, coins, account.costs(RULES), account.limits())


def told(of):
    return [(int(row[COIN]), int(row[0]), REASONS[int(row[2])]) for row in of.fills.tolist()]


@settings(max_examples=60)
@given(walks(), accounts, st.booleans())
def test_one_coin_alone_is_the_engine(walk, account, knows_quarters):
    """The same fills in the same minutes, the same equity, to the last bit."""
    assume(walk[0])
    found = books(account, [walk], knows_quarters=knows_quarters)
    quarters = [part for bar in walk[0] for part in bar.parts] if knows_quarters else ()
    alone = course(account, walk[0], walk[1], quarters=quarters, fractions=walk[2])
    assert found.fills[:, :COIN].tolist() == alone.fills.tolist()
    assert found.equity.tolist() == alone.equity.tolist()
    assert (found.ambiguous, found.holdings.cash) == (alone.ambiguous, alone.marks.cash)


class PlainPortfolio:
    """Plain engines that hand one purse around, in the order the module tells."""

    def __init__(self, account, coins):
        self.cash = Decimal(account.cash)
        self.engines = [plain_engine(account) for _ in range(coins)]
        self.fills = []

    @property
    def worth(self):
        return self.cash + sum(engine.volume * engine.last_price for engine in self.engines)

    def step(self, coin, act, *arguments):
        """Let a coin's engine do one thing with the purse in its hand."""
        engine = self.engines[coin]
        before, engine.cash = len(engine.fills), self.cash
        getattr(engine, act)(*arguments)
        self.cash = engine.cash
        self.fills += [(coin, *fill) for fill in engine.fills[before:]]

    def run(self, hours):
        for place, coins in enumerate(hours):
            for coin, (bar, _, _) in enumerate(coins):
                self.engines[coin].last_price = bar.open
                if self.engines[coin].order in {"decision", "time"}:
                    self.step(coin, "at_open", place, bar)
            for coin, (bar, _, _) in enumerate(coins):
                engine = self.engines[coin]
                if engine.order == "buy":
                    budget = min(engine.part * self.worth, engine.fixed)
                    whole = replace(engine, fixed=budget, part=Decimal(1), fills=engine.fills)
                    self.engines[coin] = whole
                    self.step(coin, "at_open", place, bar)
                    whole.fixed = engine.fixed
            for coin, (bar, decision, fraction) in enumerate(coins):
                self.step(coin, "inside", place, bar)
                self.step(coin, "at_close", bar, decision, fraction)


@st.composite
def shared_hours(draw):
    """The same hours of two or three coins."""
    coins = draw(st.lists(walks(), min_size=2, max_size=3))
    count = min(len(bars) for bars, _, _ in coins)
    assume(count > 1)
    return [tuple(column[:count] for column in coin) for coin in coins]


@settings(max_examples=100)
@given(shared_hours(), accounts)
def test_several_coins_agree_with_plain_engines_sharing_a_purse(coins, account):
    """Same fills of the same coins for the same reasons; money to a billionth."""
    found = books(account, coins)
    plain = PlainPortfolio(account, len(coins))
    exact = [(bars, sides, [Decimal(str(part)) for part in parts]) for bars, sides, parts in coins]
    exact = [([bar._replace(parts=()) for bar in bars], *rest) for bars, *rest in exact]
    with localcontext(prec=60):
        plain.run(zip(*(zip(*coin, strict=True) for coin in exact), strict=True))
    assert told(found) == [fill[:3] for fill in plain.fills]
    numbers = [pytest.approx(tuple(map(float, fill[3:])), rel=1e-9) for fill in plain.fills]
    assert numbers == [tuple(row[3:COIN]) for row in found.fills.tolist()]
    assert pytest.approx(float(plain.worth), rel=1e-9, abs=1e-4) == found.equity[-1]
    assert found.holdings.cash >= 0


@settings(max_examples=50)
@given(shared_hours(), accounts, st.integers(1, 24))
def test_what_is_handed_on_is_all_there_is(coins, account, cut):
    """In two stretches as in one, to the last bit."""
    cut = min(cut, len(coins[0][0]) - 1)
    whole = books(account, coins)
    first = books(account, [tuple(column[:cut] for column in coin) for coin in coins])
    rest = [tuple(column[cut:] for column in coin) for coin in coins]
    second = books(account, rest, first=cut, holdings=first.holdings)
    assert [*first.equity, *second.equity] == whole.equity.tolist()
    assert second.holdings.cash == whole.holdings.cash


def flat(price, count=3):
    return [Bar(*[Decimal(price)] * 4)] * count


def test_the_coin_named_first_gets_the_cash():
    """Of entries at one moment the earlier coin takes its part; what is left is the next one's."""
    walk = (flat(100), [1, 0, 0], [1.0] * 3)
    assert told(books(Account(cash=1e6), [walk, walk])) == [(0, 1, "entry")]
    halves = (flat(100), [1, 0, 0], [0.6] * 3)
    found = books(Account(cash=1e6, fee_rate=0), [halves, halves])
    assert [row[4] * row[3] for row in found.fills.tolist()] == [pytest.approx(600_000), pytest.approx(400_000)]


def test_sales_come_before_entries():
    """What one coin's sale brings in is there for another one's entry at the same open."""
    leaving, entering = (flat(100, 4), [1, -1, 0, 0], [1.0] * 4), (flat(50, 4), [0, 1, 0, 0], [1.0] * 4)
    for coins, expected in (
        ([leaving, entering], [(0, 1, "entry"), (0, 2, "decision"), (1, 2, "entry")]),
        ([entering, leaving], [(1, 1, "entry"), (1, 2, "decision"), (0, 2, "entry")]),
    ):
        assert told(books(Account(cash=1e6), coins)) == expected


def test_coins_need_not_trade_at_the_same_moments():
    """One that is quiet keeps its last price and its order; equity has a row a moment."""
    quiet = Day(bars_of(flat(100, 1)), np.array([1], np.int8), np.ones(1))
    busy = Day(bars_of(flat(50, 3), 1), np.zeros(3, np.int8), np.ones(3))
    account = Account(cash=1e6, fee_rate=0)
    found = run_portfolio(nothing_held(1e6, 2), [quiet, busy], account.costs(RULES), account.limits())
    assert len(found.moments) == 4
    assert found.holdings.order.tolist() == [1, 0]
    later = Day(bars_of(flat(80, 1), 9), np.zeros(1, np.int8), np.ones(1))
    nothing = Day(bars_of([]), np.zeros(0, np.int8), np.ones(0))
    rest = run_portfolio(found.holdings, [later, nothing], account.costs(RULES), account.limits())
    assert told(rest) == [(0, 0, "entry")]
