"""Overfitting: how much of a result luck explains, given how many combinations were tried.

What lives here: the probabilistic and the deflated Sharpe ratio, the probability of backtest overfitting (CSCV), the
permutation of trades against prices, and the badge that says in a sentence how far a result may be trusted. What to
add: a test of luck, as a pure function. What stays out: counting tries (`trials`), and futures (`montecarlo`).

Sharpe ratios here are those of a day, not of a year; kurtosis is raw, 3 for a normal distribution. What is drawn by
chance comes from a seed that stands beside the answer.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import e, sqrt
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coinhts_core.backtests.figures import FEWEST_TRADES
from coinhts_core.backtests.metrics import YEAR
from coinhts_core.backtests.undefined import Floats, Measured, Undefined, finite
from coinhts_core.compiled import compiled

Rows = NDArray[np.int64]
Rank = Literal["sharpe", "return"]
Grade = Literal["unknown", "none", "little", "some", "good"]

BLOCKS = 16
PERMUTATIONS = 1_000
_NORMAL = NormalDist()
_EULER = 0.577_215_664_901_532_9
_FLAT = 1e-12  # parts of the squares that rounding may leave where nothing differs
_GOOD, _SOME, _EVEN = 0.95, 0.80, 0.50


class Moments(NamedTuple):
    """Daily returns, as far as it matters for how sure their Sharpe ratio is."""

    sharpe: float
    days: int
    skew: float
    kurtosis: float

    @classmethod
    def of(cls, metrics: Mapping[str, Any], days: int) -> "Moments | Undefined":
        """Out of figures by their names; the Sharpe ratio among them is a year's, the kurtosis less 3."""
        told = [metrics.get(name) for name in ("sharpe", "skew", "excess_kurtosis")]
        if None in told:
            return Undefined("its daily returns do not differ, or are too few")
        sharpe, skew, excess = map(float, told)  # type: ignore[arg-type]
        return cls(sharpe / sqrt(YEAR), days, skew, excess + 3.0)


def standard_error(of: Moments) -> Measured:
    """By how much a Sharpe ratio of so many days may be off: one deviation of it (Mertens, 2002)."""
    doubt = 1.0 - of.skew * of.sharpe + (of.kurtosis - 1.0) / 4.0 * of.sharpe**2
    if of.days < 2 or doubt <= 0.0:  # noqa: PLR2004 - one day has no deviation
        return Undefined("the daily returns are too few or too odd for it")
    return finite(sqrt(doubt / (of.days - 1)))


def sharpe_interval(of: Moments, sure: float) -> tuple[float, float] | Undefined:
    """Between which two a year's Sharpe ratio lies, so surely, as far as its own days tell."""
    error = standard_error(of)
    if isinstance(error, Undefined):
        return error
    reach = _NORMAL.inv_cdf((1.0 + sure) / 2.0) * error
    return (of.sharpe - reach) * sqrt(YEAR), (of.sharpe + reach) * sqrt(YEAR)


def probabilistic_sharpe(of: Moments, benchmark: float = 0.0) -> Measured:
    """How sure it is that the true Sharpe ratio is above the benchmark (Bailey and López de Prado, 2012)."""
    error = standard_error(of)
    return error if isinstance(error, Undefined) else finite(_NORMAL.cdf((of.sharpe - benchmark) / error))


def best_of_luck(trials: int, variance: float) -> float:
    """The Sharpe ratio that the best of so many tries is expected to show when none of them is worth anything."""
    if trials < 2:  # noqa: PLR2004 - a single try was not chosen
        return 0.0
    most, next_most = (_NORMAL.inv_cdf(1.0 - 1.0 / of) for of in (trials, trials * e))
    return sqrt(variance) * ((1.0 - _EULER) * most + _EULER * next_most)


def deflated_sharpe(of: Moments, trials: int, variance: float) -> Measured:
    """How sure it is that the true Sharpe ratio is above what luck shows in the best of so many tries (2014)."""
    return probabilistic_sharpe(of, best_of_luck(trials, variance))


class Overfit(NamedTuple):
    """How often the best in one half of the days was below the middle in the other half, or lost there."""

    probability: float
    losing: float
    splits: int
    days: int
    combinations: int
    ranked_by: Rank


def overfitting_probability(daily: Floats, by: Rank = "sharpe", blocks: int = BLOCKS) -> Overfit | Undefined:
    """PBO by combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado, Zhu, 2015).

    A row of returns a day, a column a combination; ranked by what was selected by. Of days that do not fill equal
    blocks the oldest are left out. Who did nothing in half of the days has a Sharpe ratio of 0 there, as cash has.
    """
    days, count = daily.shape
    length = days // blocks
    if count < 2 or length < 2:  # noqa: PLR2004 - nothing to choose, nothing that differs
        return Undefined(f"{blocks * 2} days of 2 combinations are needed, there are {days} of {count}")
    if by == "return" and not (daily > -1.0).all():
        return Undefined("a combination lost everything")
    used = daily[days - length * blocks :]
    counted = (np.log1p(used) if by == "return" else used).reshape(blocks, length, count)
    picks = np.array(list(combinations(range(blocks), blocks // 2)), dtype=np.int64)
    half = length * blocks // 2
    below, losing = _judged(counted.sum(axis=1), (counted**2).sum(axis=1), picks, half, by == "sharpe")
    return Overfit(below / len(picks), losing / len(picks), len(picks), length * blocks, count, by)


@compiled
def _judged(sums: Floats, squares: Floats, picks: Rows, half: int, is_ratio: bool) -> tuple[int, int]:  # noqa: FBT001 - compiled
    """In how many splits the best of one half is not above the middle of the other, and in how many it loses there."""
    count = sums.shape[1]
    all_sums, all_squares = sums.sum(axis=0), squares.sum(axis=0)
    seen, unseen = np.empty(count), np.empty(count)
    below, losing = 0, 0
    for split in range(len(picks)):
        for one in range(count):
            total, square = 0.0, 0.0
            for block in picks[split]:
                total += sums[block, one]
                square += squares[block, one]
            seen[one] = _rank_of(total, square, half, is_ratio)
            unseen[one] = _rank_of(all_sums[one] - total, all_squares[one] - square, half, is_ratio)
        best = np.argmax(seen)
        rank = 1.0 + (unseen < unseen[best]).sum() + ((unseen == unseen[best]).sum() - 1) / 2.0
        below += rank / (count + 1.0) <= 0.5  # noqa: PLR2004 - the middle
        losing += unseen[best] < 0.0
    return below, losing


@compiled
def _rank_of(total: float, square: float, days: int, is_ratio: bool) -> float:  # noqa: FBT001 - compiled
    if not is_ratio:
        return total
    apart = square - total * total / days
    return 0.0 if apart <= _FLAT * square else total / days / np.sqrt(apart / (days - 1))


def luck_among(sharpes_a_year: Sequence[float | None]) -> str:
    """What the best of a search shows by luck, in a sentence, from how far its combinations lie apart."""
    known = [of for of in sharpes_a_year if of is not None]
    if len(known) < 2:  # noqa: PLR2004 - nothing was searched
        return "Trust: unknown. Fewer than two combinations have a Sharpe ratio."
    found, luck = max(known), best_of_luck(len(sharpes_a_year), float(np.var(known, ddof=1)))
    told = f"the best of {len(sharpes_a_year):,} combinations so far apart shows {luck:.2f} by luck alone"
    return f"Trust: {'none' if found <= luck else 'little'}. The highest Sharpe ratio here is {found:.2f}; {told}."


class Permuted(NamedTuple):
    """How often the same trades at other moments did as well, the moments they had counted among them."""

    p: float
    permutations: int
    seed: int


def permutation_test(
    prices: Floats, entries: Rows, exits: Rows, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> Permuted | Undefined:
    """Trades as bars of a price, in order; their lengths, and those of the gaps between them, are shuffled.

    So number, lengths and time in the market stay what they were, and only what the strategy claims to know, when to
    be in, is left to chance.
    """
    if not len(entries):
        return Undefined("there is no trade")
    gaps = np.concatenate((entries, [len(prices) - 1])) - np.concatenate(([0], exits))
    as_good = _as_good(np.log(prices), exits - entries, gaps, permutations, np.random.default_rng(seed))
    return Permuted((1 + as_good) / (1 + permutations), permutations, seed)


@compiled
def _as_good(prices: Floats, held: Rows, gaps: Rows, permutations: int, chance: Any) -> int:
    held, gaps = held.copy(), gaps.copy()
    told = _won(prices, held, gaps)
    as_good = 0
    for _ in range(permutations):
        _shuffle(held, chance)
        _shuffle(gaps, chance)
        as_good += _won(prices, held, gaps) >= told - _FLAT * (1.0 + abs(told))
    return as_good


@compiled
def _won(prices: Floats, held: Rows, gaps: Rows) -> float:
    bar, total = 0, 0.0
    for trade in range(len(held)):
        bar += gaps[trade]
        total += prices[bar + held[trade]] - prices[bar]
        bar += held[trade]
    return total


@compiled
def _shuffle(lengths: Rows, chance: Any) -> None:
    for last in range(len(lengths) - 1, 0, -1):
        other = int(chance.random() * (last + 1))
        lengths[last], lengths[other] = lengths[other], lengths[last]


class Counted(NamedTuple):
    """Tries that a result is judged against, how far their Sharpe ratios are apart, and how many are its strategy's."""

    trials: int
    variance: float | None
    of_strategy: int


class Badge(NamedTuple):
    """How far a result may be trusted, in a word and in a sentence; and what that is made of."""

    grade: Grade
    sentence: str
    trials: int | None
    probabilistic_sharpe: float | None
    deflated_sharpe: float | None
    best_of_luck: float | None


def badge_of(
    metrics: Mapping[str, Any], days: int, counted: Counted | None = None, overfit: float | None = None
) -> Badge:
    """Of figures by their names over so many days.

    `counted` is None where nobody counted what was tried before; `overfit` is the probability that the choice fails on
    unseen days, where it is known.
    """
    of = Moments.of(metrics, days)
    trials = max(counted.trials, 1) if counted else None
    if isinstance(of, Undefined):
        return Badge("unknown", f"Trust: unknown. {_tried(counted)}; {of}.", trials, None, None, None)
    luck = best_of_luck(trials or 1, (counted and counted.variance) or 0.0)
    plain, deflated = probabilistic_sharpe(of), probabilistic_sharpe(of, luck)
    if isinstance(plain, Undefined) or isinstance(deflated, Undefined):
        return Badge("unknown", f"Trust: unknown. {_tried(counted)}; {deflated}.", trials, None, None, None)
    closed = int(metrics.get("trades") or 0)
    grade = _grade(deflated, is_capped=counted is None or closed < FEWEST_TRADES, overfit=overfit)
    by_luck = luck * sqrt(YEAR)
    told = [f"Trust: {grade}. {_tried(counted)}"]
    if luck:
        told.append(f"the best of so many would show a Sharpe ratio of {by_luck:.2f} by luck alone")
    told += [
        f"this one shows {of.sharpe * sqrt(YEAR):.2f} over {days:,} days and {closed:,} closed trades",
        f"that it is above {'luck' if luck else '0'} is {_percent(deflated)} sure",
    ]
    if overfit is not None:
        told.append(f"the best of one half of the days was below the middle of the other {overfit:.0%} of the time")
    return Badge(grade, "; ".join(told) + ".", trials, plain, deflated, by_luck)


def _tried(counted: Counted | None) -> str:
    if counted is None:
        return "How many combinations were tried before is not known, so it counts as the only one"
    if counted.trials < 2:  # noqa: PLR2004 - in the singular
        return "One combination was tried"
    return f"{counted.trials:,} combinations were tried, {counted.of_strategy:,} of them of this strategy"


def _grade(deflated: float, *, is_capped: bool, overfit: float | None) -> Grade:
    """Nothing is good that nobody counted, that traded too rarely, or whose choice fails on unseen days."""
    if deflated < _EVEN or (overfit or 0.0) >= _EVEN:
        return "none"
    if deflated < _SOME or is_capped:
        return "little"
    return "good" if deflated >= _GOOD else "some"


def _percent(part: float) -> str:
    """Never 100 % of what is only nearly so."""
    return f"{min(max(part, 0.001), 0.999):.1%}"
