from datetime import timedelta

import pytest

from coinhts_core.agenda import Agenda
from coinhts_core.backtests.account import Account
from coinhts_core.backtests.chain import BACKTESTS, WAITING
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.books import BookDay, replace_days


def agenda_of(desk):
    return Agenda(desk.lake, desk.ledger, {desk.entry.name: desk.entry})


def stale(desk):
    return sorted(agenda_of(desk).stale(desk.registered, desk.days[-1]))


def to_extend(desk, first, last):
    return sorted(agenda_of(desk).to_extend(desk.registered, first, last))


@pytest.fixture
def current(booked_desk):
    """Give a desk whose days are all done."""
    booked_desk.collect(booked_desk.days)
    booked_desk.run(booked_desk.days)
    return booked_desk


def test_nothing_is_done_twice(current):
    """What is current is neither stale nor to be extended."""
    assert stale(current) == []
    assert to_extend(current, current.days[0], current.days[-1]) == []


def test_a_day_that_waited_is_completed(booked_desk, one_pass):
    """The missing day arrives, the agenda names the days left behind, and the outcome is that of one pass."""
    desk = booked_desk
    desk.collect([day for day in desk.days if day != desk.days[3]])
    desk.run(desk.days)
    assert stale(desk) == []
    desk.collect([desk.days[3]])
    why = agenda_of(desk).stale(desk.registered, desk.days[-1])
    assert why == dict.fromkeys(desk.days[3:], "sma_cross waited for candles")
    desk.run(why)
    assert desk.outcome() == one_pass(desk.days)
    assert stale(desk) == []
    assert WAITING not in {entry.data_version for entry in desk.stored("backtests").values()}


def test_another_account_leaves_every_stored_day_behind(current):
    """Also by its name; days that were never stored are no part of it."""
    current.entry = current.entry_of(fast=2, slow=5, account=Account(cash=5e6))
    assert agenda_of(current).stale(current.registered, current.days[4]) == dict.fromkeys(
        current.days[:5], "sma_cross is stale"
    )


def test_a_repair_leaves_the_later_days_behind(current):
    """From the repaired day to the end of the chain."""
    current.collect([current.days[5]], asked_at=None, cut=100)
    assert stale(current) == current.days[5:]


def test_a_moved_start_leaves_its_days_behind(current):
    """Later, the days before it are not listed any more; earlier, the new ones are absent and the others wait."""
    current.change(anchor=current.days[2])
    assert stale(current) == current.days
    current.run(current.days)
    assert stale(current) == []
    current.change(anchor=current.days[0] - timedelta(days=2))
    new = [current.days[0] - timedelta(days=2), current.days[0] - timedelta(days=1)]
    assert stale(current) == current.days
    assert to_extend(current, current.days[-1], current.days[-1]) == [*new, *current.days]


def test_lost_positions_are_noticed(current):
    """A book that was read off another chain, or lost a day, is not current."""
    wrong = {current.days[2]: BookDay("another chain", 1.0, ())}
    replace_days(current.ledger, "backtest:sma_cross", current.registered.symbol, wrong)
    assert stale(current) == [current.days[2]]


def test_backtests_that_are_not_the_chains_are_noticed(current):
    """Even where the book has it right."""
    symbol, day = current.registered.symbol, current.days[2]
    rows = DayRows.of(BACKTESTS, BACKTESTS.empty(), data_version="another chain")
    current.lake.publish("backtests/sma_cross", symbol, {day: rows})
    assert stale(current) == [day]


def test_lost_decisions_are_noticed(booked_desk):
    """A backtest alone is not enough."""
    booked_desk.collect(booked_desk.days)
    booked_desk.fold(booked_desk.days)
    assert stale(booked_desk) == booked_desk.days
    booked_desk.decide(booked_desk.days[1:])
    assert stale(booked_desk) == booked_desk.days[:1]


def test_work_begins_at_the_first_absent_day(booked_desk):
    """Whatever day was asked for: what was missed before it comes first, and current days are left out."""
    desk = booked_desk
    desk.collect(desk.days[:3])
    desk.run(desk.days[:3])
    assert to_extend(desk, desk.days[5], desk.days[5]) == desk.days[3:6]
    assert to_extend(desk, desk.days[0], desk.days[1]) == []
    desk.collect(desk.days[4:6])
    assert to_extend(desk, desk.days[5], desk.days[5]) == desk.days[3:6]


def test_days_before_the_anchor_are_only_recorded_when_asked_for(booked_desk):
    """They have no candles, so nothing is missed; asked for, they are stored as not listed."""
    desk = booked_desk
    desk.change(anchor=desk.days[3])
    assert to_extend(desk, desk.days[1], desk.days[1]) == [desk.days[1]]
    desk.run([desk.days[1]])
    assert to_extend(desk, desk.days[1], desk.days[1]) == []
    assert to_extend(desk, desk.days[1], desk.days[0]) == []
