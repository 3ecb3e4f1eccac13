import json

import pytest

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.overfitting import Counted
from coinhts_core.candles.files import Said
from coinhts_core.errors import RefusedError
from coinhts_core.markets import Market, Timeframe
from coinhts_core.results.facts import facts_of
from coinhts_core.strategies import load
from coinhts_core.trials import tried_on
from coinhts_pipeline.walkforwards import Asked, badge_on, days_unseen, document_of, table_of, walk_file
from tests.core.backtests.candles import candles, walk

SAID = Said(Market("KRW-BTC"), None, None)


@pytest.fixture
def file(tmp_path):
    """Give 40 days of hours."""
    path = tmp_path / "KRW-BTC.csv"
    candles(walk(960) * 100_000).write_csv(path)
    return path


def asked(**axes):
    axes = axes or {"fast": [2, 4], "slow": [12]}
    return Asked(load("sma_cross", slow=20), Account(cash=1_000_000.0), axes, "sharpe", 4, 3.0, is_anchored=False)


def test_what_a_strategy_was_told_stands_beside_what_is_tried(file):
    """A value that is tried goes before the one that is set; everything else keeps it."""
    both = walk_file(file, SAID, asked(), None)
    assert {(fold.point.strategy.slow, len(both.points)) for fold in both.folds} == {(12, 2)}
    only = walk_file(file, SAID, asked(fast=[2, 4, 6]), None)
    assert {point.strategy.slow for point in only.points} == {20}
    assert only.asked["params"] == {"slow": 20}
    assert only.asked["grid"] == {"fast": [2, 4, 6]}


def test_timeframes_are_asked_for_or_tried(file):
    """One for all, or one of the values to choose from."""
    assert walk_file(file, SAID, asked(), Timeframe.H4).timeframe == "4h"
    tried = walk_file(file, SAID, asked(fast=[2], timeframe=["1h", "4h"]), Timeframe.H4)
    assert {str(point.strategy.timeframe) for point in tried.points} == {"1h", "4h"}
    assert tried.walks[0].tried["trades"].n_unique() == 2


def test_there_must_be_a_file(tmp_path):
    """And nothing is made up where there is none."""
    with pytest.raises(RefusedError, match="there is no file"):
        walk_file(tmp_path / "none.csv", SAID, asked(), None)


def test_a_document_is_strict_json_and_says_all(file):
    """Rows, equity, figures and what was asked, days as days."""
    of = walk_file(file, SAID, asked(), None)
    told = json.loads(json.dumps(document_of(of), allow_nan=False, default=str))
    assert (told["id"], told["kind"], told["symbols"]) == (of.id, "walkforward", ["KRW-BTC"])
    assert (told["start_date"], told["end_date"]) == ("2026-01-01", "2026-02-09")
    assert len(told["equity"]) == days_unseen(told) == len(of.unseen)
    assert told["equity"][0][0] == told["first_unseen_day"] == told["rows"][0]["unseen_first"]


def test_a_table_is_what_a_shelf_takes(file):
    """Its facts are whole, its figures are those of the unseen days, and every combination was tried once."""
    of = walk_file(file, SAID, asked(), None)
    table = table_of(of, tried_on(of))
    facts = facts_of(table, of.asked)
    assert (facts.kind, facts.symbols, facts.timeframe) == ("walkforward", ("KRW-BTC",), "1h")
    assert facts.metrics["total_return"] == of.figures.values["total_return"]
    assert (facts.first_day, facts.last_day) == (of.span.first, of.span.last)
    assert len({trial.identity for trial in table.tried}) == 2
    assert table_of(of).tried == ()


def test_the_badge_is_that_of_the_unseen_days(file):
    """Judged by all tries, and by how well the worst coin's choices last; not known is not well."""
    of = document_of(walk_file(file, SAID, asked(), None))
    of["metrics"] |= {"sharpe": 3.0, "skew": 0.0, "excess_kurtosis": 0.0, "trades": 100}
    lasting = {"KRW-BTC": {"probability": 0.1}, "KRW-ETH": None}
    failing = {"KRW-BTC": {"probability": 0.1}, "KRW-ETH": {"probability": 0.6}}
    counted = Counted(1, None, 1)
    assert badge_on({**of, "overfitting": lasting}, 700, counted).grade == "good"
    assert badge_on({**of, "overfitting": failing}, 700, counted).grade == "none"
    assert badge_on({**of, "overfitting": {}}, 700, None).grade == "little"
