import shutil
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.agenda import Agenda
from coinhts_core.backtests.account import Account
from coinhts_core.backtests.chain import BACKTESTS, NOT_LISTED, WAITING
from coinhts_core.candles.frame import MINUTES
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.books import BookDay, chain_ids, replace_days
from tests.core.conftest import Desk

NUMBERS = count()  # a set of knobs an example has a book of its own
DAYS = st.lists(st.integers(0, 7), min_size=1, unique=True)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["run", "decide", "fold", "collect", "damage", "lose_positions"]), DAYS),
        st.tuples(st.just("set"), st.sampled_from([{"fast": 2}, {"fast": 3}, {"account": Account(cash=5e6)}])),
        st.tuples(st.just("start"), st.integers(0, 3)),
    ),
    max_size=8,
)


class Changing(Desk):
    """A desk at which knobs, accounts, the start and candles change while some days are done and others are not."""

    def __init__(self, folder, ledger, entry=None):
        super().__init__(folder / "lake", ledger)
        self.folder = folder
        self.knobs = {"fast": 2, "slow": 5}
        self.entry = entry or replace(self.entry, name=f"set_{next(NUMBERS)}")

    def do(self, verb, what):
        getattr(self, verb)([self.days[place] for place in what] if isinstance(what, list) else what)

    def damage(self, days):
        self.collect(days, asked_at=None, cut=200)

    def set(self, knobs):
        self.knobs |= knobs
        self.entry = replace(self.entry_of(**self.knobs), name=self.entry.name)

    def start(self, place):
        self.change(anchor=self.days[place])

    def lose_positions(self, days):
        lost = dict.fromkeys(days, BookDay("another chain", 1.0, ()))
        replace_days(self.ledger, f"backtest:{self.entry.name}", self.registered.symbol, lost)

    def undisturbed(self, folder):
        """Another desk with the same candles and configuration, at which all days are done in one pass."""
        if (self.folder / "lake" / "candles").exists():
            shutil.copytree(self.folder / "lake" / "candles", folder / "lake" / "candles")
        other = Changing(folder, None, self.entry)
        other.registered = self.registered
        other.run(other.days)
        return other

    def covered(self):
        return self.lake.heads(MINUTES, self.registered.symbol).keys()

    def days_stored(self, *but):
        """Days of backtests from the start on, but those of some versions."""
        stored = self.stored("backtests").items()
        return {day for day, of in stored if day >= self.registered.anchor and of.data_version not in but}

    def days_unlike(self, truth):
        """The stored days of which anything is not as it is there."""
        span = self.registered.symbol, self.days[0], self.days[-1]
        booked = chain_ids(self.ledger, f"backtest:{self.entry.name}", *span)
        pairs = list(zip(self.outcome(), truth.outcome(), strict=True))
        return {
            day
            for day in self.days_stored()
            if any(here.get(day) != there[day] for here, there in pairs)
            or booked.get(day) != truth.stored("backtests")[day].data_version
        }


def check_what_is_stale_is_said(ledger, changes):
    with TemporaryDirectory() as folder, TemporaryDirectory() as other, TemporaryDirectory() as third:
        desk = Changing(Path(folder), ledger)
        for verb, what in changes:
            desk.do(verb, what)
        folded, unlike = desk.days_stored(WAITING, NOT_LISTED), desk.days_unlike(desk.undisturbed(Path(other)))
        due = set(stale(desk))
        assert unlike <= due
        assert not (due - unlike) & desk.covered()
        assert due == unlike or folded & unlike
        for _ in range(2):  # days that were done again may complete others that waited for them
            due = stale(desk)
            desk.collect(set(due) - desk.covered())
            desk.run(due)
        assert stale(desk) == []
        assert folded <= desk.days_stored(WAITING)
        behind = to_extend(desk, desk.days[0], desk.days[-1])
        desk.collect(set(desk.days) - desk.covered())
        desk.run(behind)
        assert desk.days_unlike(desk.undisturbed(Path(third))) == set()
        assert desk.days_stored(WAITING) == set(desk.days[desk.days.index(desk.registered.anchor) :])
        assert to_extend(desk, desk.days[0], desk.days[-1]) == []


def agenda_of(desk):
    return Agenda(desk.lake, desk.ledger, {desk.entry.name: desk.entry})


def stale(desk):
    return sorted(agenda_of(desk).stale(desk.registered, desk.days[-1]))


def to_extend(desk, first, last):
    return sorted(agenda_of(desk).to_extend(desk.registered, first, last))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_exactly_what_is_stale_is_said_whatever_changed(ledger, changes):
    """Those days, no others; done again, they and what is absent end as one pass."""
    check_what_is_stale_is_said(ledger, changes)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_exactly_what_is_stale_is_said_at_length(ledger, changes):
    """The same, many more times."""
    check_what_is_stale_is_said(ledger, changes)


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


def test_a_later_start_leaves_its_days_behind(current):
    """Those from it on; what lies before it is no partition any more, and stays as it is."""
    current.change(anchor=current.days[2])
    assert stale(current) == current.days[2:]
    current.run(current.days[2:])
    assert stale(current) == []


def test_an_earlier_start_leaves_all_days_behind_and_lacks_new_ones(current):
    """What is complete must not come to wait: the days it would wait for are done with it."""
    new = [current.days[0] - timedelta(days=2), current.days[0] - timedelta(days=1)]
    current.change(anchor=new[0])
    why = agenda_of(current).stale(current.registered, current.days[-1])
    assert why == dict.fromkeys(current.days, "sma_cross is stale") | dict.fromkeys(new, "its candles are missing")
    assert to_extend(current, current.days[-1], current.days[-1]) == sorted(why)
    current.run(current.days)
    assert stale(current) == []


def test_days_before_a_coins_first_one_are_not_stale(booked_desk):
    """A coin that is younger than the start: those days are stored as not listed, and looked at as any other."""
    desk = booked_desk
    desk.change(anchor=desk.days[2], first_day=desk.days[2])
    desk.collect(desk.days[2:])
    desk.run(desk.days)
    assert stale(desk) == []
    symbol, day = desk.registered.symbol, desk.days[1]
    rows = DayRows.of(BACKTESTS, BACKTESTS.empty(), data_version="another chain")
    desk.lake.publish("backtests/sma_cross", symbol, {day: rows})
    assert stale(desk) == [day]


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
