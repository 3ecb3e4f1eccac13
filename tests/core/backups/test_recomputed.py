import pytest

from coinhts_core.backups.recomputed import recomputed
from tests.core.backups.stocked import keep_backtest, stocked


@pytest.fixture
def house(tmp_path, ledger):
    return stocked(tmp_path / "home", ledger)


def again(house):
    return recomputed(house.ledger, house.lake, house.settings)


def change(house, statement):
    with house.ledger.transaction() as connection:
        connection.execute(statement.encode())


def test_a_stored_backtest_comes_out_as_it_was_kept(house):
    """Row by row, by what the rows hash to."""
    found = again(house)
    assert (found.outcome, found.told[-13:]) == ("same", "the same rows")


def test_one_that_comes_out_otherwise_is_named(house):
    """With the frames that differ."""
    change(house, "UPDATE results SET frames = jsonb_set(frames, '{trades,hash}', to_jsonb(repeat('0', 64)))")
    found = again(house)
    assert found.outcome == "other"
    assert found.told.startswith("the trades of backtest ")


@pytest.mark.parametrize(
    "change_of",
    [
        "UPDATE results SET made_from = jsonb_set(made_from, '{code}', to_jsonb('other'::text))",
        "UPDATE results SET made_from = jsonb_set(made_from, '{data}', '{}')",
        "UPDATE results SET strategy = 'gone'",
        "UPDATE results SET asked = asked - 'account'",
        "UPDATE results SET symbols = ARRAY['KRW-GONE']",
    ],
)
def test_what_was_kept_under_something_else_proves_nothing(house, change_of):
    """Other candles, other code, a strategy that is gone: it is left alone, and one that can be compared is found."""
    change(house, change_of)
    assert again(house).outcome == "none"
    keep_backtest(house.ledger, house.lake, fast=3)
    assert again(house).outcome == "same"


def test_where_none_is_stored_none_is_worked_out(house):
    """And that is said."""
    change(house, "DELETE FROM results")
    assert again(house).told == "no backtest is stored that could be worked out again"
