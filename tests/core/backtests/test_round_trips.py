import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.round_trips import (
    RoundTrips,
    average_bars_held,
    best,
    expectancy,
    expectancy_r,
    longest_loss_streak,
    profit_factor,
    system_quality,
    win_rate,
    worst,
)
from coinhts_core.backtests.undefined import Undefined

many_profits = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("profits", "share", "factor"),
    [
        ([], "no trade was closed", "no trade was closed"),
        ([0.0], 0.0, "no trade lost"),
        ([5.0], 1.0, "no trade lost"),
        ([-4.0], 0.0, 0.0),
        ([6.0, -3.0, 0.0], 1 / 3, 2.0),
    ],
)
def test_trades_are_counted_after_fees(profits, share, factor):
    """Break-even is no win, and without a loss there is no factor."""
    assert (win_rate(profits), profit_factor(profits)) == (share, factor)
    assert (win_rate(np.array(profits)), profit_factor(np.array(profits))) == (share, factor)


def test_expectancy_is_money_and_a_ratio():
    """A win of 30 and losses of 10 and 20: nothing in won, nothing for each won at risk."""
    assert expectancy(np.array([30.0, -10.0, -20.0])) == 0.0
    assert expectancy_r(np.array([30.0, -10.0, -20.0])) == pytest.approx((1 + 30 / 15) / 3 - 1)
    assert expectancy_r(np.array([40.0, -10.0])) == pytest.approx(1.5)
    assert expectancy_r(np.array([-10.0])) == -1.0
    assert expectancy_r(np.array([10.0])) == "no trade lost"


@given(many_profits.filter(lambda profits: 0.0 not in profits and min(profits) < 0.0))
def test_the_ratio_is_the_money_over_the_mean_loss(profits):
    """Where no trade breaks even, both forms of the expectancy say the same."""
    values = np.array(profits)
    assert expectancy_r(values) == pytest.approx(values.mean() / -values[values < 0].mean())


@given(many_profits)
def test_quality_is_a_t_statistic(profits):
    """Of a mean against 0; with many trades only the first root of 100 counts."""
    values = np.array(profits)
    if len(set(profits)) == 1:
        assert isinstance(system_quality(values), Undefined)
        return
    t_statistic = values.mean() / (values.std(ddof=1) / np.sqrt(len(values)))
    assert system_quality(values) == pytest.approx(t_statistic)
    assert system_quality(np.tile(values, 100), 100) == pytest.approx(
        10 * values.mean() / np.tile(values, 100).std(ddof=1)
    )
    assert system_quality(values, 100) == system_quality(values)


@given(many_profits)
def test_the_longest_streak_is_the_longest_word_of_losses(profits):
    """Told a second way, as letters; a trade that breaks even ends the row."""
    letters = "".join("L" if profit < 0 else " " for profit in profits)
    assert longest_loss_streak(np.array(profits)) == max(map(len, letters.split(" ")))


def test_nothing_closed_is_nothing_measured():
    """Each figure says so itself."""
    nothing = np.empty(0)
    figures = [expectancy, expectancy_r, system_quality, longest_loss_streak, average_bars_held, best, worst]
    assert {figure(nothing) for figure in figures} == {"no trade was closed"}


def test_trades_are_read_from_a_frame():
    """The bars they were held need not be known."""
    frame = pl.DataFrame({"profit_krw": [1, -2], "return": [0.1, -0.2], "fees_krw": [3.0, 4.0]})
    trips = RoundTrips.from_frame(frame)
    assert len(trips) == 2
    assert (best(trips.returns), worst(trips.returns), trips.fees_krw.sum()) == (0.1, -0.2, 7.0)
    assert average_bars_held(trips.bars_held) == "how long trades were held was not recorded"
    known = RoundTrips.from_frame(frame.with_columns(bars_held=pl.Series([2, 5])))
    assert average_bars_held(known.bars_held) == 3.5
