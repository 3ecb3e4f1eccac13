from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.backtests import Account
from coinhts_core.results.comparison import compared
from coinhts_core.results.facts import facts_of
from coinhts_core.results.kept import Kept
from tests.core.backtests.candles import START, candles, walk
from tests.core.results.conftest import SEVERAL, ran

DAYS = {"start_date": "2026-01-01", "end_date": "2026-01-13"}


def held(result, **asked):
    """A run as it stands on the shelf, with its equity."""
    facts = facts_of(result, DAYS | asked)
    row = {name: value for name, value in vars(facts).items() if name in Kept.__dataclass_fields__}
    figures = {name: facts.metrics.get(name) for name in ("total_return", "max_drawdown", "sharpe", "trades")}
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    return Kept(id=result.id, question=facts.question, is_pinned=False, kept_at=moment, **figures, **row), result.equity


def changed(result, **facts):
    kept, equity = held(result)
    return replace(kept, **facts), equity


def causes(one, other):
    return {of.name: of.how for of in compared(one, other).causes}


def test_what_is_the_same_has_no_cause():
    """And the sentence says so."""
    found = compared(held(ran()), held(ran()))
    assert (found.causes, found.is_same, found.verdict) == ((), True, "nothing differs")


def test_one_thing_that_differs_is_the_cause():
    """Knobs, account, coins, days, mode and candles, each by its own name and with both values."""
    one = held(ran())
    assert causes(one, held(ran(fast=4))) == {"parameters": "fast 3 → 4"}
    assert causes(one, held(ran(account=Account(cash=1e6, stop_loss=0.1)))) == {
        "account": "cash 10000000.0 → 1000000.0, stop_loss none → 0.1"
    }
    assert causes(one, held(ran(SEVERAL))) == {"symbols": "KRW-BTC → KRW-BTC, KRW-ETH"}
    assert causes(one, held(ran(mode="study"))) == {"mode": "account → study"}
    revised = candles(walk(300)).with_columns(volume=pl.lit(11.0))
    assert causes(one, held(ran({"KRW-BTC": revised}))) == {"data": "other candles: KRW-BTC bars"}
    assert compared(one, held(ran(fast=4))).verdict == "the cause is parameters: all else is the same"


def test_other_days_are_one_cause_and_not_other_candles_too():
    """Nor other rules, which follow from them."""
    later = ran({"KRW-BTC": candles(walk(300), start=START + timedelta(days=20))})
    found = compared(held(ran()), held(later, start_date="2026-01-21", end_date="2026-02-02"))
    assert {of.name for of in found.causes} == {"days"}


@pytest.mark.parametrize("part", ["code", "engine", "rules"])
def test_another_code_engine_or_rule_book_is_named(part):
    """By the first letters of its hash."""
    made = facts_of(ran(), DAYS).made_from
    other = changed(ran(), made_from={**made, part: "f" * 64})
    assert causes(held(ran()), other) == {part: f"{made[part][:12]} → {'f' * 12}"}


def test_another_library_is_named_with_both_versions():
    """No identity holds it, and rounding may."""
    made = facts_of(ran(), DAYS).made_from
    other = changed(ran(), made_from={**made, "libraries": {**made["libraries"], "numpy": "0.1"}})
    assert causes(held(ran()), other) == {"libraries": f"numpy {made['libraries']['numpy']} → 0.1"}


def test_figures_that_differ_for_no_recorded_reason_are_said_to():
    """Nothing is explained away."""
    kept, equity = held(ran())
    found = compared((kept, equity), (replace(kept, metrics={**kept.metrics, "sharpe": 9.0}), equity))
    assert found.verdict == "the figures differ, and nothing that is recorded of the two does"


def test_several_causes_are_all_named():
    """And that only runs which change one of them can tell."""
    found = compared(held(ran()), held(ran(fast=4, account=Account(cash=1e6))))
    assert "2 things differ (parameters, account)" in found.verdict


def test_figures_stand_side_by_side_with_their_change():
    """None where either is undefined."""
    one, other = held(ran()), held(ran(fast=4))
    figures = {of.name: of for of in compared(one, other).figures}
    assert figures["total_return"].change == other[0].total_return - one[0].total_return
    assert figures["annual_return"].change is None


def test_both_curves_begin_at_a_hundred_where_both_have_begun():
    """Over the days in common, however many bars each has."""
    longer = {"KRW-BTC": candles(walk(2_000), minutes=5, start=START + timedelta(days=1))}
    one, other = held(ran()), held(ran(longer))
    found = compared(one, other)
    assert [curve[0] for curve in found.curves.values()] == [100.0, 100.0]
    assert len({len(curve) for curve in found.curves.values()}) == 1
    assert found.days == ("2026-01-02", "2026-01-08")
    equity = one[1].filter(pl.col("opened_at") <= START + timedelta(days=1, minutes=5 * 1_999))["equity"]
    begun = one[1].filter(pl.col("opened_at") <= START + timedelta(days=1))["equity"][-1]
    assert found.curves[one[0].id[:12]][-1] == pytest.approx(100.0 * equity[-1] / begun, rel=1e-12)


def test_curves_without_a_day_in_common_are_each_their_own():
    """Nothing is stretched over days that it does not have."""
    apart = {"KRW-BTC": candles(walk(300), start=START + timedelta(days=100))}
    found = compared(held(ran()), held(ran(apart), start_date="2026-04-11", end_date="2026-04-23"))
    assert found.days == ("first bar", "last bar")
    assert len(found.curves) == 2


def test_a_result_without_equity_is_compared_by_its_figures():
    """A sweep has no curve."""
    (kept, _), other = held(ran()), held(ran(fast=4))
    assert list(compared((kept, None), other).curves) == [other[0].id[:12]]
    assert compared((kept, None), (other[0], None)).curves == {}
    assert compared((kept, None), other).facts["causes"] == [{"name": "parameters", "how": "fast 3 → 4"}]
    assert kept.first_day == date(2026, 1, 1)
