import pytest

from coinhts_core.backtests import Account
from coinhts_core.backtests.points import points_of
from coinhts_core.errors import BadParameterError, RefusedError
from coinhts_core.strategies import find_strategy

CROSS = find_strategy("sma_cross")


def test_the_last_name_turns_fastest():
    """Every combination once, numbered; a single value stands for itself."""
    points = points_of(CROSS, {"fast": [2, 3], "slow": range(9, 12), "stop_loss": 0.1}, Account(cash=5_000.0))
    assert [point.values for point in points] == [(fast, slow, 0.1) for fast in (2, 3) for slow in (9, 10, 11)]
    assert [point.place for point in points] == list(range(6))
    assert {(point.account.stop_loss, point.account.cash) for point in points} == {(0.1, 5_000.0)}
    assert (points[4].strategy.fast, points[4].strategy.slow) == (3, 10)


def test_equal_accounts_are_one():
    """What is the same is made once; without options it is the caller's own."""
    account = Account()
    assert {id(point.account) for point in points_of(CROSS, {"fast": [2, 3]}, account)} == {id(account)}
    assert len({id(of.account) for of in points_of(CROSS, {"fast": [2, 3], "stop_loss": [0.1, 0.2]}, account)}) == 2


def test_knobs_that_do_not_go_together_are_left_out():
    """A fast average that is not faster; where nothing remains, the strategy says why."""
    points = points_of(CROSS, {"fast": [5, 10], "slow": [10, 20]}, Account())
    assert [point.values for point in points] == [(5, 10), (5, 20), (10, 20)]
    assert [point.place for point in points] == [0, 1, 2]
    with pytest.raises(BadParameterError, match="fast must be below slow"):
        points_of(CROSS, {"fast": [20], "slow": [10]}, Account())


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ({"fasst": [3]}, "fasst"),
        ({"fast": [3, 0]}, "fast=0"),
        ({"fast": ["x"]}, "fast=x"),
        ({"fast": []}, "no value for fast"),
        ({"stop_loss": [0.1, 2.0]}, "stop_loss: "),
        ({"sizing": ["fixed"]}, "needs fixed_krw"),
        (dict.fromkeys(("fast", "slow", "cash"), range(300_000)), "combinations are more than"),
    ],
)
def test_what_is_no_knob_is_refused(grid, sentence):
    """In one sentence, before anything is led."""
    with pytest.raises(RefusedError, match=sentence):
        points_of(CROSS, grid, Account())


def test_chance_never_takes_a_combination_twice():
    """Even out of more combinations than anybody could list."""
    grid = {"fast": range(1, 900), "slow": range(1_000, 5_000), "cash": range(5_000, 90_000)}
    points = points_of(CROSS, grid, Account(), samples=30, seed=1)
    assert len({point.values for point in points}) == 30
    assert [point.values for point in points] == sorted(point.values for point in points)
