import numpy as np
import pytest
from hypothesis import given

from coinhts_core.backtests.engine import ENTRY, STOP, TARGET, Marks, prices_of
from coinhts_core.backtests.worth import Recorded, Told, worst
from tests.core.backtests.test_engine import accounts, bars_of, course, walks

ENTRY_AT_100 = (1, -1, ENTRY, 100.0, 10.0, 1.0)


@given(walks(), accounts)
def test_some_bars_are_worth_what_all_of_them_say(walk, account):
    """Before the first bar there is the cash; then equity is cash and what is held at the close."""
    bars, found = bars_of(walk[0]), course(account, walk[0], walk[1], fractions=walk[2])
    told = Told.by(Marks(account.cash), found.fills, bars.close)
    whole = told.whole()
    assert told.at(np.arange(len(bars))).tolist() == whole.tolist()
    if len(bars):
        assert told.at(np.array([-1])).tolist() == [account.cash]
        assert whole[-1] == found.marks.cash + found.marks.volume * bars.close[-1]
        assert (told.held() <= whole + 1e-9).all()


def test_fills_tell_cash_and_volume():
    """Bought ten at 100 for a fee of one, sold at 110 for a fee of two: in between, closes count."""
    fills = np.array([ENTRY_AT_100, (3, -1, TARGET, 110.0, 10.0, 2.0)])
    told = Told.by(Marks(1_001.0), fills, np.array([100.0, 101.0, 102.0, 120.0]))
    assert told.whole().tolist() == [1_001.0, 1_010.0, 1_020.0, 1_098.0]
    assert told.held().tolist() == [0.0, 1_010.0, 1_020.0, 0.0]


@pytest.mark.parametrize(("reason", "price", "expected"), [(TARGET, 110.0, 900.0), (STOP, 95.0, 950.0)])
def test_the_low_counts_where_it_may_have_come_first(reason, price, expected):
    """A bar in which a target was reached may have been at its low before; one at a stop was sold there."""
    bars = prices_of(bars_of([(100, 100, 100, 100), (100, 101, 96, 100), (100, 111, 90, 100)]))
    fills = np.array([ENTRY_AT_100, (2, -1, reason, price, 10.0, 0.0)])
    assert worst(Marks(1_001.0), fills, bars) == min(expected, 960.0)


def test_without_bars_nothing_was_worst():
    """Then the day before tells."""
    assert worst(Marks(5.0), np.empty((0, 6)), prices_of(bars_of([]))) == np.inf


def test_what_was_recorded_is_told_as_it_was():
    """The cash stands before the first moment."""
    curve = Recorded(5.0, np.array([6.0, 7.0]))
    assert (curve.at(np.array([-1, 0, 1])).tolist(), curve.whole().tolist()) == ([5.0, 6.0, 7.0], [6.0, 7.0])
