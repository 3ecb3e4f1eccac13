"""Days: what is handed on, what is booked, and the two bounds."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.engine import Day, minutes_within
from coinhts_core.backtests.fold import Fill, State, fold_day
from coinhts_core.positions import Position
from tests.core.backtests.test_engine import RULES, accounts, bars_of, sides, walks

PLAIN = Account(cash=1_000_000, fee_rate=0.0005, slippage_bps=0)


def fold(state, bars, decisions, account=PLAIN, *, fractions=None, minutes=None):
    parts = account.fractions(bars) if fractions is None else fractions
    day = Day(bars, decisions, parts, minutes and minutes_within(bars, minutes))
    return fold_day(state, day, account.costs(RULES), account.limits())


def through_days(walk, account, cuts, *, knows_quarters):
    """Each day's fold, the state handed on through JSON as it is through the lake."""
    bars, decisions, fractions = walk
    state = State(account.cash)
    for first, end in zip([0, *cuts], [*cuts, len(bars)], strict=True):
        quarters = [part for bar in bars[first:end] for part in bar.parts]
        of = bars_of(bars[first:end], first), sides(*decisions[first:end]), account
        minutes = bars_of(quarters, first * 4, length=15) if knows_quarters and quarters else None
        folded = fold(state, *of, fractions=np.array(fractions[first:end], dtype=float), minutes=minutes)
        assert folded.equity_open_krw == state.equity_krw
        assert folded.equity_worst_krw <= min(folded.equity_open_krw, folded.equity_close_krw) * (1 + 1e-12)
        yield folded
        state = State.from_facts(json.loads(json.dumps(folded.state.facts())))
        assert state == folded.state


@settings(max_examples=100)
@given(walks(), accounts, st.lists(st.integers(0, 25), max_size=4), st.booleans())
def test_day_by_day_is_the_same_as_all_at_once(walk, account, cuts, knows_quarters):
    """A day costs a day: the state handed over is all there is, to the last bit, the optimistic bound's too."""
    edges = sorted(min(cut, len(walk[0])) for cut in cuts)
    daily = list(through_days(walk, account, edges, knows_quarters=knows_quarters))
    (whole,) = through_days(walk, account, [], knows_quarters=knows_quarters)
    assert daily[-1].state == whole.state
    assert [fill for of in daily for fill in of.fills] == list(whole.fills)


def test_the_bounds_part_at_the_first_bar_in_doubt():
    """Before it they are one account; after it each goes its own way, and the result is the pessimistic one."""
    account = Account(cash=1_000_000, fee_rate=0, stop_loss=0.05, take_profit=0.05)
    doubtful = [(100, 100, 100, 100), (100, 106, 94, 100)]
    first = fold(State(1_000_000.0), bars_of(doubtful), sides(1, 0), account)
    assert (first.state.ambiguous, first.equity_close_krw, first.equity_optimistic_krw) == (1, 950_000, 1_050_000)
    second = fold(first.state, bars_of([(100, 100, 100, 100), (100, 106, 99, 100)], 2), sides(1, 0), account)
    assert (second.state.ambiguous, second.equity_close_krw, second.equity_optimistic_krw) == (1, 997_500, 1_102_500)
    certain = fold(State(1_000_000.0), bars_of([(100, 100, 100, 100), (100, 104, 94, 100)]), sides(1, 0), account)
    assert (certain.state.ambiguous, certain.state.optimistic) == (0, None)
    assert certain.equity_optimistic_krw == certain.equity_close_krw == 950_000


def test_a_fill_inside_a_bar_carries_its_minute():
    """As finely as it is known when it happened."""
    account = Account(cash=1_000_000, fee_rate=0, stop_loss=0.05, take_profit=0.05)
    still = (100, 100, 100, 100)
    quarters = bars_of([still] * 6 + [(100, 106, 100, 105), (105, 105, 94, 95)], length=15)
    folded = fold(State(1e6), bars_of([still, (100, 106, 94, 95)]), sides(1, 0), account, minutes=quarters)
    assert [(fill.reason, fill.filled_at[11:16]) for fill in folded.fills] == [("entry", "01:00"), ("target", "01:30")]


def test_a_round_trip_to_the_won():
    """1,000,000 KRW, one coin in at 100,100 and out at 110,000, worked out by hand."""
    prices = [(100_000, 100_000, 100_000, 100_000), (100_050, 120_000, 90_000, 115_000), (110_000,) * 4]
    account = Account(cash=1_000_000, fee_rate=0.0005, slippage_bps=4)
    folded = fold(State(1_000_000.0), bars_of(prices), sides(1, -1, 0), account)
    # in: 100,050 x 1.0004 = 100,090.02, up to 100,100; 1,000,000 / (100,100 x 1.0005) = 9.98501748...
    # fee 100,100 x 9.98501748 x 0.0005 = 499.750124874, which leaves 0.000127126 KRW
    # out: 110,000 x 0.9996 = 109,956, down to 109,900
    assert folded.fills == (
        Fill("2026-01-02T01:00:00+00:00", "buy", 100_100.0, 9.98501748, pytest.approx(499.750124874), 1, "entry"),
        Fill("2026-01-02T02:00:00+00:00", "sell", 109_900.0, 9.98501748, pytest.approx(548.676710526), 1, "decision"),
    )
    assert folded.state.cash_krw == pytest.approx(1_096_804.7444686, abs=1e-6)
    assert folded.state == State(folded.state.cash_krw, None, 0, 110_000.0, 1)
    assert folded.equity_worst_krw == pytest.approx(9.98501748 * 90_000 + 0.000127126, abs=1e-6)
    (held,) = folded.held
    assert not held.is_open
    assert held.profit_krw(0.0) == pytest.approx(96_804.7444686, abs=1e-6)


def test_without_rules_the_fill_is_the_bare_formula():
    """Ticks, minimum and slippage switched off: quantity = cash / (open * (1 + fee_rate))."""
    account = Account(cash=1_000, fee_rate=0.001, rules=None)
    prices = [(3.3, 3.3, 3.3, 3.3), (3.14159, 4.0, 3.0, 3.5)]
    folded = fold(State(1_000.0), bars_of(prices), sides(1, 0), account)
    assert folded.fills[0].volume_base == 1_000 / (3.14159 * 1.001)
    assert folded.state.cash_krw == pytest.approx(0, abs=1e-9)


def test_an_order_waits_for_the_next_bar_whatever_day_it_is_in():
    """Quiet days hand the order on; it fills at the open of the bar that exists."""
    decided = fold(State(1_000_000.0), bars_of([(100, 100, 100, 100)]), sides(1))
    quiet = fold(decided.state, bars_of([]), sides())
    assert quiet.state == decided.state == State(1_000_000.0, None, 1, 100.0, 0, fraction=1.0)
    assert (quiet.fills, quiet.held) == ((), ())
    assert quiet.equity_open_krw == quiet.equity_close_krw == quiet.equity_worst_krw == 1_000_000
    filled = fold(quiet.state, bars_of([(105, 110, 100, 108)], first=48), sides(0))
    assert [(fill.filled_at, fill.price_krw) for fill in filled.fills] == [("2026-01-04T00:00:00+00:00", 105.0)]


def test_a_quiet_day_marks_at_the_last_price():
    """No bars, no change: the open position is worth what it was."""
    held = Position(3, "2026-01-01T00:00:00+00:00", 90.0, 10.0, 1.0)
    state = State(5.0, held, 0, 100.0, 3, peak_krw=100.0)
    folded = fold(state, bars_of([]), sides())
    assert (folded.state, folded.equity_close_krw, folded.held) == (state, 1_005.0, (held,))


@pytest.mark.parametrize(("cash", "fills"), [(5_002.5, 1), (5_002.49, 0), (0.0, 0)])
def test_an_order_below_the_minimum_is_gone(cash, fills):
    """5,000 KRW before the fee is the smallest; what is below is not placed and not tried again."""
    prices = [(100, 100, 100, 100)] * 3
    folded = fold(State(cash), bars_of(prices), sides(1, 0, 0))
    assert len(folded.fills) == fills
    assert folded.state.pending == 0


def test_a_holding_below_the_minimum_cannot_be_sold():
    """What fell below 5,000 KRW stays, and may be sold once it is worth more."""
    held = Position(1, "2026-01-01T00:00:00+00:00", 100.0, 60.0, 3.0)
    prices = [(80, 80, 80, 80), (80, 80, 80, 80), (90, 90, 90, 90)]
    folded = fold(State(0.0, held, 0, 80.0, 1, peak_krw=100.0), bars_of(prices), sides(-1, -1, 0))
    assert [fill.price_krw for fill in folded.fills] == [90.0]


def test_decisions_that_change_nothing_are_ignored():
    """Entering while holding and leaving while flat leave no trace."""
    prices = [(100, 100, 100, 100)] * 5
    folded = fold(State(1_000_000.0), bars_of(prices), sides(-1, 1, 1, 1, 0))
    assert [fill.side for fill in folded.fills] == ["buy"]
    assert folded.state.entries == 1


def test_entries_are_counted_over_all_days():
    """A position's number is its place in the whole history, not in the day."""
    prices = [(100, 100, 100, 100)] * 4
    first = fold(State(1_000_000.0), bars_of(prices), sides(1, -1, 1, 0))
    second = fold(first.state, bars_of(prices, 4), sides(-1, 1, 0, 0))
    assert [position.number for position in first.held] == [1, 2]
    assert [position.number for position in second.held] == [2, 3]
    assert second.held[0] == replace(second.held[0], opened_at=first.held[1].opened_at)
