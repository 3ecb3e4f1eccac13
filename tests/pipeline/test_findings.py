from datetime import UTC, date, datetime

import dagster as dg
import pytest

from coinhts_core.candles.collection import Collection
from coinhts_core.candles.frame import CANDLES, RULES, BadBar
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.revisions import Revision
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from coinhts_pipeline.findings import DAY_CHECKS, MINUTE_CHECKS, Findings, specs

FIRST, SECOND, THIRD = (date(2026, 1, day) for day in (1, 2, 3))
BTC = Registered(Market("KRW-BTC"), FIRST, FIRST, None, is_active=True)
AT = datetime(2026, 1, 1, 3, 4, tzinfo=UTC)


def results(findings):
    return {result.check_name: result for result in findings.results()}


def named(findings):
    """Who breaks which check, and how."""
    return {
        check: {offender: how.value for offender, how in result.metadata.items()}
        for check, result in results(findings).items()
        if not result.passed
    }


@pytest.mark.parametrize("checks", [MINUTE_CHECKS, DAY_CHECKS])
def test_every_check_is_a_sentence_and_has_a_result(checks):
    """What nobody breaks has passed, and is told in the same words."""
    declared = specs(dg.AssetKey(["candles", "minute"]), checks)
    assert [spec.name for spec in declared] == list(checks)
    assert all(spec.description.endswith(".") and spec.description[0].isupper() for spec in declared)
    for spec, result in zip(declared, Findings(checks).results(), strict=True):
        assert (result.check_name, result.passed, result.description) == (spec.name, True, spec.description)


def test_every_rule_of_a_row_is_a_check():
    """And the order of bars, which is mended, only warns."""
    assert set(RULES) <= MINUTE_CHECKS.keys()
    warned = {name for name, result in results(Findings(MINUTE_CHECKS)).items() if result.severity.value == "WARN"}
    assert warned == {"bars_are_in_order", "days_were_not_revised", "bars_are_fresh"}


def test_a_collection_is_told_by_day_and_by_bar():
    """Refused and half days are incomplete, each bad bar breaks its rule, a moment that is none is its day's."""
    bad = (BadBar("values_are_finite", None, {"open": "nan"}), BadBar("bars_are_unique", AT, {"open": 1.0}))
    kept = {
        FIRST: [BadBar("bars_are_closed", AT, {}), BadBar("bars_are_closed", AT, {})],
        THIRD: [BadBar("prices_are_positive", AT, {})],
    }
    rows = DayRows.of(CANDLES, CANDLES.empty())
    collection = Collection(
        BTC, answered={SECOND: rows, THIRD: rows}, refused={FIRST: "it sleeps"}, unreadable={FIRST},
        unordered={THIRD}, bad={SECOND: bad},
    )  # fmt: skip
    findings = Findings(MINUTE_CHECKS)
    findings.add_collection(collection, kept, [Revision(THIRD, "a", "b", 1, AT)])
    assert named(findings) == {
        "days_are_complete": {"2026-01-01 KRW-BTC": "it sleeps", "2026-01-02 KRW-BTC": "2 of its bars are bad"},
        "bars_have_their_columns": {"2026-01-01 KRW-BTC": "it sleeps"},
        "values_are_finite": {"2026-01-02 KRW-BTC": 'values_are_finite: {"open": "nan"}'},
        "bars_are_in_order": {"2026-01-03 KRW-BTC": "told in another order"},
        "bars_are_unique": {"2026-01-01 03:04 KRW-BTC": 'bars_are_unique: {"open": 1.0}'},
        "bars_are_closed": {"2026-01-01 03:04 KRW-BTC": "bars_are_closed: {}; bars_are_closed: {}"},
        "days_were_not_revised": {
            "2026-01-03 KRW-BTC": "1 bar differs from what was told before, the first at 03:04 UTC"
        },
    }


def test_at_most_fifty_offenders_are_named():
    """The first of them, and how many there are in all."""
    findings = Findings(MINUTE_CHECKS)
    for number in range(100, 220):
        findings.add("bars_are_fresh", f"KRW-A{number}", "stale")
    result = results(findings)["bars_are_fresh"]
    assert list(result.metadata) == [f"KRW-A{number}" for number in range(100, 150)]
    assert result.description.startswith("Not so in 120 places.")
