"""Paths that might have been: cases by hand, laws, and a plain rewriting that draws alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.montecarlo import Paths, bootstrap
from coinhts_core.backtests.undefined import Undefined

RETURNS = st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=40).map(np.array)


def plain(returns, paths, mean, seed):
    """Give each path's end and deepest fall, drawn step by step from the same chance."""
    chance, found = np.random.default_rng(seed), []
    for _ in range(paths):
        at, worth = 0, [1.0]
        for step in range(len(returns)):
            if step == 0 or chance.random() < 1.0 / mean:
                at = int(chance.random() * len(returns))
            else:
                at = (at + 1) % len(returns)
            worth.append(worth[-1] * (1.0 + returns[at]))
        falls = np.array(worth) / np.maximum.accumulate(worth) - 1.0
        found.append((worth[-1] - 1.0, falls.min()))
    return np.array(found)


def test_paths_are_those_of_a_plain_rewriting():
    """The same chance, the same stretches, the same percentiles."""
    returns = np.random.default_rng(2).normal(0.001, 0.02, 60)
    found = bootstrap(returns, paths=200, block=5, seed=9)
    expected = np.percentile(plain(returns, 200, 5, 9), [5, 50, 95], axis=0)
    assert np.allclose([found.end, found.worst_drawdown], expected.T, rtol=1e-12)
    assert found[2:] == (200, 5.0, 9)


def test_equal_returns_have_one_path():
    """A hundred times one per cent, in whatever order, is 1.01 to the hundredth, and never falls."""
    found = bootstrap(np.full(100, 0.01), paths=50)
    assert found.end == pytest.approx((1.01**100 - 1,) * 3)
    assert found.worst_drawdown == (0.0, 0.0, 0.0)


def test_blocks_as_long_as_everything_keep_the_order():
    """Stretches that hardly ever end are the days turned round: the end is almost that of the days themselves."""
    returns = np.array([0.5, -0.4, 0.1, 0.2])
    found = bootstrap(returns, paths=500, block=1e9)
    assert found.end == pytest.approx((np.prod(1 + returns) - 1,) * 3)


def test_losing_days_that_come_together_fall_deeper():
    """Drawn one by one, a month of losses is scattered, and its depth is not seen."""
    returns = np.tile(np.repeat([0.01, -0.01], 50), 4)
    together, scattered = (bootstrap(returns, block=block).worst_drawdown.middle for block in (50, 1))
    assert together < scattered * 1.5 < 0.0


def test_the_mean_stretch_is_the_cube_root_when_not_said():
    """Ten of a thousand days, and never less than one."""
    assert bootstrap(np.zeros(1_000), paths=2).block == 10.0
    assert bootstrap(np.zeros(2), paths=2).block == 1.0


@given(RETURNS, st.integers(0, 10**6))
def test_laws_of_paths(returns, seed):
    """Percentiles are in order, no fall is a gain or more than everything, and a seed has one answer."""
    found = bootstrap(returns, paths=50, seed=seed)
    assert isinstance(found, Paths)
    assert list(found.end) == sorted(found.end)
    assert list(found.worst_drawdown) == sorted(found.worst_drawdown)
    assert -1.0 <= found.worst_drawdown.low <= found.worst_drawdown.high <= 0.0
    best, worst = (1 + returns.max()) ** len(returns), (1 + returns.min()) ** len(returns)
    assert worst - 1 - 1e-9 <= found.end.low <= found.end.high <= best - 1 + 1e-9
    assert found == bootstrap(returns, paths=50, seed=seed)


@pytest.mark.parametrize(
    ("returns", "word"), [([0.1], "there are 1"), ([0.1, -1.5], "more than everything"), ([1e300] * 9, "beyond")]
)
def test_what_has_no_paths_says_why(returns, word):
    """One return, a loss of more than everything, and numbers beyond numbers."""
    found = bootstrap(np.array(returns))
    assert isinstance(found, Undefined)
    assert word in found
