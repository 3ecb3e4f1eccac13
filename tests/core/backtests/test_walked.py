"""What is told of a walk-forward, by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from coinhts_core.backtests import Account
from coinhts_core.backtests.undefined import Undefined
from coinhts_core.backtests.walked import a_day, over
from coinhts_core.backtests.walkforward import walk_forward
from tests.core.backtests.candles import candles, walk

ACCOUNT = Account(cash=1_000_000.0, rules=None)
RISING = np.exp(np.linspace(0.0, 1.5, 960)) * 1_000
FRAMES = {"KRW-BTC": candles(walk(960, 1) * RISING), "KRW-ETH": candles(walk(960, 2) * RISING)}


@pytest.fixture(scope="module")
def told():
    return walk_forward(FRAMES, "sma_cross", {"fast": [2, 4, 8], "slow": 24}, ACCOUNT, folds=4)


def test_a_day_compounds_to_the_total():
    """Twenty-one per cent in two days are ten a day; nothing compounds to ruin."""
    assert a_day(0.21, 2) == pytest.approx(0.1)
    assert a_day(-0.19, 2) == pytest.approx(-0.1)
    assert isinstance(a_day(-1.0, 2), Undefined)


def test_efficiency_is_a_part_of_a_gain():
    """Half of what was promised, or twice its loss; of a loss there is no part."""
    assert over(0.01, 0.02) == 0.5
    assert over(-0.04, 0.02) == -2.0
    assert isinstance(over(0.01, 0.0), Undefined)
    assert over(Undefined("a"), Undefined("b")) == "b"


def test_efficiency_of_a_window_and_of_all(told):
    """A window's is unseen over seen, a day; that of all is of the stitched equity over the mean of what was seen."""
    for fold in told.folds:
        seen = (1 + fold.seen["total_return"]) ** (1 / fold.days_seen) - 1
        unseen = (fold.course.daily[-1] / fold.course.daily[0]) ** (1 / len(fold.window.unseen)) - 1
        assert fold.efficiency == (pytest.approx(unseen / seen) if seen > 0 else fold.efficiency)
        assert isinstance(fold.efficiency, Undefined) == (seen <= 0)
    mean = np.mean([fold.seen_a_day for fold in told.folds])
    expected = a_day(told.daily[-1] / told.daily[0] - 1, len(told.unseen)) / mean
    assert mean > 0
    assert told.efficiency == pytest.approx(expected)


def test_steadiness_counts_choices_and_steps(told):
    """How often the most common value was chosen, and how far a choice moves through the values, coin by coin."""
    (fast,) = told.steadiness
    places = [[[2, 4, 8].index(fold.point.values[0]) for fold in of.folds] for of in told.walks]
    every = [place for of in places for place in of]
    assert fast.knob == "fast"
    assert sorted(fast.chosen) == sorted([2, 4, 8][place] for place in every)
    assert fast.share == max(every.count(place) for place in range(3)) / 8
    assert fast.moved == pytest.approx(np.mean([abs(np.diff(of)).mean() for of in places]) / 2)


def test_the_benchmark_is_the_coins_held(told):
    """Half of the cash in each at the first unseen open, for the fee of that day."""
    ends = []
    for frame in FRAMES.values():
        first = frame.filter(frame["opened_at"].dt.date() >= told.unseen.first)
        ends.append(frame["close"][-1] / (first["open"][0] * 1.0005))
    assert told.figures.values["benchmark_return"] == pytest.approx(np.mean(ends) - 1)


def test_rows_tell_seen_beside_unseen(told):
    """A row a window and coin, in order; figures that are undefined are null."""
    rows = told.rows
    assert rows["window"].to_list() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert rows["slow"].to_list() == [24] * 8
    assert rows["unseen_return"].to_list() == [fold.course.total_return for fold in told.folds]
    assert rows["seen_sharpe"].to_list() == [fold.seen["sharpe"] for fold in told.folds]
    assert rows["efficiency"].null_count() == sum(isinstance(fold.efficiency, Undefined) for fold in told.folds)
    assert told.winning == np.mean(rows["unseen_return"].to_numpy() > 0)


def test_what_is_told_is_json(told):
    """Without NaN or infinity; figures under their names, and the coin whose choices last least."""
    facts = json.loads(json.dumps(told.told(), allow_nan=False))
    assert facts["metrics"]["total_return"] == pytest.approx(told.daily[-1] / told.daily[0] - 1)
    assert facts["windows"] == 4
    assert (facts["grid"], facts["params"]) == ({"fast": [2, 4, 8]}, {"slow": 24})
    assert (facts["symbols"], facts["timeframe"]) == (["KRW-BTC", "KRW-ETH"], "1h")
    assert told.overfit.probability == max(of["probability"] for of in facts["overfitting"].values())


def test_drawdown_begins_at_the_cash(told):
    """A first day that only loses is below it already."""
    peaks = np.maximum.accumulate(told.daily)[1:]
    assert told.equity["drawdown"].to_list() == (told.daily[1:] / peaks - 1).tolist()
    assert told.equity["opened_at"][0].date() == told.unseen.first
    worse = replace(told, walks=[replace(of, folds=[_losing(fold) for fold in of.folds]) for of in told.walks])
    assert worse.equity["drawdown"][0] == pytest.approx(-0.01)


def _losing(fold):
    daily = 500_000.0 * 0.99 ** np.arange(len(fold.course.daily))
    return replace(fold, course=replace(fold.course, daily=daily))
