import json
from dataclasses import replace
from datetime import timedelta

import pytest
from jsonschema import Draft202012Validator

from coinhts_core.holdings.document import document_of, schema, totals
from coinhts_core.holdings.prices import Prices
from tests.core.holdings.kept import NOON, held

_VALIDATOR = Draft202012Validator(schema())


@pytest.fixture
def prices(desk):
    """Give prices of the sample market's first four days."""
    desk.collect(desk.days[:4])
    return Prices(desk.lake)


def told(holding, prices, **how):
    facts = json.loads(json.dumps(document_of(holding, prices, NOON, **how).facts, allow_nan=False))
    _VALIDATOR.validate(facts)
    return facts


def test_a_closed_position_tells_its_money(prices):
    """Amounts to the last digit, profit to the won, times in UTC and as in Korea."""
    facts = told(held(exit_price_krw="97000000", slippage_krw="0.5", note="메모"), prices)
    assert (facts["book"], facts["state"], facts["note"]) == ("manual", "closed", "메모")
    assert (facts["opened_at"], facts["opened_at_kst"]) == ("2026-01-02T12:00:00+00:00", "2026-01-02T21:00:00+09:00")
    assert facts["closed_at_kst"] == "2026-01-03T21:00:00+09:00"
    assert (facts["paid_krw"], facts["received_krw"], facts["realised_krw"]) == ("9504750", "9695149.5", 190_400)
    assert facts["return"] == pytest.approx(190_399.5 / 9_504_750)
    assert (facts["unrealised_krw"], facts["mark_price_krw"], facts["held_s"]) == (None, None, 86_400)
    assert facts["mae"] <= 0 <= facts["mfe"]
    assert facts["warnings"] == []


def test_an_open_position_is_worth_its_last_close(prices):
    """Sold at it for no fee, as in every other book; held until now."""
    facts = told(held(), prices)
    mark = float(facts["mark_price_krw"])
    assert facts["unrealised_krw"] == round(0.1 * mark - 9_504_750)
    assert facts["return"] == pytest.approx((0.1 * mark - 9_504_750) / 9_504_750)
    assert (facts["realised_krw"], facts["closed_at"], facts["held_s"]) == (None, None, 3 * 86_400)
    assert facts["marked_at"] == facts["measured_until"]
    assert facts["warnings"] == []


def test_a_list_leaves_out_what_takes_long(prices):
    """The worst and best moment."""
    facts = told(held(), prices, is_whole=False)
    assert not {"mae", "mfe", "measured_until"} & facts.keys()
    assert facts["unrealised_krw"] is not None


def test_what_is_not_there_is_null_with_a_reason(prices):
    """Or there, with what to think of it."""
    unknown = told(held(symbol="KRW-DOGE"), prices)
    assert unknown["unrealised_krw"] is unknown["mae"] is unknown["return"] is None
    assert [of.partition(":")[0] for of in unknown["warnings"]] == ["unrealised_krw", "mae, mfe"]
    early = told(held(opened_at=NOON - timedelta(hours=1)), prices)
    assert early["unrealised_krw"] is not None
    assert "unrealised_krw: the last stored close is older than the entry" in early["warnings"]


def test_what_never_was_earned_nothing(prices):
    """A cancelled one has no figure, and needs no reason."""
    facts = told(replace(held(), state="cancelled"), prices)
    assert [facts[name] for name in ("realised_krw", "unrealised_krw", "held_s", "mae")] == [None] * 4
    assert facts["warnings"] == []
    assert told(replace(held(exit_price_krw="1"), state="deleted"), prices)["realised_krw"] is not None


def test_totals_are_of_those_that_are_listed(prices):
    """Won, lost, neither, and what nobody could value."""
    prices_won = {"exit_price_krw": "97000000"}, {"exit_price_krw": "96000000"}, {"exit_price_krw": "90000000"}
    even = held(exit_price_krw="95000000", entry_fee_rate="0", exit_fee_rate="0")
    several = [*(held(**facts) for facts in prices_won), held(), held(symbol="KRW-DOGE"), even]
    documents = [document_of(of, prices, NOON, is_whole=False) for of in several]
    found = totals(documents)
    assert found["realised_krw"] == 190_400 + 90_450 - 509_250
    assert found["unrealised_krw"] == documents[3].unrealised_krw
    assert (found["count"], found["wins"], found["losses"], found["unvalued"]) == (6, 2, 1, 1)
    assert found["win_rate"] == 0.5
    assert totals([]) == {
        "count": 0,
        "realised_krw": 0,
        "unrealised_krw": 0,
        "unvalued": 0,
        "wins": 0,
        "losses": 0,
        "win_rate": None,
    }


def test_the_schema_is_one_and_knows_every_field(prices):
    """JSON Schema 2020-12; what differs from it in any field is found."""
    Draft202012Validator.check_schema(schema())
    assert schema()["$id"] == "/api/schemas/position.json"
    facts = told(held(exit_price_krw="97000000"), prices)
    assert facts.keys() == schema()["properties"].keys()
    wrong = {"paid_krw": 9_504_750, "realised_krw": 0.5, "state": "gone", "book": "live", "mae": 0.1, "symbol": "x"}
    wrong |= {"entry_price_krw": "NaN", "volume_base": "1e5", "version": 0, "warnings": None, "unknown": 1}
    for field, value in wrong.items():
        assert not _VALIDATOR.is_valid(facts | {field: value}), field
    for field in set(facts) - {"mae", "mfe", "measured_until"}:
        assert not _VALIDATOR.is_valid({name: value for name, value in facts.items() if name != field}), field
