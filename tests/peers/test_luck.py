"""Our deflated Sharpe ratio against vectorbt's low-level one, which takes the kurtosis as it is."""

import numpy as np
import pytest

from coinhts_core.backtests import metrics
from coinhts_core.backtests.overfitting import Moments, best_of_luck, deflated_sharpe
from tests.peers.workloads import minutes

pytestmark = pytest.mark.slow

CASES = [(seed, trials, variance) for seed in range(4) for trials in (2, 100, 10**6) for variance in (1e-5, 2e-3)]


def moments(seed):
    """Give those of some years of days with fat tails, by our own figures."""
    chance = np.random.default_rng(seed)
    daily = chance.standard_t(4, 400 + 300 * seed) * 0.01 + 0.001
    equity = 1e7 * np.cumprod(np.concatenate([[1.0], 1.0 + daily]))
    figures = {name: getattr(metrics, name)(equity) for name in ("sharpe", "skew", "excess_kurtosis")}
    return Moments.of(figures, len(daily))


def test_the_deflated_sharpe_ratio_is_vectorbts(vectorbt):
    """Over few tries and many, near ones and far ones, to twelve digits."""
    asked = [
        {
            "est_sharpe": of.sharpe,
            "var_sharpe": variance,
            "nb_trials": trials,
            "backtest_horizon": of.days,
            "skew": of.skew,
            "kurtosis": of.kurtosis,
        }
        for of, trials, variance in ((moments(seed), *others) for seed, *others in CASES)
    ]
    theirs = vectorbt(minutes(10), rule="luck", cases=asked)
    best = [best_of_luck(trials, variance) for _, trials, variance in CASES]
    sure = [deflated_sharpe(moments(seed), trials, variance) for seed, trials, variance in CASES]
    assert np.allclose(best, theirs["best"], rtol=1e-12, atol=0)
    assert np.allclose(sure, theirs["sure"], rtol=1e-9, atol=1e-15)
