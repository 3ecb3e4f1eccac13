import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coinhts_core.backtests import metrics

changes = st.lists(st.floats(-0.5, 0.5).map(lambda change: round(change, 6)), min_size=90, max_size=200)


@given(changes)
def test_figures_are_empyricals(daily):
    """An independent library, on a year of 365 days, says the same."""
    equity = 1e7 * np.cumprod([1.0, *(1.0 + np.array(daily))])
    series = pd.Series(equity).pct_change().iloc[1:]
    assume(series.std() > 1e-6 and (series < -1e-6).any())
    same = {"rel": 1e-8, "abs": 1e-10}
    assert metrics.annual_return(equity) == pytest.approx(empyrical.annual_return(series, annualization=365), **same)
    assert metrics.volatility(equity) == pytest.approx(empyrical.annual_volatility(series, annualization=365), **same)
    assert metrics.sharpe(equity) == pytest.approx(empyrical.sharpe_ratio(series, annualization=365), **same)
    assert metrics.sortino(equity) == pytest.approx(empyrical.sortino_ratio(series, annualization=365), **same)
    assert metrics.max_drawdown(equity) == pytest.approx(empyrical.max_drawdown(series), **same)
    assert metrics.total_return(equity) == pytest.approx(empyrical.cum_returns_final(series), **same)


@pytest.mark.parametrize(
    ("equity", "defined"),
    [
        ([], set()),
        ([1e7], set()),
        ([1e7, 1e7], {"total_return", "max_drawdown"}),
        ([1e7, 1.1e7], {"total_return", "max_drawdown"}),
        ([1e7, 1e7, 1e7], {"total_return", "max_drawdown", "volatility"}),
        ([1e7, 1.1e7, 1.3e7], {"total_return", "max_drawdown", "volatility", "sharpe"}),
        ([1e7, 1.1e7, 1.0e7], {"total_return", "max_drawdown", "volatility", "sharpe", "sortino"}),
    ],
)
def test_what_is_undefined_is_none(equity, defined):
    """Never zero, infinite or NaN: too short, without deviation, without a loss, without a trade."""
    figures = metrics.summary(np.array(equity), [])
    assert {name for name, figure in figures.items() if figure is not None} == defined
    assert all(np.isfinite(figure) for figure in figures.values() if figure is not None)


@pytest.mark.parametrize(("days", "is_shown"), [(89, False), (90, True)])
def test_a_yearly_figure_needs_a_quarter(days, is_shown):
    """Below 90 days compounding only flatters."""
    assert (metrics.annual_return(np.linspace(1.0, 1.1, days + 1)) is not None) is is_shown


def test_the_starting_cash_is_the_first_peak():
    """A loss on the first day is a drawdown."""
    assert metrics.max_drawdown(np.array([100.0, 80.0, 90.0])) == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("profits", "win_rate", "profit_factor"),
    [([], None, None), ([0.0], 0.0, None), ([5.0], 1.0, None), ([-4.0], 0.0, 0.0), ([6.0, -3.0, 0.0], 1 / 3, 2.0)],
)
def test_trades_are_counted_after_fees(profits, win_rate, profit_factor):
    """Break-even is no win, and without a loss there is no factor."""
    assert (metrics.win_rate(profits), metrics.profit_factor(profits)) == (win_rate, profit_factor)
