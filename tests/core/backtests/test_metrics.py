from itertools import accumulate

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from coinhts_core.backtests import metrics
from coinhts_core.backtests.undefined import Undefined

changes = st.lists(st.floats(-0.5, 0.5).map(lambda change: round(change, 6)), min_size=90, max_size=200)
closely = {"rel": 1e-8, "abs": 1e-10}


@given(changes)
def test_figures_are_empyricals(daily):
    """An independent library, on a year of 365 days, says the same."""
    equity = _equity(daily)
    series = pd.Series(equity).pct_change().iloc[1:]
    assume(series.std() > 1e-6 and (series < -1e-6).any())
    year = {"annualization": 365}
    assert metrics.total_return(equity) == pytest.approx(empyrical.cum_returns_final(series), **closely)
    assert metrics.annual_return(equity) == pytest.approx(empyrical.annual_return(series, **year), **closely)
    assert metrics.volatility(equity) == pytest.approx(empyrical.annual_volatility(series, **year), **closely)
    assert metrics.sharpe(equity) == pytest.approx(empyrical.sharpe_ratio(series, **year), **closely)
    assert metrics.sortino(equity) == pytest.approx(empyrical.sortino_ratio(series, **year), **closely)
    assert metrics.max_drawdown(equity) == pytest.approx(empyrical.max_drawdown(series), **closely)
    assert metrics.calmar(equity) == pytest.approx(empyrical.calmar_ratio(series, **year), **closely)
    assert metrics.omega(equity) == pytest.approx(empyrical.omega_ratio(series, **year), **closely)
    assert metrics.value_at_risk(equity) == pytest.approx(empyrical.value_at_risk(series), **closely)
    expected_shortfall = empyrical.conditional_value_at_risk(series)
    assert metrics.conditional_value_at_risk(equity) == pytest.approx(expected_shortfall, **closely)


@given(changes)
def test_the_shape_of_the_days_is_scipys(daily):
    """Population moments; the kurtosis is the excess over a normal distribution's."""
    equity = _equity(daily)
    series = pd.Series(equity).pct_change().iloc[1:]
    assume(series.std() > 1e-4)
    assert metrics.skew(equity) == pytest.approx(stats.skew(series), rel=1e-6, abs=1e-7)
    assert metrics.excess_kurtosis(equity) == pytest.approx(stats.kurtosis(series), rel=1e-6, abs=1e-7)


@given(changes)
def test_the_tails_are_empyricals(daily):
    """The percentiles are linear ones."""
    equity = _equity(daily)
    series = pd.Series(equity).pct_change().iloc[1:]
    assume(abs(series.quantile(0.05)) > 1e-6)
    assert metrics.tail_ratio(equity) == pytest.approx(empyrical.tail_ratio(series), **closely)


@given(st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)), min_size=90, max_size=200))
def test_figures_against_a_benchmark_are_empyricals(days):
    """The information ratio is its excess Sharpe, for a year."""
    daily, others = np.array(days).T
    assume(others.std() > 1e-3 and (daily - others).std() > 1e-3)
    equity, benchmark = _equity(daily), _equity(others)
    daily, others = metrics.returns(equity), metrics.returns(benchmark)
    assert metrics.beta(equity, benchmark) == pytest.approx(empyrical.beta(daily, others), **closely)
    alpha = empyrical.alpha(daily, others, annualization=365)
    assert metrics.alpha(equity, benchmark) == pytest.approx(alpha, rel=1e-6, abs=1e-9)
    ratio = empyrical.excess_sharpe(daily, others) * np.sqrt(365)
    assert metrics.information_ratio(equity, benchmark) == pytest.approx(ratio, **closely)


@given(st.lists(st.integers(1, 6).map(float), min_size=2, max_size=40))
def test_drawdowns_are_those_of_a_walk_along_the_days(equity):
    """Written a second time, one day after the other."""
    peaks = list(accumulate(equity, max))
    falls = [worth / peak - 1.0 for worth, peak in zip(equity, peaks, strict=True)]
    last_peak, longest = 0, 0
    for day, fall in enumerate(falls):
        longest = max(longest, day - last_peak if day > last_peak + 1 or fall else 0)
        last_peak = last_peak if fall else day
    curve = np.array(equity)
    assert metrics.max_drawdown(curve) == pytest.approx(min(falls))
    assert metrics.max_drawdown_days(curve) == longest
    mean_square = sum(fall**2 for fall in falls[1:]) / len(falls[1:])
    assert metrics.ulcer_index(curve) == pytest.approx(mean_square**0.5)


@pytest.mark.parametrize(
    ("equity", "days"),
    [([5, 5, 5], 0), ([5, 6, 7], 0), ([5, 4, 5], 2), ([5, 5, 4, 5], 2), ([5, 4], 1), ([5, 4, 6, 5, 5, 5], 3)],
)
def test_a_drawdown_lasts_from_its_peak(equity, days):
    """Until the peak is reached again; an open one to the end; from the last day at the peak."""
    assert metrics.max_drawdown_days(np.array(equity, dtype=float)) == days


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
        ([1e7, 0.0, 0.0], {"total_return", "max_drawdown"}),
    ],
)
def test_what_is_undefined_is_none(equity, defined):
    """Never zero, infinite or NaN: too short, without deviation, without a loss, without a trade, ruined."""
    asked = ("total_return", "annual_return", "max_drawdown", "volatility", "sharpe", "sortino")
    found = {name: getattr(metrics, name)(np.array(equity)) for name in asked}
    assert {name for name, figure in found.items() if not isinstance(figure, Undefined)} == defined
    assert all(np.isfinite(figure) for figure in found.values() if not isinstance(figure, Undefined))


@pytest.mark.parametrize(("days", "is_shown"), [(89, False), (90, True)])
def test_a_yearly_figure_needs_a_quarter(days, is_shown):
    """Below 90 days compounding only flatters."""
    equity = np.linspace(1.0, 1.1, days + 1)
    yearly = metrics.annual_return(equity), metrics.alpha(equity, np.linspace(1.0, 1.2, days + 1))
    assert [isinstance(figure, float) for figure in yearly] == [is_shown, is_shown]


@pytest.mark.parametrize("equity", [1e7 * 1.01 ** np.arange(200), np.tile([0.1 + 0.2, 0.3], 100)])
def test_rounding_is_no_risk(equity):
    """Steady growth, and standing still but for the last bit: neither a Sharpe of 1e15 nor a drawdown of 1e-16."""
    for metric in (metrics.sharpe, metrics.sortino, metrics.omega, metrics.calmar, metrics.skew):
        assert isinstance(metric(equity), Undefined)
    assert metrics.max_drawdown_days(equity) == 0


def test_the_starting_cash_is_the_first_peak():
    """A loss on the first day is a drawdown."""
    assert metrics.max_drawdown(np.array([100.0, 80.0, 90.0])) == pytest.approx(-0.2)


def test_a_benchmark_of_other_days_compares_nothing():
    """Neither does one that stands still, nor one that was ruined."""
    equity = np.array([100.0, 90.0, 110.0, 105.0])
    reasons = [metrics.beta(equity, np.array(other)) for other in ([1.0, 2.0], [1.0] * 4, [1.0, 0.0, 0.0, 0.0])]
    assert reasons == [
        "the benchmark covers 1 days, not 3",
        "the benchmark's returns do not differ",
        "of the benchmark, the equity fell to 0, and nothing has no return",
    ]


def _equity(daily):
    return 1e7 * np.cumprod([1.0, *(1.0 + np.array(daily))])
