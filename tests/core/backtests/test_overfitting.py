"""How much luck explains: the published example, small cases by hand, plain rewritings, and laws."""

from itertools import combinations, permutations
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.overfitting import (
    Counted,
    Moments,
    Permuted,
    badge_of,
    best_of_luck,
    deflated_sharpe,
    luck_among,
    overfitting_probability,
    permutation_test,
    probabilistic_sharpe,
    sharpe_interval,
    standard_error,
)
from coinhts_core.backtests.undefined import Undefined

EXAMPLE = Moments(2.5 / sqrt(250), 1250, -3.0, 10.0)
FIGURES = {"sharpe": 2.0, "skew": -0.5, "excess_kurtosis": 3.0, "trades": 200}
SHARPES = st.floats(-0.5, 0.5)
SPREADS = st.floats(1e-8, 1.0)


def plain_overfitting(daily, blocks, rank):
    """Tell, without sums of blocks, how often the best of one half is not above the middle of the other."""
    length = len(daily) // blocks
    parts = daily[len(daily) - length * blocks :].reshape(blocks, length, -1)
    below = losing = 0
    for picks in combinations(range(blocks), blocks // 2):
        others = [block for block in range(blocks) if block not in picks]
        seen, unseen = ([rank(column) for column in np.concatenate(parts[list(of)]).T] for of in (picks, others))
        best = int(np.argmax(seen))
        lower = sum(of < unseen[best] for of in unseen)
        equal = sum(of == unseen[best] for of in unseen) - 1
        below += (1 + lower + equal / 2) / (len(unseen) + 1) <= 0.5
        losing += unseen[best] < 0
    return below, losing


def ratio(returns):
    return 0.0 if np.ptp(returns) == 0 else returns.mean() / returns.std(ddof=1)


def test_the_published_example():
    """Bailey and López de Prado: of 100 tries the best shows 0.1132 a day by luck, and 2.5 a year is 90.04 % sure."""
    assert best_of_luck(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(EXAMPLE, 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-5)


def test_excess_kurtosis_would_tell_otherwise():
    """The figures' kurtosis has 3 taken off; the formula wants it as it is, or the example comes out at 0.9018."""
    told = {"sharpe": EXAMPLE.sharpe * sqrt(365), "skew": -3.0, "excess_kurtosis": 7.0}
    assert deflated_sharpe(Moments.of(told, 1250), 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(EXAMPLE._replace(kurtosis=7.0), 100, 0.5 / 250) == pytest.approx(0.9018, abs=5e-5)


def test_a_normal_case_by_hand():
    """Without skew and fat tails, 0.1 a day over 401 days is 2 / sqrt(1.005) deviations above 0."""
    assert probabilistic_sharpe(Moments(0.1, 401, 0.0, 3.0)) == NormalDist().cdf(2.0 / sqrt(1.005))
    assert probabilistic_sharpe(Moments(0.1, 401, 0.0, 3.0), 0.1) == 0.5


def test_an_interval_ends_where_a_ratio_is_just_so_sure():
    """What is above the lower end of 90 % is 95 % sure; both ends are a year's, as far from the ratio."""
    low, high = sharpe_interval(EXAMPLE, 0.90)
    assert probabilistic_sharpe(EXAMPLE, low / sqrt(365)) == pytest.approx(0.95)
    assert probabilistic_sharpe(EXAMPLE, high / sqrt(365)) == pytest.approx(0.05)
    assert (low + high) / 2 == pytest.approx(EXAMPLE.sharpe * sqrt(365))


@given(st.floats(-0.3, 0.3), st.integers(5, 400))
def test_an_error_is_that_of_many_draws(sharpe, days):
    """Without skew and fat tails it is Lo's: the root of (1 + half of the squared ratio) over the days but one."""
    assert standard_error(Moments(sharpe, days, 0.0, 3.0)) == pytest.approx(sqrt((1 + sharpe**2 / 2) / (days - 1)))


def test_one_day_has_no_interval():
    """Nor do returns so odd that the formula breaks."""
    assert isinstance(sharpe_interval(Moments(0.1, 1, 0.0, 3.0), 0.9), Undefined)
    assert isinstance(sharpe_interval(Moments(1.0, 99, 9.0, 3.0), 0.9), Undefined)


@given(SHARPES, st.integers(2, 5_000), st.integers(1, 10**6), SPREADS)
def test_more_tries_never_make_a_result_surer(sharpe, days, trials, spread):
    """Nor do tries that lie further apart; one try alone is judged against 0."""
    of = Moments(sharpe, days, 0.0, 3.0)
    found = deflated_sharpe(of, trials, spread)
    assert 0.0 <= found <= 1.0
    assert deflated_sharpe(of, trials + 1, spread) <= found
    assert deflated_sharpe(of, trials, spread * 2) <= found
    assert deflated_sharpe(of, 1, spread) == probabilistic_sharpe(of)


def test_what_luck_shows_is_what_luck_shows():
    """The best of 200 blind tries, drawn a thousand times, is as good as the formula says, within 2 %."""
    drawn = np.random.default_rng(3).normal(0.0, 0.1, (4_000, 200)).max(axis=1).mean()
    assert best_of_luck(200, 0.01) == pytest.approx(drawn, rel=0.02)


@pytest.mark.parametrize(("days", "count", "by"), [(40, 3, "sharpe"), (43, 5, "sharpe"), (37, 4, "return")])
def test_overfitting_is_what_a_plain_rewriting_counts(days, count, by):
    """Every split one by one, by the ratio or by the sum of logarithms."""
    daily = np.random.default_rng(days).normal(0.0, 0.02, (days, count))
    rank = ratio if by == "sharpe" else lambda column: np.log1p(column).sum()
    found = overfitting_probability(daily, by, blocks=6)
    below, losing = plain_overfitting(daily, 6, rank)
    assert (found.probability, found.losing) == (below / 20, losing / 20)
    assert (found.splits, found.days, found.combinations) == (20, days // 6 * 6, count)


def test_overfitting_by_hand():
    """Who wins one block and loses the other is always the worse one behind; who always wins never is."""
    block = np.array([0.01, 0.02])
    swapped = np.column_stack([np.concatenate([block, -block]), np.concatenate([-block, block])])
    steady = np.column_stack([np.concatenate([block, block]), np.concatenate([-block, -block])])
    assert overfitting_probability(swapped, blocks=2)[:2] == (1.0, 1.0)
    assert overfitting_probability(steady, blocks=2)[:2] == (0.0, 0.0)


def test_sixteen_blocks_make_12870_splits():
    """Of combinations that differ by chance alone the choice fails about as often as not."""
    daily = np.random.default_rng(5).normal(0.0, 0.02, (320, 50))
    found = overfitting_probability(daily)
    assert found.splits == 12_870
    assert 0.25 < found.probability < 0.85
    assert overfitting_probability(daily + np.linspace(0.0, 0.05, 50)).probability == 0.0


def test_the_oldest_days_are_left_out():
    """Days that fill no block: what they hold changes nothing."""
    daily = np.random.default_rng(6).normal(0.0, 0.02, (67, 4))
    other = daily.copy()
    other[:3] = 0.5
    assert overfitting_probability(daily) == overfitting_probability(other)


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_overfitting_does_not_care_for_size_or_order_of_columns(seed, count):
    """Returns twice as large, or combinations named otherwise, tell the same."""
    daily = np.random.default_rng(seed).normal(0.0, 0.01, (24, count))
    found = overfitting_probability(daily, blocks=4)
    shuffled = np.random.default_rng(seed).permutation(daily.T).T
    assert found == overfitting_probability(daily * 2.0, blocks=4)
    assert found == overfitting_probability(shuffled, blocks=4)


@pytest.mark.parametrize(
    ("daily", "by", "word"),
    [
        (np.zeros((31, 2)), "sharpe", "32 days"),
        (np.zeros((64, 1)), "sharpe", "64 of 1"),
        (np.full((64, 2), -1.0), "return", "lost everything"),
    ],
)
def test_overfitting_that_cannot_be_told(daily, by, word):
    """Too few days, nothing to choose from, and nothing left each have their reason."""
    found = overfitting_probability(daily, by)
    assert isinstance(found, Undefined)
    assert word in found


def test_combinations_that_do_nothing_are_as_good_as_cash():
    """Where nobody trades, all are equal, and the first stands in the middle of equals."""
    assert overfitting_probability(np.zeros((32, 3)))[:2] == (1.0, 0.0)


def test_a_permutation_by_hand():
    """Of the 6 orders of three gaps around two trades of different lengths, 1,000 draws find the true share."""
    prices = np.array([1.0, 1.0, 4.0, 4.0, 4.0, 2.0, 3.0, 3.0, 3.0])
    entries, exits = np.array([1, 5]), np.array([2, 7])
    gaps, lengths = (1, 3, 1), (1, 2)

    def won(order, held):
        bar, total = 0, 0.0
        for gap, length in zip(order, held, strict=False):
            bar += gap
            total += np.log(prices[bar + length] / prices[bar])
            bar += length
        return total

    told = won(gaps, lengths)
    orders = [won(order, held) for order in permutations(gaps) for held in permutations(lengths)]
    share = np.mean([of >= told - 1e-9 for of in orders])
    found = permutation_test(prices, entries, exits, permutations=20_000)
    assert found.p == pytest.approx(share, abs=0.02)


def test_who_knows_the_moments_is_found_out():
    """Twenty trades that catch every rise of an up and down are hardly ever matched; in a flat market all are equal."""
    prices = np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.01, 2_000)))
    bars = np.arange(0, 1_960, 49)
    best = np.array([start + np.argmax(np.diff(prices[start : start + 49 : 7])) * 7 for start in bars])
    found = permutation_test(prices, best, best + 7)
    assert found == Permuted(1 / 1_001, 1_000, 0)
    assert permutation_test(np.ones(2_000), best, best + 7).p == 1.0
    assert permutation_test(prices, best, best + 7) == found


@given(st.integers(0, 10**6), st.integers(1, 20), st.floats(0.1, 10.0))
def test_a_permutation_is_a_share_that_no_currency_changes(seed, trades, unit):
    """Never 0, never above 1, whatever the prices are counted in; a seed has one answer."""
    chance = np.random.default_rng(seed)
    edges = np.sort(chance.choice(200, 2 * trades, replace=False))
    prices = np.exp(np.cumsum(chance.normal(0.0, 0.01, 200)))
    found = permutation_test(prices, edges[::2], edges[1::2], permutations=50, seed=seed)
    assert 1 / 51 <= found.p <= 1.0
    assert found == permutation_test(prices * unit, edges[::2], edges[1::2], permutations=50, seed=seed)


def test_no_trade_is_no_permutation():
    """Nothing can be put elsewhere."""
    assert isinstance(permutation_test(np.ones(9), np.empty(0, int), np.empty(0, int)), Undefined)


def test_a_badge_counts_what_it_counted():
    """The tries, those of the strategy, the days and the trades stand in the sentence."""
    badge = badge_of(FIGURES, 1_000, Counted(1_240, 0.0005, 900))
    for word in ("1,240 combinations", "900 of them", "1,000 days", "200 closed trades", "2.00"):
        assert word in badge.sentence
    assert badge.trials == 1_240
    assert badge.best_of_luck == pytest.approx(best_of_luck(1_240, 0.0005) * sqrt(365))
    assert badge.deflated_sharpe < badge.probabilistic_sharpe


@pytest.mark.parametrize(
    ("changed", "counted", "overfit", "grade"),
    [
        ({}, Counted(1, None, 1), None, "good"),
        ({}, Counted(1, None, 1), 0.10, "good"),
        ({}, Counted(1, None, 1), 0.5, "none"),
        ({}, Counted(10**6, 0.01, 5), None, "none"),
        ({"sharpe": 0.9}, Counted(1, None, 1), None, "some"),
        ({"sharpe": 0.2}, Counted(1, None, 1), None, "little"),
        ({"sharpe": -1.0}, Counted(1, None, 1), None, "none"),
        ({"trades": 29}, Counted(1, None, 1), None, "little"),
        ({}, None, None, "little"),
        ({"sharpe": None}, Counted(1, None, 1), None, "unknown"),
    ],
)
def test_grades(changed, counted, overfit, grade):
    """Nothing is good that traded too rarely, that nobody counted, that luck explains or that fails on unseen days."""
    badge = badge_of(FIGURES | changed, 730, counted, overfit)
    assert badge.grade == grade
    assert badge.sentence.startswith(f"Trust: {grade}.")


def test_a_badge_without_a_count_says_so():
    """The sentence never claims a count that nobody made."""
    badge = badge_of(FIGURES, 730)
    assert badge.trials is None
    assert "not known" in badge.sentence
    assert "one combination" in badge_of(FIGURES, 730, Counted(1, None, 1)).sentence.lower()


@given(
    st.floats(-3, 3), st.integers(2, 4_000), st.integers(1, 10**6), st.one_of(st.none(), SPREADS), st.integers(0, 500)
)
def test_more_tries_never_lift_a_grade(sharpe, days, trials, spread, trades):
    """However often somebody looks, nothing becomes more trustworthy by it."""
    order = ["unknown", "none", "little", "some", "good"]
    told = FIGURES | {"sharpe": sharpe, "trades": trades}
    before, after = (badge_of(told, days, Counted(count, spread, 0)) for count in (trials, trials * 10))
    assert order.index(after.grade) <= order.index(before.grade)
    assert "100.0%" not in after.sentence


def test_a_search_is_told_what_its_luck_would_show():
    """From how many it tried, those without a ratio among them, and how far the others lie apart."""
    sharpes = [0.0, 1.0, None, 2.0]
    luck = best_of_luck(4, 1.0)
    assert f"is 2.00; the best of 4 combinations so far apart shows {luck:.2f} by luck" in luck_among(sharpes)
    assert luck_among(sharpes).startswith("Trust: little.")
    assert luck_among(np.random.default_rng(1).normal(0, 1, 50).clip(-1, 1).tolist()).startswith("Trust: none.")
    assert luck_among([1.0, None]).startswith("Trust: unknown.")
