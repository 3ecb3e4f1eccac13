import json
from datetime import date

import pytest

from coinhts_core.backtests import Account
from coinhts_core.errors import RefusedError
from coinhts_core.results.facts import facts_of
from tests.core.backtests.candles import candles, walk
from tests.core.results.conftest import ONE, SEVERAL, SWEPT, ran, swept

DAYS = {"start_date": "2026-01-01", "end_date": date(2026, 1, 13)}


def test_a_run_knows_what_nobody_named():
    """Knobs and account as they were in effect; the days as they were asked for."""
    facts = facts_of(ran(), {**DAYS, "params": {"fast": 99}, "account": {}, "strategy": "another"})
    assert (facts.kind, facts.strategy, facts.mode, facts.timeframe) == ("backtest", "sma_cross", "account", "1h")
    assert (facts.symbols, facts.first_day, facts.last_day) == (("KRW-BTC",), date(2026, 1, 1), date(2026, 1, 13))
    assert facts.asked["params"] == {"timeframe": "1h", "fast": 3, "slow": 8}
    assert facts.asked["account"]["cash"] == 10_000_000
    assert facts.metrics["trades"] == ran().metrics["trades"]
    json.dumps([facts.asked, facts.metrics, facts.made_from], allow_nan=False)


def test_a_run_without_days_has_those_of_its_bars():
    """Three hundred hours are twelve days and a half."""
    assert (facts_of(ran(), {}).first_day, facts_of(ran(), {}).last_day) == (date(2026, 1, 1), date(2026, 1, 13))


def test_a_question_is_what_was_asked_and_not_what_answered():
    """Other candles answer the same question; other knobs, cash, coins or days ask another."""
    asked = facts_of(ran(), DAYS).question
    assert facts_of(ran({"KRW-BTC": candles(walk(300, seed=1))}), DAYS).question == asked
    others = [
        facts_of(ran(fast=4), DAYS),
        facts_of(ran(account=Account(cash=1e6)), DAYS),
        facts_of(ran(SEVERAL), DAYS),
        facts_of(ran(mode="study"), DAYS),
        facts_of(ran(), {**DAYS, "end_date": "2026-01-14"}),
        facts_of(ran(), {**DAYS, "folds": 3}),
    ]
    assert len({asked, *(of.question for of in others)}) == 1 + len(others)


def test_each_part_that_figures_come_from_has_a_hash_of_its_own():
    """Other candles change the data alone; a stop and a target bring the minutes in."""
    one, other = (facts_of(of, DAYS).made_from for of in (ran(), ran({"KRW-BTC": candles(walk(300, seed=1))})))
    assert one["data"] != other["data"]
    assert {**one, "data": 0} == {**other, "data": 0}
    assert {"code", "engine", "rules", "libraries"} < one.keys()
    five_minutes = {"KRW-BTC": candles(walk(600), minutes=5)}
    bounded = ran(five_minutes, account=Account(stop_loss=0.01, take_profit=0.01), timeframe="1h")
    assert set(facts_of(bounded, DAYS).made_from["data"]["KRW-BTC"]) >= {"bars"}
    assert facts_of(ran(SEVERAL), DAYS).made_from["data"].keys() == SEVERAL.keys()


def test_a_table_is_told_by_what_was_asked():
    """Its own figures, if it has any, are the row's."""
    facts = facts_of(swept(metrics={"total_return": 0.5}), SWEPT)
    assert (facts.kind, facts.metrics, facts.asked["grid"]) == ("sweep", {"total_return": 0.5}, {"fast": [3, 4, 5]})


@pytest.mark.parametrize("missing", ["strategy", "symbols", "timeframe", "start_date", "end_date"])
def test_what_cannot_be_told_is_named(missing):
    """A row without it could never be found again."""
    with pytest.raises(RefusedError, match=f"without its {missing}"):
        facts_of(swept(), {name: value for name, value in SWEPT.items() if name != missing})
    assert facts_of(ran(ONE), {}).symbols
