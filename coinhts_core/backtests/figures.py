"""All figures of a result under their names, each with its unit and meaning, and why one is missing.

What lives here: `FIGURES`, the list that people and programs read by name, and `measure`. What to add: a figure, here
and where it is worked out. What stays out: the arithmetic (`metrics`, `round_trips`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from coinhts_core.backtests import metrics, round_trips
from coinhts_core.backtests.metrics import YEAR
from coinhts_core.backtests.round_trips import MOST_FOR_SQN, RoundTrips
from coinhts_core.backtests.undefined import Floats, Measured, Undefined, finite

FEWEST_TRADES = (
    30  # below, the mean of trades tells more of luck than of the strategy: the usual bound of a small sample
)

Unit = Literal["return", "share", "ratio", "krw", "days", "bars", "count"]
Group = Literal["return", "risk", "benchmark", "trades", "costs"]


class Figure(NamedTuple):
    """How a figure is read."""

    label: str
    unit: Unit
    group: Group
    meaning: str


FIGURES: Mapping[str, Figure] = {
    "total_return": Figure("Total return", "return", "return", "of the equity over all days"),
    "annual_return": Figure("Annual return", "return", "return", "CAGR, compounded to 365 days; from 90 days on"),
    "volatility": Figure("Volatility", "share", "risk", "deviation of daily returns (ddof 1), a year of 365 days"),
    "sharpe": Figure("Sharpe", "ratio", "return", "of daily returns (ddof 1), a year of 365 days, against 0"),
    "sortino": Figure("Sortino", "ratio", "return", "of daily returns, a year of 365 days, against 0"),
    "calmar": Figure("Calmar", "ratio", "return", "annual return over the deepest drawdown, all days"),
    "omega": Figure("Omega", "ratio", "return", "won over lost, daily returns"),
    "max_drawdown": Figure("Max drawdown", "return", "risk", "deepest fall below an earlier peak, at day ends"),
    "max_drawdown_days": Figure(
        "Longest drawdown", "days", "risk", "from a peak until it is reached again, or to the end"
    ),
    "ulcer_index": Figure("Ulcer index", "share", "risk", "root of the mean squared drawdown, all days"),
    "value_at_risk_95": Figure("VaR 95 %", "return", "risk", "5 % of the days were worse; historical"),
    "conditional_value_at_risk_95": Figure("CVaR 95 %", "return", "risk", "mean of the worst 5 % of the days"),
    "tail_ratio": Figure("Tail ratio", "ratio", "risk", "95th percentile of the days over the 5th"),
    "skew": Figure("Skew", "ratio", "risk", "of daily returns, as they are (population)"),
    "excess_kurtosis": Figure("Excess kurtosis", "ratio", "risk", "of daily returns; a normal distribution has 0"),
    "benchmark_return": Figure("Benchmark return", "return", "benchmark", "of the benchmark over the same days"),
    "alpha": Figure("Alpha", "return", "benchmark", "what beta does not explain, a year; from 90 days on"),
    "beta": Figure("Beta", "ratio", "benchmark", "of daily returns, against the benchmark's"),
    "information_ratio": Figure(
        "Information ratio", "ratio", "benchmark", "Sharpe of the daily returns less the benchmark's, a year"
    ),
    "trades": Figure("Trades", "count", "trades", "closed"),
    "win_rate": Figure("Win rate", "share", "trades", "of closed trades, after fees; break-even is no win"),
    "profit_factor": Figure("Profit factor", "ratio", "trades", "won over lost, closed trades after fees"),
    "expectancy_krw": Figure("Expectancy", "krw", "trades", "mean profit of a closed trade after fees"),
    "expectancy_r": Figure("Expectancy (R)", "ratio", "trades", "(1 + mean win / mean loss) x win rate - 1"),
    "sqn": Figure("SQN", "ratio", "trades", "root of the count x mean profit over its deviation"),
    "sqn_100": Figure("SQN (100)", "ratio", "trades", f"the same, counting at most {MOST_FOR_SQN} trades"),
    "best_trade": Figure("Best trade", "return", "trades", "return of a closed trade after fees"),
    "worst_trade": Figure("Worst trade", "return", "trades", "return of a closed trade after fees"),
    "longest_loss_streak": Figure("Longest loss streak", "count", "trades", "losing trades in a row"),
    "average_bars_held": Figure("Average time held", "bars", "trades", "bars of closed trades"),
    "exposure_time": Figure("Time in market", "share", "trades", "share of bars with a position"),
    "exposure": Figure("Exposure", "share", "trades", "mean value held over equity, all bars"),
    "fees_krw": Figure("Fees", "krw", "costs", "of closed trades, both sides, and of entries still open"),
    "turnover": Figure("Turnover", "ratio", "costs", "bought and sold over mean equity, a year of 365 days, two-way"),
}


@dataclass(frozen=True)
class Figures:
    """Every figure by name, None where undefined, and the reasons of those."""

    values: Mapping[str, float | None]
    reasons: Mapping[str, str]

    @property
    def has_too_few_trades(self) -> bool:
        return (self.values.get("trades") or 0) < FEWEST_TRADES

    def as_json(self) -> dict[str, float | bool | None]:
        counted = {name for name, figure in FIGURES.items() if figure.unit in {"count", "days"}}
        values = {
            name: int(value) if value is not None and name in counted else value for name, value in self.values.items()
        }
        return {**values, "too_few_trades": self.has_too_few_trades}

    def warnings(self) -> list[str]:
        """A sentence for each undefined figure, and one when there are too few trades to believe the others."""
        sentences = [f"{name} is undefined: {reason}" for name, reason in self.reasons.items()]
        if self.has_too_few_trades:
            trades = self.values.get("trades") or 0
            sentences.append(f"there are {trades:.0f} closed trades: fewer than {FEWEST_TRADES} tell little")
        return sentences


def measure(
    equity: Floats,
    trades: RoundTrips,
    *,
    benchmark: Floats | None = None,
    fill_values: Floats | None = None,
    exposure: Floats | None = None,
    open_fees_krw: float = 0.0,
) -> Figures:
    """Figures of daily equity, the starting cash first, and of closed trades.

    `benchmark` is an equity over the same days, `fill_values` price x volume of every fill, `exposure` the value held
    over the equity at each bar's close, `open_fees_krw` what was paid for entries that are still open.
    """
    with np.errstate(all="ignore"):  # what is beyond a number becomes undefined
        measured = {
            **_of_equity(equity),
            **_of_benchmark(equity, benchmark),
            **_of_trades(trades),
            **_of_exposure(exposure),
            "fees_krw": finite(trades.fees_krw.sum() + open_fees_krw),
            "turnover": _turnover(equity, fill_values),
        }
    reasons = {name: str(found) for name in FIGURES if isinstance(found := measured[name], Undefined)}
    values = {name: None if isinstance(found := measured[name], Undefined) else found for name in FIGURES}
    return Figures(values, reasons)


def _of_equity(equity: Floats) -> dict[str, Measured]:
    return {
        "total_return": metrics.total_return(equity),
        "annual_return": metrics.annual_return(equity),
        "volatility": metrics.volatility(equity),
        "sharpe": metrics.sharpe(equity),
        "sortino": metrics.sortino(equity),
        "calmar": metrics.calmar(equity),
        "omega": metrics.omega(equity),
        "max_drawdown": metrics.max_drawdown(equity),
        "max_drawdown_days": metrics.max_drawdown_days(equity),
        "ulcer_index": metrics.ulcer_index(equity),
        "value_at_risk_95": metrics.value_at_risk(equity),
        "conditional_value_at_risk_95": metrics.conditional_value_at_risk(equity),
        "tail_ratio": metrics.tail_ratio(equity),
        "skew": metrics.skew(equity),
        "excess_kurtosis": metrics.excess_kurtosis(equity),
    }


def _of_benchmark(equity: Floats, benchmark: Floats | None) -> dict[str, Measured]:
    if benchmark is None:
        names = (name for name, figure in FIGURES.items() if figure.group == "benchmark")
        return dict.fromkeys(names, Undefined("there is no benchmark"))
    return {
        "benchmark_return": metrics.total_return(benchmark),
        "alpha": metrics.alpha(equity, benchmark),
        "beta": metrics.beta(equity, benchmark),
        "information_ratio": metrics.information_ratio(equity, benchmark),
    }


def _of_trades(trades: RoundTrips) -> dict[str, Measured]:
    profits = trades.profit_krw
    return {
        "trades": float(len(trades)),
        "win_rate": round_trips.win_rate(profits),
        "profit_factor": round_trips.profit_factor(profits),
        "expectancy_krw": round_trips.expectancy(profits),
        "expectancy_r": round_trips.expectancy_r(profits),
        "sqn": round_trips.system_quality(profits),
        "sqn_100": round_trips.system_quality(profits, MOST_FOR_SQN),
        "best_trade": round_trips.best(trades.returns),
        "worst_trade": round_trips.worst(trades.returns),
        "longest_loss_streak": round_trips.longest_loss_streak(profits),
        "average_bars_held": round_trips.average_bars_held(trades.bars_held),
    }


def _of_exposure(exposure: Floats | None) -> dict[str, Measured]:
    if exposure is None or not len(exposure):
        reason = Undefined("what was held at each bar was not recorded" if exposure is None else "there is no bar")
        return {"exposure_time": reason, "exposure": reason}
    return {"exposure_time": finite((exposure > 0.0).mean()), "exposure": finite(exposure.mean())}


def _turnover(equity: Floats, fill_values: Floats | None) -> Measured:
    if fill_values is None:
        return Undefined("what was bought and sold was not recorded")
    days = len(equity) - 1
    if days < 1 or not equity.mean() > 0.0:
        return Undefined("there is no day" if days < 1 else "there was no equity")
    return finite(np.abs(fill_values).sum() / equity.mean() * YEAR / days)
