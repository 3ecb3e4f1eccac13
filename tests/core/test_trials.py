"""Trials are counted once, whoever tries them again, in whatever order, and however many record them at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from math import sqrt
from statistics import variance

import pytest

from coinhts_core.backtests import Account, run, sweep
from coinhts_core.backtests.overfitting import Counted
from coinhts_core.backtests.points import points_of
from coinhts_core.hashes import digest
from coinhts_core.strategies import find_strategy, load
from coinhts_core.trials import Over, Trial, Trials, trial_of, trials_of
from tests.core.backtests.candles import candles, walk

GRID = {"fast": [2, 3, 4], "slow": [8, 12]}
ACCOUNT = Account(cash=1_000_000.0, rules=None)
BTC = Over(("KRW-BTC",), "1h", date(2026, 1, 1), date(2026, 1, 20))
CROSS = find_strategy("sma_cross")


def swept(over=BTC, account=ACCOUNT, seed=7):
    points = points_of(CROSS, GRID, account)
    return trials_of(points, sweep(candles(walk(480, seed)), CROSS, GRID, account), over)


def test_nothing_was_tried_at_first(ledger):
    """A count of 0, and nothing that is apart."""
    assert Trials(ledger).counted("sma_cross") == Counted(0, None, 0)


def test_a_sweep_counts_each_combination_once(ledger):
    """Asked again it is the same search; the spread is that of the Sharpe ratios of a day."""
    trials, tried = Trials(ledger), swept()
    for _ in range(2):
        trials.record(tried)
    counted = trials.counted("sma_cross")
    assert counted[::2] == (6, 6)
    assert counted.variance == pytest.approx(variance(trial.sharpe for trial in tried))
    assert trials.counted("volume_long_candle").of_strategy == 0


def test_a_run_of_one_of_them_is_no_new_trial():
    """A run and a row of a sweep over the same days are the same try, with the same Sharpe ratio."""
    result = run({"KRW-BTC": candles(walk(480))}, load("sma_cross", fast=3, slow=8), ACCOUNT, timeframe="1h")
    trial = trial_of(result)
    same = [of for of in swept() if of.identity == trial.identity]
    assert same == [trial]
    assert trial.sharpe == pytest.approx(result.metrics["sharpe"] / sqrt(365))


def test_what_is_asked_otherwise_is_another_try():
    """Other days, coins, bars, knobs or accounts; other candles of the same days are not."""
    ways = [
        swept(),
        swept(Over(("KRW-ETH",), "1h", BTC.first, BTC.last)),
        swept(Over(("KRW-BTC",), "4h", BTC.first, BTC.last)),
        swept(Over(("KRW-BTC",), "1h", BTC.first, date(2026, 1, 21))),
        swept(account=Account(cash=1_000_000.0)),
    ]
    assert len({trial.identity for way in ways for trial in way}) == 5 * 6
    assert {trial.identity for trial in swept(seed=8)} == {trial.identity for trial in swept()}


def test_a_run_without_a_day_is_no_try():
    """Nobody learned anything from it."""
    assert trial_of(run(candles([]), load("sma_cross"), ACCOUNT)) is None


def test_many_who_record_the_same_at_once_never_wait_in_a_ring(ledger):
    """Whatever order they come in, each try is there once at the end."""
    tried = [Trial(digest(place), "sma_cross", BTC, 0.1) for place in range(4_000)]
    trials, orders = Trials(ledger), [tried, tried[::-1]] * 3
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(trials.record, orders))
    assert trials.counted("sma_cross").trials == 4_000


def test_a_try_without_a_sharpe_ratio_counts_and_is_not_apart(ledger):
    """A flat equity has none, and yet it was looked at."""
    trials = Trials(ledger)
    trials.record(swept())
    before = trials.counted("sma_cross")
    flat = run({"KRW-BTC": candles([100.0] * 480)}, load("sma_cross", fast=5, slow=9), ACCOUNT, timeframe="1h")
    trials.record([trial_of(flat)])
    after = trials.counted("sma_cross")
    assert trial_of(flat).sharpe is None
    assert (after.trials, after.variance) == (before.trials + 1, before.variance)


def test_every_strategy_is_counted_at_once(ledger):
    """As each by itself; nobody is told of one that was never tried."""
    trials = Trials(ledger)
    assert trials.counted_of_all() == {}
    trials.record([*swept(), Trial(digest("x"), "other", BTC, 0.1)])
    assert trials.counted_of_all() == {name: trials.counted(name) for name in ("sma_cross", "other")}
    assert trials.counted_of_all()["other"][::2] == (7, 1)
