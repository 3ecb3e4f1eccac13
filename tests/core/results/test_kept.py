from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.results.kept import SORTS, Kept, read_id, read_wanted


def test_words_become_what_they_mean():
    """As people and programs write them; what is not said is not asked."""
    wanted = read_wanted(
        {"strategy": "sma_cross", "symbol": "btc/krw", "from": "20260101", "to": "2026-01-31", "limit": "7"}
        | {"min_return": "-0.5", "max_return": 2, "sort": "return", "kind": None}
    )
    assert (wanted.symbol, wanted.since, wanted.until) == ("KRW-BTC", date(2026, 1, 1), date(2026, 1, 31))
    assert (wanted.min_return, wanted.max_return, wanted.limit, wanted.kind) == (-0.5, 2.0, 7, None)
    assert wanted.parameters["since"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert wanted.parameters["until"] == datetime(2026, 2, 1, tzinfo=UTC)
    unasked = {"sort": "newest", "most": 50, "skipped": 0}
    assert read_wanted({}).parameters == dict.fromkeys(read_wanted({}).parameters) | unasked
    assert read_wanted({"limit": 7, "offset": "14"}).parameters["skipped"] == 14


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("strategy", "'; DROP TABLE results; --", "small letters"),
        ("strategy", "x" * 10_000, "small letters"),
        ("kind", "queue", "'backtest', 'sweep' or 'walkforward'"),
        ("symbol", "KRW-\x00", "is not a market code"),
        ("from", "2026-02-30", "no such day"),
        ("to", "yesterday", "a day is eight digits"),
        ("to", "9999-12-31T00:00", "a day is eight digits"),
        ("min_return", "nan", "finite"),
        ("max_return", "1e999", "finite"),
        ("max_return", "much", "valid number"),
        ("sort", "id", "'newest', 'return'"),
        ("limit", "0", "greater than or equal to 1"),
        ("limit", "1001", "less than or equal to 1000"),
        ("limit", "1.5", "valid integer"),
        ("offset", "-1", "greater than or equal to 0"),
        ("offset", "9999999", "less than or equal to 1000000"),
        ("limt", "5", "did you mean limit"),
        ("strategy", ["sma_cross"], "string"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(field, value, sentence):
    """One sentence, whatever was written."""
    with pytest.raises(BadRequestError, match=sentence) as refusal:
        read_wanted({field: value})
    assert refusal.value.field == field
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("told", "field"),
    [({"from": "20260102", "to": "20260101"}, "from"), ({"min_return": 1, "max_return": 0}, "min_return")],
)
def test_bounds_that_exclude_everything_are_refused(told, field):
    """An empty list would look like an answer."""
    with pytest.raises(BadRequestError, match="is above") as refusal:
        read_wanted(told)
    assert refusal.value.field == field


def test_the_last_day_of_all_can_be_asked_for():
    """There is no day after it, and nothing is excluded."""
    assert read_wanted({"to": "99991231"}).parameters["until"] is None


@pytest.mark.parametrize(
    "text", ["", "abc", "ABCDEF", "0" * 65, "../../etc/passwd", "abcdeg", "abcdef\n", "\u0661" * 6]
)
def test_what_is_no_id_is_never_looked_for(text):
    """Six letters or more, of those that a hash has."""
    with pytest.raises(RefusedError, match="no result's id"):
        read_id(text)


def test_a_row_is_told_without_what_is_long():
    """Lists stay short; moments and days are texts."""
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    of = Kept(
        "a" * 64, "q", "backtest", "sma_cross", "account", ("KRW-BTC",), "1h", date(2026, 1, 1), date(2026, 1, 2),
        0.1, -0.1, None, 3, is_pinned=False, kept_at=moment, asked={"params": {}},
    )  # fmt: skip
    assert of.facts["kept_at"] == "2026-02-01T00:00:00+00:00"
    assert (of.facts["symbols"], of.facts["first_day"]) == (["KRW-BTC"], "2026-01-01")
    assert not {"asked", "metrics", "made_from", "frames"} & of.facts.keys()
    assert SORTS[0] == "newest"
    assert of.days == 2


def test_a_table_says_what_was_asked_of_it():
    """What it says itself goes before; a run's document is whole."""
    of = Kept(
        "a" * 64, "q", "sweep", "sma_cross", "account", ("KRW-BTC",), "1h", date(2026, 1, 1), date(2026, 1, 2),
        None, None, None, None, is_pinned=False, kept_at=datetime(2026, 2, 1, tzinfo=UTC),
        asked={"grid": {"fast": [1]}, "combinations": 1},
    )  # fmt: skip
    told = {"id": "a" * 64, "kind": "sweep", "combinations": 2, "rows": []}
    others = {"grid": {"fast": [1]}, "strategy": "sma_cross", "symbols": ["KRW-BTC"], "timeframe": "1h"}
    assert of.completed(told) == told | others
    assert replace(of, kind="backtest").completed({"id": 1}) == {"id": 1}
