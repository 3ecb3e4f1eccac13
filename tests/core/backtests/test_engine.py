"""The fold against a second engine in plain decimals, written from the same table of fills."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.engine import Fill, State, _on_tick, fold_day
from coinhts_core.candles.bars import Bars
from coinhts_core.markets import Timeframe
from coinhts_core.positions import Position
from coinhts_core.rules import rules_on

DAY = date(2026, 1, 2)
RULES = rules_on(DAY)
OPENING = datetime(2026, 1, 2, tzinfo=UTC)
PLAIN = Account(cash=1_000_000, fee_rate=0.0005, slippage_bps=0)


def bars_of(prices, first=0):
    """Hourly bars from (open, high, low, close)."""
    opened_at = [OPENING + timedelta(hours=first + place) for place in range(len(prices))]
    columns = {"open": 0, "high": 1, "low": 2, "close": 3}
    frame = pl.DataFrame(
        {
            "opened_at": pl.Series(opened_at, dtype=pl.Datetime("us", "UTC")),
            **{name: pl.Series([float(bar[at]) for bar in prices], dtype=pl.Float64) for name, at in columns.items()},
            "volume": pl.Series([1.0] * len(prices), dtype=pl.Float64),
        }
    )
    return Bars.from_frame(frame, Timeframe.H1.length)


def sides(*decisions):
    return np.array(decisions, dtype=np.int8)


@dataclass
class SlowEngine:
    """The table of fills, one sentence at a time, without a single float."""

    cash: Decimal
    fee_rate: Decimal
    slippage: Decimal
    has_rules: bool
    volume: Decimal = Decimal(0)
    pending: int = 0
    last_price: Decimal = Decimal(0)
    fills: list = field(default_factory=list)

    @property
    def equity(self):
        return self.cash + self.volume * self.last_price

    def fold(self, bars, decisions):
        worst = self.equity
        for (opens, _, low, close), decision in zip(bars, decisions, strict=True):
            self.fill(opens)
            worst = min(worst, self.cash + self.volume * low)
            self.last_price = close
            if decision == (-1 if self.volume else 1):
                self.pending = decision
        return worst

    def fill(self, opens):
        side, self.pending = self.pending, 0
        if side == 0:
            return
        price = opens * (1 + side * self.slippage)
        if self.has_rules:
            price = RULES.round_up(price) if side > 0 else RULES.round_down(price)
        volume = self.cash / (price * (1 + self.fee_rate)) if side > 0 else self.volume
        if side > 0 and self.has_rules:
            volume = volume.quantize(Decimal("1e-8"), ROUND_FLOOR)
        # on the very edge of the minimum a step of 1e-8 of the coin decides, which doubles cannot always tell
        assume(not self.has_rules or abs(price * volume - RULES.minimum_krw) > Decimal("1e-6"))
        if volume == 0 or (self.has_rules and price * volume < RULES.minimum_krw):
            return
        fee = price * volume * self.fee_rate
        self.cash -= side * price * volume + fee
        self.volume = volume if side > 0 else Decimal(0)
        self.fills.append((side, price, volume, fee))


@st.composite
def walks(draw):
    """Days of tick-rounded bars around any price level, and what is decided at their closes."""
    level = draw(st.decimals("0.001", "200000000", places=8))
    price = st.integers(700, 1_300).map(lambda part: max(RULES.round_down(level * part / 1_000), Decimal("1e-8")))
    bar = st.tuples(price, price, price, price).map(lambda four: (four[0], max(four), min(four), four[3]))
    days = draw(st.lists(st.lists(st.tuples(bar, st.sampled_from([1, 1, 0, -1, -1])), max_size=12), max_size=6))
    return [([bar for bar, _ in day], [side for _, side in day]) for day in days]


accounts = st.builds(
    Account,
    cash=st.integers(4_000, 20_000).map(float) | st.just(10_000_000.0),
    fee_rate=st.sampled_from([None, 0.0, 0.0005, 0.0025]),
    slippage_bps=st.sampled_from([0.0, 1.0, 7.25, 150.0]),
    rules=st.sampled_from(["upbit", None]),
)


def folded(state, days, account):
    """Each day's fold, the state handed on through JSON as it is through the lake."""
    hours = 0
    for prices, decisions in days:
        fold = fold_day(state, bars_of(prices, hours), sides(*decisions), account.costs(RULES))
        yield fold
        state = State.from_facts(json.loads(json.dumps(fold.state.facts())))
        assert state == fold.state
        hours += len(prices)


def near(exact):
    return pytest.approx(float(exact), rel=1e-9, abs=1e-4)


@settings(max_examples=150)
@given(walks(), accounts)
def test_the_compiled_fold_agrees_with_the_slow_one(days, account):
    """Same fills at the same prices; volumes, fees, cash, equity and worst equity to a billionth."""
    fee_rate = RULES.fee_rate if account.fee_rate is None else Decimal(str(account.fee_rate))
    slippage = Decimal(str(account.slippage_bps)) / 10_000
    slow = SlowEngine(Decimal(account.cash), fee_rate, slippage, account.rules is not None)
    with localcontext(prec=60):
        for (prices, decisions), fold in zip(days, folded(State(account.cash), days, account), strict=True):
            slow.fills.clear()
            worst = slow.fold(prices, decisions)
            found = [(1 if fill.side == "buy" else -1, *fill[2:5]) for fill in fold.fills]
            expected = [pytest.approx(tuple(map(float, fill)), rel=1e-9) for fill in slow.fills]
            assert expected == found
            if account.rules:
                assert [float(fill[1]) for fill in slow.fills] == [fill.price_krw for fill in fold.fills]
            assert near(worst) == fold.equity_worst_krw
            assert near(slow.cash) == fold.state.cash_krw
            assert near(slow.equity) == fold.equity_close_krw == fold.state.equity_krw
            assert slow.pending == fold.state.pending


@settings(max_examples=50)
@given(walks(), accounts)
def test_day_by_day_is_the_same_as_all_at_once(days, account):
    """A day costs a day: the state handed over is all there is, to the last bit."""
    *_, last = [None, *folded(State(account.cash), days, account)]
    prices = [bar for day, _ in days for bar in day]
    decisions = [side for _, day in days for side in day]
    whole = fold_day(State(account.cash), bars_of(prices), sides(*decisions), account.costs(RULES))
    assert last is None or whole.state == last.state
    daily = [fill for fold in folded(State(account.cash), days, account) for fill in fold.fills]
    assert list(whole.fills) == daily


@settings(max_examples=50)
@given(walks(), accounts)
def test_fills_conserve_money(days, account):
    """Cash is the start, less what was bought, plus what was sold, less every fee; nothing is ever borrowed."""
    costs = account.costs(RULES)
    for before, after in pairwise([None, *folded(State(account.cash), days, account)]):
        state = before.state if before else State(account.cash)
        signed = [(1 if fill.side == "sell" else -1) * fill.price_krw * fill.volume_base for fill in after.fills]
        fees = [fill.fee_krw for fill in after.fills]
        assert near(state.cash_krw + sum(signed) - sum(fees)) == after.state.cash_krw
        assert all(
            fill.fee_krw == pytest.approx(fill.price_krw * fill.volume_base * costs.fee_rate) for fill in after.fills
        )
        assert after.state.cash_krw >= 0
        assert after.equity_open_krw == state.equity_krw
        assert after.equity_worst_krw <= min(after.equity_open_krw, after.equity_close_krw) * (1 + 1e-12)


def test_a_round_trip_to_the_won():
    """1,000,000 KRW, one coin in at 100,100 and out at 110,000, worked out by hand."""
    prices = [(100_000, 100_000, 100_000, 100_000), (100_050, 120_000, 90_000, 115_000), (110_000,) * 4]
    account = Account(cash=1_000_000, fee_rate=0.0005, slippage_bps=4)
    fold = fold_day(State(1_000_000.0), bars_of(prices), sides(1, -1, 0), account.costs(RULES))
    # in: 100,050 x 1.0004 = 100,090.02, up to 100,100; 1,000,000 / (100,100 x 1.0005) = 9.98501748...
    # fee 100,100 x 9.98501748 x 0.0005 = 499.750124874, which leaves 0.000127126 KRW
    # out: 110,000 x 0.9996 = 109,956, down to 109,900
    assert fold.fills == (
        Fill("2026-01-02T01:00:00+00:00", "buy", 100_100.0, 9.98501748, pytest.approx(499.750124874), 1),
        Fill("2026-01-02T02:00:00+00:00", "sell", 109_900.0, 9.98501748, pytest.approx(548.676710526), 1),
    )
    assert fold.state.cash_krw == pytest.approx(1_096_804.7444686, abs=1e-6)
    assert fold.state == State(fold.state.cash_krw, None, 0, 110_000.0, 1)
    assert fold.equity_worst_krw == pytest.approx(9.98501748 * 90_000 + 0.000127126, abs=1e-6)
    (held,) = fold.held
    assert not held.is_open
    assert held.profit_krw(0.0) == pytest.approx(96_804.7444686, abs=1e-6)


def test_without_rules_the_fill_is_the_bare_formula():
    """Ticks, minimum and slippage switched off: quantity = cash / (open * (1 + fee_rate))."""
    account = Account(cash=1_000, fee_rate=0.001, rules=None)
    prices = [(3.3, 3.3, 3.3, 3.3), (3.14159, 4.0, 3.0, 3.5)]
    fold = fold_day(State(1_000.0), bars_of(prices), sides(1, 0), account.costs(RULES))
    assert fold.fills[0].volume_base == 1_000 / (3.14159 * 1.001)
    assert fold.state.cash_krw == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("price", ["0.113", "3.37", "7", "100", "99950", "150001000"])
def test_volumes_are_cut_to_eight_decimals(price):
    """Never rounded up, and a volume that is whole to begin with loses nothing, as far as doubles can tell."""
    for cash in (6_000, 10_000, 10_001, 12_345):
        account = Account(cash=cash, fee_rate=0)
        fold = fold_day(State(float(cash), None, 1), bars_of([(price,) * 4]), sides(0), account.costs(RULES))
        exact = (cash / Decimal(price)).quantize(Decimal("1e-8"), ROUND_FLOOR)
        assert fold.fills[0].volume_base == float(exact)


def test_an_order_waits_for_the_next_bar_whatever_day_it_is_in():
    """Quiet days hand the order on; it fills at the open of the bar that exists."""
    costs = PLAIN.costs(RULES)
    decided = fold_day(State(1_000_000.0), bars_of([(100, 100, 100, 100)]), sides(1), costs)
    quiet = fold_day(decided.state, bars_of([]), sides(), costs)
    assert quiet.state == decided.state == State(1_000_000.0, None, 1, 100.0, 0)
    assert (quiet.fills, quiet.held) == ((), ())
    assert quiet.equity_open_krw == quiet.equity_close_krw == quiet.equity_worst_krw == 1_000_000
    filled = fold_day(quiet.state, bars_of([(105, 110, 100, 108)], first=48), sides(0), costs)
    assert [(fill.filled_at, fill.price_krw) for fill in filled.fills] == [("2026-01-04T00:00:00+00:00", 105.0)]


def test_a_quiet_day_marks_at_the_last_price():
    """No bars, no change: the open position is worth what it was."""
    held = Position(3, "2026-01-01T00:00:00+00:00", 90.0, 10.0, 1.0)
    state = State(5.0, held, 0, 100.0, 3)
    fold = fold_day(state, bars_of([]), sides(), PLAIN.costs(RULES))
    assert (fold.state, fold.equity_close_krw, fold.held) == (state, 1_005.0, (held,))


@pytest.mark.parametrize(("cash", "fills"), [(5_002.5, 1), (5_002.49, 0), (0.0, 0)])
def test_an_order_below_the_minimum_is_gone(cash, fills):
    """5,000 KRW before the fee is the smallest; what is below is not placed and not tried again."""
    prices = [(100, 100, 100, 100)] * 3
    fold = fold_day(State(cash), bars_of(prices), sides(1, 0, 0), PLAIN.costs(RULES))
    assert len(fold.fills) == fills
    assert fold.state.pending == 0


def test_a_holding_below_the_minimum_cannot_be_sold():
    """What fell below 5,000 KRW stays, and may be sold once it is worth more."""
    held = Position(1, "2026-01-01T00:00:00+00:00", 100.0, 60.0, 3.0)
    prices = [(80, 80, 80, 80), (80, 80, 80, 80), (90, 90, 90, 90)]
    fold = fold_day(State(0.0, held, 0, 80.0, 1), bars_of(prices), sides(-1, -1, 0), PLAIN.costs(RULES))
    assert [fill.price_krw for fill in fold.fills] == [90.0]


def test_decisions_that_change_nothing_are_ignored():
    """Entering while holding and leaving while flat leave no trace."""
    prices = [(100, 100, 100, 100)] * 5
    fold = fold_day(State(1_000_000.0), bars_of(prices), sides(-1, 1, 1, 1, 0), PLAIN.costs(RULES))
    assert [fill.side for fill in fold.fills] == ["buy"]
    assert fold.state.entries == 1


def test_entries_are_counted_over_all_days():
    """A position's number is its place in the whole history, not in the day."""
    prices = [(100, 100, 100, 100)] * 4
    first = fold_day(State(1_000_000.0), bars_of(prices), sides(1, -1, 1, 0), PLAIN.costs(RULES))
    second = fold_day(first.state, bars_of(prices, 4), sides(-1, 1, 0, 0), PLAIN.costs(RULES))
    assert [position.number for position in first.held] == [1, 2]
    assert [position.number for position in second.held] == [2, 3]
    assert second.held[0] == replace(second.held[0], opened_at=first.held[1].opened_at)


def test_the_compiled_tick_is_the_rule_books():
    """Around every threshold and far from it, up and down, the same price as exact decimals give."""
    bounds, sizes = RULES.tick_bounds, RULES.tick_sizes
    offsets = [Decimal(offset) / 8 for offset in range(-40, 41)]
    around = [bound + offset * tick for bound, tick in RULES.ticks for offset in offsets]
    between = [bound * Decimal(part) / 7 for bound, _ in RULES.ticks for part in range(7, 70)]
    slipped = [Decimal(150_001_000) * (1 + Decimal(bps) / 100_000) for bps in range(100)]
    prices = [price for price in (*around, *between, *slipped) if price >= Decimal("1e-8")]
    assert len(prices) > 2_000
    for price in prices:
        exact = Decimal(float(price)) if price != Decimal(repr(float(price))) else price
        assert _on_tick(float(price), bounds, sizes, upwards=True) == float(RULES.round_up(exact)), price
        assert _on_tick(float(price), bounds, sizes, upwards=False) == float(RULES.round_down(exact)), price
