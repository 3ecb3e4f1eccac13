"""Figures of daily equity, each defined once.

What lives here: pure functions from daily equity, and a benchmark's, to numbers. What to add: a metric, and the library
it is compared with in its test; then its line in `figures`. What stays out: closed trades (`round_trips`), which days
count (`rehearsal`) and how figures are shown (`report`, `tearsheet`).

Equity begins with the starting cash and is marked at 00:00 UTC; returns are simple; a year has 365 days; the risk-free
rate is 0; ddof is 1; fractions, not percent. A figure that is undefined is `Undefined`, which says why.
"""

from collections.abc import Callable
from functools import wraps
from itertools import pairwise

import numpy as np

from coinhts_core.backtests.undefined import ROUNDING, Floats, Measured, Undefined, deviation, finite

YEAR = 365
SHORTEST_FOR_A_YEARLY_FIGURE = 90  # days; below, compounding to a year only flatters
_FEWEST_FOR_A_TAIL = 20  # returns; the worst 5 % of fewer are less than one


def returns(equity: Floats) -> Floats | Undefined:
    """Daily returns of an equity that begins with the starting cash."""
    if not (equity[:-1] > 0.0).all():
        return Undefined("the equity fell to 0, and nothing has no return")
    return equity[1:] / equity[:-1] - 1.0


def total_return(equity: Floats) -> Measured:
    if len(equity) <= 1:
        return Undefined("there is no day")
    return finite(equity[-1] / equity[0] - 1.0) if equity[0] > 0.0 else Undefined("it began with nothing")


def annual_return(equity: Floats) -> Measured:
    """Compounded to a year (CAGR)."""
    days, total = len(equity) - 1, total_return(equity)
    if isinstance(total, Undefined):
        return total
    if days < SHORTEST_FOR_A_YEARLY_FIGURE:
        return _too_short(days)
    return finite((equity[-1] / equity[0]) ** (YEAR / days) - 1.0)


def drawdown(equity: Floats) -> Floats:
    """The fall below the highest equity so far, at or below 0; the starting cash is the first peak."""
    peak = np.maximum.accumulate(equity)
    return np.divide(equity, peak, out=np.ones_like(equity), where=peak > 0.0) - 1.0


def max_drawdown(equity: Floats) -> Measured:
    return finite(drawdown(equity).min()) if len(equity) > 1 else Undefined("there is no day")


def max_drawdown_days(equity: Floats) -> Measured:
    """Days from a peak until it is reached again, the longest; an open one runs to the end."""
    if len(equity) <= 1:
        return Undefined("there is no day")
    at_peak = np.flatnonzero(drawdown(equity) >= -ROUNDING)
    recovered = max((later - peak for peak, later in pairwise(at_peak) if later > peak + 1), default=0)
    return float(max(recovered, len(equity) - 1 - at_peak[-1]))


def calmar(equity: Floats) -> Measured:
    annual, deepest = annual_return(equity), max_drawdown(equity)
    if isinstance(annual, Undefined):
        return annual
    if isinstance(deepest, Undefined):
        return deepest
    return finite(annual / -deepest) if deepest < -ROUNDING else Undefined("the equity never fell")


def ulcer_index(equity: Floats) -> Measured:
    """Root of the mean squared drawdown of all days, a fraction."""
    return finite(np.sqrt((drawdown(equity)[1:] ** 2).mean())) if len(equity) > 1 else Undefined("there is no day")


def _of_returns(fewest: int) -> Callable[[Callable[[Floats], Measured]], Callable[[Floats], Measured]]:
    """Makes a figure of daily returns one of equity."""

    def of_equity(metric: Callable[[Floats], Measured]) -> Callable[[Floats], Measured]:
        @wraps(metric)
        def measured(equity: Floats) -> Measured:
            daily = returns(equity)
            if isinstance(daily, Undefined):
                return daily
            if len(daily) < fewest:
                return Undefined(f"{fewest} daily returns are needed, there are {len(daily)}")
            return metric(daily)

        return measured

    return of_equity


@_of_returns(2)
def volatility(daily: Floats) -> Measured:
    return finite(daily.std(ddof=1) * np.sqrt(YEAR))


@_of_returns(2)
def sharpe(daily: Floats) -> Measured:
    return _annual_ratio(daily)


@_of_returns(1)
def sortino(daily: Floats) -> Measured:
    """Against the downside deviation over all days, those without a loss included."""
    downside = np.sqrt((np.minimum(daily, 0.0) ** 2).mean())
    return finite(daily.mean() / downside * np.sqrt(YEAR)) if downside > ROUNDING else Undefined("no day lost")


@_of_returns(2)
def omega(daily: Floats) -> Measured:
    """What the days won over what the days lost, against a return of 0."""
    lost = -daily[daily < 0.0].sum()
    return finite(daily[daily > 0.0].sum() / lost) if lost > ROUNDING * len(daily) else Undefined("no day lost")


@_of_returns(_FEWEST_FOR_A_TAIL)
def tail_ratio(daily: Floats) -> Measured:
    """The 95th percentile over the 5th, without their signs."""
    low, high = np.abs(np.percentile(daily, [5.0, 95.0]))
    return finite(high / low) if low else Undefined("the 5th percentile of the days is 0")


@_of_returns(_FEWEST_FOR_A_TAIL)
def value_at_risk(daily: Floats) -> Measured:
    """The day that 5 % of the days are worse than; historical, negative for a loss."""
    return finite(np.percentile(daily, 5.0))


@_of_returns(_FEWEST_FOR_A_TAIL)
def conditional_value_at_risk(daily: Floats) -> Measured:
    """The mean of the worst 5 % of the days; historical, negative for a loss."""
    last = int((len(daily) - 1) * 0.05)
    return finite(np.partition(daily, last)[: last + 1].mean())


@_of_returns(2)
def skew(daily: Floats) -> Measured:
    """The third standardised moment of the days as they are, not an estimate for days like them."""
    return _moment(daily, 3)


@_of_returns(2)
def excess_kurtosis(daily: Floats) -> Measured:
    """The fourth standardised moment less 3, which is a normal distribution's."""
    raw = _moment(daily, 4)
    return raw if isinstance(raw, Undefined) else raw - 3.0


def beta(equity: Floats, benchmark: Floats) -> Measured:
    days = _both_returns(equity, benchmark)
    if isinstance(days, Undefined):
        return days
    daily, others = days
    differing = deviation(others, "benchmark's returns", size=1.0)
    if isinstance(differing, Undefined):
        return differing
    apart = others - others.mean()
    return finite((apart * daily).mean() / (apart**2).mean())


def alpha(equity: Floats, benchmark: Floats) -> Measured:
    """What beta does not explain, compounded to a year."""
    days, slope = _both_returns(equity, benchmark), beta(equity, benchmark)
    if isinstance(days, Undefined) or isinstance(slope, Undefined):
        return slope
    daily, others = days
    if len(daily) < SHORTEST_FOR_A_YEARLY_FIGURE:
        return _too_short(len(daily))
    a_day = 1.0 + (daily - slope * others).mean()
    return finite(a_day**YEAR - 1.0) if a_day > 0.0 else Undefined("more than everything would be lost in a day")


def information_ratio(equity: Floats, benchmark: Floats) -> Measured:
    """Sharpe's ratio of the daily returns less the benchmark's, a year."""
    days = _both_returns(equity, benchmark)
    return days if isinstance(days, Undefined) else _annual_ratio(days[0] - days[1])


def _both_returns(equity: Floats, benchmark: Floats) -> tuple[Floats, Floats] | Undefined:
    if len(equity) != len(benchmark):
        return Undefined(f"the benchmark covers {len(benchmark) - 1} days, not {len(equity) - 1}")
    daily, others = returns(equity), returns(benchmark)
    if isinstance(daily, Undefined):
        return daily
    if isinstance(others, Undefined):
        return Undefined(f"of the benchmark, {others}")
    if len(daily) < 2:  # noqa: PLR2004 - one day has no course to compare
        return Undefined(f"2 daily returns are needed, there are {len(daily)}")
    return daily, others


def _annual_ratio(daily: Floats) -> Measured:
    differing = deviation(daily, "daily returns", size=1.0)
    return differing if isinstance(differing, Undefined) else finite(daily.mean() / differing * np.sqrt(YEAR))


def _moment(daily: Floats, power: int) -> Measured:
    differing = deviation(daily, "daily returns", size=1.0)
    if isinstance(differing, Undefined):
        return differing
    return finite((((daily - daily.mean()) / daily.std()) ** power).mean())


def _too_short(days: int) -> Undefined:
    return Undefined(f"{SHORTEST_FOR_A_YEARLY_FIGURE} days are needed to speak of a year, there are {days}")
