"""Which strategy suits which coin: the best kept result of each on it, how sure its Sharpe ratio is, and what follows.

What lives here: `Suited`, a coin and its strategies, and reading what a ranking is asked for. What to add: a filter, in
`_READERS` and in the statement. What stays out: asking the ledger (`shelf`), tests of luck (`backtests.overfitting`),
and drawing.

An interval is that of one result by itself, from its days, their skew and their kurtosis (Mertens, 2002). That the best
was chosen among many tries it does not tell: its badge does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Final

from coinhts_core.backtests.overfitting import Badge, Counted, Moments, badge_of, sharpe_interval
from coinhts_core.backtests.undefined import Undefined
from coinhts_core.days import DayRange
from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.markets import Market
from coinhts_core.results.facts import Json
from coinhts_core.wording import clipped, nearest

SURE: Final = 0.90
METHOD: Final = "Mertens' standard error, from the skew and the kurtosis of the daily returns of the result itself"
FEW, MOST = 20, 200  # coins
_MOST_DAYS = 100_000
_DIGITS = 6
_NO_TRIES = Counted(0, None, 0)


@dataclass(frozen=True)
class Asked:
    """Which coins are ranked: one or all, by results of so many days at least; of all, some at a time."""

    symbol: str | None = None
    days: int = 1
    limit: int = FEW
    offset: int = 0

    @property
    def parameters(self) -> Json:
        """As the ledger's statement names them."""
        return {"symbol": self.symbol, "days": self.days, "most": self.limit, "skipped": self.offset}


@dataclass(frozen=True)
class Best:
    """A strategy's best result on a coin, as the ledger tells it, and out of how many."""

    symbol: str
    strategy: str
    id: str
    timeframe: str
    first_day: date
    last_day: date
    total_return: float | None
    max_drawdown: float | None
    sharpe: float | None
    trades: int | None
    skew: float | None
    excess_kurtosis: float | None
    answers: int

    @property
    def days(self) -> int:
        return len(DayRange(self.first_day, self.last_day))


@dataclass(frozen=True)
class Ranked:
    """A strategy on a coin: its best result, between which two its Sharpe ratio lies, and how far to trust it."""

    best: Best
    interval: tuple[float, float] | Undefined
    badge: Badge

    @property
    def facts(self) -> Json:
        """As programs read it."""
        low, high = (None, None) if isinstance(self.interval, Undefined) else self.interval
        told = {name: value for name, value in vars(self.best).items() if name not in {"skew", "excess_kurtosis"}}
        return {
            **told,
            "first_day": str(self.best.first_day),
            "last_day": str(self.best.last_day),
            "days": self.best.days,
            "sharpe_low": low,
            "sharpe_high": high,
            "trials": self.badge.trials,
            "deflated_sharpe": self.badge.deflated_sharpe,
            "trust": self.badge.grade,
            "trust_sentence": self.badge.sentence,
        }


@dataclass(frozen=True)
class Suited:
    """A coin and its strategies, the highest Sharpe ratio first."""

    symbol: str
    ranked: tuple[Ranked, ...]

    @property
    def rivals(self) -> tuple[str, ...]:
        """The best, and whoever may be as good as it: their intervals overlap."""
        known = self._known
        return tuple(strategy for strategy, (_, high) in known.items() if high >= next(iter(known.values()))[0])

    @property
    def is_decided(self) -> bool:
        """Whether one of several lies above all others."""
        return len(self._known) > 1 and len(self.rivals) == 1

    @property
    def verdict(self) -> str:
        """One sentence: which strategy suits it."""
        known = list(self._known.values())
        if not known:
            return "undecided: no result has a Sharpe ratio whose interval is known"
        doubt = "" if known[0][0] > 0.0 else "; that it earns anything is not sure"
        if len(known) == 1:
            return f"undecided: only {self.rivals[0]} can be judged{doubt}"
        if len(self.rivals) > 1:
            return f"undecided: the intervals of {_listed(self.rivals)} overlap{doubt}"
        return f"{self.rivals[0]} suits it best: its interval lies above all others{doubt}"

    @property
    def facts(self) -> Json:
        return {
            "symbol": self.symbol,
            "verdict": self.verdict,
            "is_decided": self.is_decided,
            "rivals": list(self.rivals),
            "strategies": [of.facts for of in self.ranked],
        }

    @property
    def _known(self) -> Mapping[str, tuple[float, float]]:
        return {of.best.strategy: of.interval for of in self.ranked if not isinstance(of.interval, Undefined)}


def suited(found: Iterable[Best], counted: Mapping[str, Counted]) -> list[Suited]:
    """Of rows that lie together by coin, the best first."""
    everything = next(iter(counted.values()), _NO_TRIES)
    by_coin = groupby(found, key=lambda of: of.symbol)
    return [
        Suited(symbol, tuple(_ranked(of, counted.get(of.strategy, everything._replace(of_strategy=0))) for of in its))
        for symbol, its in by_coin
    ]


def read_asked(told: Mapping[str, str]) -> Asked:
    """By the names that people write, or a refusal that names the field."""
    for name in told:
        if name not in _READERS:
            reason = f"there is no such filter; there are {', '.join(_READERS)}{nearest(name, _READERS)}"
            raise BadRequestError(field=clipped(name, 80), reason=reason)
    return Asked(**{name: _READERS[name](name, text) for name, text in told.items()})


def _ranked(of: Best, counted: Counted) -> Ranked:
    metrics: Mapping[str, Any] = vars(of)
    moments = Moments.of(metrics, of.days)
    interval = moments if isinstance(moments, Undefined) else sharpe_interval(moments, SURE)
    return Ranked(of, interval, badge_of(metrics, of.days, counted))


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _symbol(name: str, text: str) -> str:
    try:
        return str(Market.parse(text[:40]))
    except RefusedError as error:
        raise BadRequestError(field=name, reason=str(error)) from None


def _whole(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and least <= int(text) <= most):
            raise BadRequestError(field=name, reason=f"it takes a whole number from {least} to {most}")
        return int(text)

    return read


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    "symbol": _symbol,
    "days": _whole(1, _MOST_DAYS),
    "limit": _whole(1, MOST),
    "offset": _whole(0, _MOST_DAYS),
}
