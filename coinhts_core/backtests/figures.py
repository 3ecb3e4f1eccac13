"""All figures of a result under their names, each with its unit and meaning, and why one is missing.

What lives here: `FIGURES`, the list that people and programs read by name, and `Figures`, which works each out when it
is asked for. What to add: a figure, here and where it is worked out. What stays out: the arithmetic (`metrics`,
`round_trips`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

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


class Record(Protocol):
    """What figures are made of; each part is only asked for by those that need it."""

    @property
    def daily(self) -> Floats:
        """Equity at day ends, the starting cash first."""

    @property
    def round_trips(self) -> RoundTrips: ...

    @property
    def benchmark(self) -> Floats | None:
        """An equity over the same days."""

    @property
    def fill_values(self) -> Floats | None:
        """Price x volume of every fill."""

    @property
    def exposure(self) -> Floats | None:
        """The value held over the equity, at each bar's close."""

    @property
    def open_fees_krw(self) -> float:
        """What was paid for entries that are still open."""


@dataclass(frozen=True)
class Given:
    """A record of what is at hand already."""

    daily: Floats
    round_trips: RoundTrips
    benchmark: Floats | None = None
    fill_values: Floats | None = None
    exposure: Floats | None = None
    open_fees_krw: float = 0.0


class Values(Mapping[str, float | None]):
    """Figures by name, None where undefined; each is worked out when it is first asked for."""

    def __init__(self, names: Iterable[str], record: Record) -> None:
        self._names = tuple(names)
        self._record = record
        self._measured: dict[str, Measured] = {}

    def measured(self, name: str) -> Measured:
        if name not in self._measured:
            with np.errstate(all="ignore"):  # what is beyond a number becomes undefined
                self._measured[name] = _MEASURES[name](self._record)
        return self._measured[name]

    def __getitem__(self, name: str) -> float | None:
        if name not in self._names:
            raise KeyError(name)
        found = self.measured(name)
        return None if isinstance(found, Undefined) else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Figures:
    """The figures of a record, of all groups or of one, and the reasons of those that are undefined."""

    def __init__(self, record: Record, group: Group | None = None) -> None:
        self.values = Values((name for name, of in FIGURES.items() if group in {None, of.group}), record)

    @property
    def reasons(self) -> dict[str, str]:
        measured = {name: self.values.measured(name) for name in self.values}
        return {name: str(found) for name, found in measured.items() if isinstance(found, Undefined)}

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
    """Figures of daily equity, the starting cash first, and of closed trades, as a `Record` tells them."""
    return Figures(Given(equity, trades, benchmark, fill_values, exposure, open_fees_krw))


def _of_equity(metric: Callable[[Floats], Measured]) -> Callable[[Record], Measured]:
    return lambda record: metric(record.daily)


def _of_profits(metric: Callable[[Floats], Measured]) -> Callable[[Record], Measured]:
    return lambda record: metric(record.round_trips.profit_krw)


def _of_returns(metric: Callable[[Floats], Measured]) -> Callable[[Record], Measured]:
    return lambda record: metric(record.round_trips.returns)


def _of_both(metric: Callable[[Floats, Floats], Measured]) -> Callable[[Record], Measured]:
    def measured(record: Record) -> Measured:
        benchmark = record.benchmark
        return Undefined("there is no benchmark") if benchmark is None else metric(record.daily, benchmark)

    return measured


def _of_exposure(metric: Callable[[Floats], Any]) -> Callable[[Record], Measured]:
    def measured(record: Record) -> Measured:
        exposure = record.exposure
        if exposure is None or not len(exposure):
            return Undefined("what was held at each bar was not recorded" if exposure is None else "there is no bar")
        return finite(metric(exposure))

    return measured


def _turnover(record: Record) -> Measured:
    equity, fill_values = record.daily, record.fill_values
    if fill_values is None:
        return Undefined("what was bought and sold was not recorded")
    days = len(equity) - 1
    if days < 1 or not equity.mean() > 0.0:
        return Undefined("there is no day" if days < 1 else "there was no equity")
    return finite(np.abs(fill_values).sum() / equity.mean() * YEAR / days)


_MEASURES: Mapping[str, Callable[[Record], Measured]] = {
    "total_return": _of_equity(metrics.total_return),
    "annual_return": _of_equity(metrics.annual_return),
    "volatility": _of_equity(metrics.volatility),
    "sharpe": _of_equity(metrics.sharpe),
    "sortino": _of_equity(metrics.sortino),
    "calmar": _of_equity(metrics.calmar),
    "omega": _of_equity(metrics.omega),
    "max_drawdown": _of_equity(metrics.max_drawdown),
    "max_drawdown_days": _of_equity(metrics.max_drawdown_days),
    "ulcer_index": _of_equity(metrics.ulcer_index),
    "value_at_risk_95": _of_equity(metrics.value_at_risk),
    "conditional_value_at_risk_95": _of_equity(metrics.conditional_value_at_risk),
    "tail_ratio": _of_equity(metrics.tail_ratio),
    "skew": _of_equity(metrics.skew),
    "excess_kurtosis": _of_equity(metrics.excess_kurtosis),
    "benchmark_return": _of_both(lambda _, benchmark: metrics.total_return(benchmark)),
    "alpha": _of_both(metrics.alpha),
    "beta": _of_both(metrics.beta),
    "information_ratio": _of_both(metrics.information_ratio),
    "trades": lambda record: float(len(record.round_trips)),
    "win_rate": _of_profits(round_trips.win_rate),
    "profit_factor": _of_profits(round_trips.profit_factor),
    "expectancy_krw": _of_profits(round_trips.expectancy),
    "expectancy_r": _of_profits(round_trips.expectancy_r),
    "sqn": _of_profits(round_trips.system_quality),
    "sqn_100": _of_profits(lambda profits: round_trips.system_quality(profits, MOST_FOR_SQN)),
    "best_trade": _of_returns(round_trips.best),
    "worst_trade": _of_returns(round_trips.worst),
    "longest_loss_streak": _of_profits(round_trips.longest_loss_streak),
    "average_bars_held": lambda record: round_trips.average_bars_held(record.round_trips.bars_held),
    "exposure_time": _of_exposure(lambda exposure: (exposure > 0.0).mean()),
    "exposure": _of_exposure(np.mean),
    "fees_krw": lambda record: finite(round_trips.added(record.round_trips.fees_krw) + record.open_fees_krw),
    "turnover": _turnover,
}
