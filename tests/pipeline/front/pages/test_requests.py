from dataclasses import replace
from datetime import UTC, date, datetime
from http import HTTPStatus

import pytest

from coinhts_core.days import DayRange
from coinhts_core.requests.choices import Choice, Choices
from coinhts_core.requests.desk import STATES, Filter, Standing
from coinhts_core.requests.request import KINDS
from coinhts_core.requests.typed import read_typed
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.pages.requests import FIELDS, Look, Queue, form_page, queue_page
from tests.pipeline.front.pages.tags import EVIL, is_kept

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ASKED = {
    "params": {"fast": 10, "slow": 50},
    "symbols": ["KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-SOL"],
    "start_date": "2026-01-01",
    "end_date": "2026-01-31",
    "timeframe": "1h",
}
ONE = Standing("ab" * 32, "queued", "backtest", "sma_cross", ASKED, 0.0, "", None, 0, NOON, NOON)
CHOICES = Choices(
    (Choice("sma_cross", "Enter when it crosses.", "1h", {"fast": "10"}, {"fast": "bars"}),),
    ("KRW-BTC", "KRW-ETH"),
    DayRange(date(2026, 1, 1), date(2026, 2, 28)),
)


def queue(*standings, is_owner=True, has_more=False, **look):
    counts = {state: sum(of.state == state for of in standings) for state in STATES}
    is_still = look.pop("is_still", False)
    return Queue(standings, counts, Look(Filter(limit=25, **look), is_still=is_still), has_more, is_owner)


def tags(*standings, **how):
    return is_kept(queue_page(queue(*standings, **how)))


def refreshes(found):
    return [attrs["content"] for attrs in found.of("meta") if attrs.get("http-equiv") == "refresh"]


def test_a_request_is_told_in_words():
    """What it asks, how far it is, and its coins without end shortened."""
    found = tags(replace(ONE, state="running", progress=0.347, step="computes the backtest"))
    assert "backtest of sma_cross" in found.said("th")
    assert "KRW-BTC, KRW-ETH, KRW-XRP and 1 more · 1h · 2026-01-01 to 2026-01-31" in found.said("small")
    assert {"fast 10, slow 50", "computes the backtest"} <= set(found.said("small"))
    (bar,) = found.of("progress")
    assert (bar["value"], bar["max"], found.said("progress")) == ("35", "100", ["35 %"])
    assert bar["aria-label"]
    assert "2026-03-01 12:00 UTC 03-01 21:00 KST" in found.text


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_word_its_outcome_and_its_deed(state):
    """Of what is done the result, of what failed the reason, and a button where there is something to do."""
    found = tags(replace(ONE, state=state, error="no candles" if state in {"failed", "dead"} else None))
    (deed,) = [attrs.get("action") for attrs in found.of("form") if attrs.get("method") == "post"] or [None]
    expected = {"queued": "cancel", "running": "cancel", "completed": None}.get(state, "retry")
    assert deed == (f"/reports/requests/{ONE.id}/{expected}" if expected else None)
    results = [attrs["href"] for attrs in found.of("a") if attrs["href"] == f"/reports/results/{ONE.id}"]
    assert bool(results) == (state == "completed")
    assert ("no candles" in found.said("div")) == (state in {"failed", "dead"})
    assert bool(found.of("progress")) == (state in {"queued", "running"})


def test_it_looks_again_only_while_something_goes_on():
    """And not when somebody wants to hold it still, which a link does and undoes."""
    assert refreshes(tags(ONE)) == refreshes(tags(replace(ONE, state="running"))) == ["2"]
    assert refreshes(tags(replace(ONE, state="completed"))) == refreshes(tags()) == []
    still = tags(ONE, is_still=True, kind="backtest")
    assert refreshes(still) == []
    assert "/reports/requests?kind=backtest" in {attrs["href"] for attrs in still.of("a")}
    assert "/reports/requests?kind=backtest&still=yes" in {
        attrs["href"] for attrs in tags(ONE, kind="backtest").of("a")
    }


def test_a_viewer_sees_the_list_and_no_deeds():
    """Nothing is offered that would be refused."""
    found = tags(ONE, replace(ONE, state="failed", error="x"), is_owner=False)
    assert {attrs["method"] for attrs in found.of("form")} == {"get"}
    assert "/reports/requests/new" not in {attrs["href"] for attrs in found.of("a")}


def test_a_long_list_is_turned_over():
    """With what it is filtered by."""
    found = {attrs["href"] for attrs in tags(ONE, has_more=True, state="queued", offset=25).of("a")}
    assert {"/reports/requests?state=queued", "/reports/requests?state=queued&offset=50"} <= found


def test_an_empty_queue_says_what_to_do():
    """A command; one that is filtered says that nothing is like that."""
    assert "coinhts backtest submit" in tags().text
    assert "No request is like that." in queue_page(replace(queue(state="dead"), counts=dict.fromkeys(STATES, 1)))


@pytest.mark.parametrize("state", STATES)
def test_nothing_of_a_request_is_taken_for_markup(state):
    """Whatever somebody got into the ledger."""
    asked = {"params": {EVIL: EVIL}, "grid": {EVIL: [EVIL]}, "symbols": [EVIL], "timeframe": EVIL}
    is_kept(queue_page(queue(replace(ONE, state=state, strategy=EVIL, step=EVIL, error=EVIL, asked=asked))))


def test_every_state_and_kind_can_be_chosen():
    """In words; what is chosen stays chosen."""
    found = tags(state="dead", kind="sweep")
    values = {attrs["value"] for attrs in found.of("option")}
    assert values == {"", *STATES, *KINDS}
    assert [attrs["value"] for attrs in found.of("option") if "selected" in attrs] == ["dead", "sweep"]


def test_a_form_asks_for_all_there_is_to_choose():
    """Strategies with their sentence, days that are over, and the knobs of each strategy."""
    found = is_kept(form_page({}, CHOICES))
    names = {attrs.get("name") for tag in ("input", "select", "textarea") for attrs in found.of(tag)}
    assert names == set(FIELDS)
    assert "sma_cross: Enter when it crosses." in found.said("option")
    days = [attrs for attrs in found.of("input") if attrs["type"] == "date"]
    assert {(of["min"], of["max"]) for of in days} == {("2026-01-01", "2026-02-28")}
    assert {"fast", "10", "bars"} <= set(found.text.split())
    assert read_typed(dict.fromkeys(FIELDS, "")) == {}


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("symbols", "symbols"),
        ("params.fast", "params"),
        ("params", "params"),
        ("account.cash", "cash"),
        ("account", "cash"),
        ("end_date", "end_date"),
        ("strategy", "strategy"),
    ],
)
def test_a_refusal_stands_beside_its_field(field, place):
    """What was typed stays; the field says that it is about it."""
    typed = {"symbols": "KRW-DOGE", "params": "fast = 0\nslow = 5", "cash": "1", "strategy": "sma_cross"}
    refusal = Refusal(HTTPStatus.BAD_REQUEST, "bad_request", "not so", field=field)
    found = is_kept(form_page(typed, CHOICES, refusal))
    (wrong,) = [attrs for _, attrs in found.found if attrs.get("aria-invalid")]
    assert (wrong["name"], wrong["aria-describedby"]) == (place, f"{place}-refused")
    assert [attrs.get("role") for attrs in found.of("p")].count("alert") == 1
    assert "not so" in found.said("p")
    assert {attrs.get("value") for attrs in found.of("input")} >= {"KRW-DOGE", "1"}
    assert "".join(found.said("textarea")) == "fast = 0\nslow = 5"


def test_a_refusal_without_a_field_stands_above_them():
    """As of a full queue."""
    found = is_kept(form_page({}, CHOICES, Refusal(HTTPStatus.TOO_MANY_REQUESTS, "queue_full", "come again")))
    assert found.said("p").count("come again") == 1
    assert not [attrs for _, attrs in found.found if attrs.get("aria-invalid")]


def test_nothing_that_was_typed_is_taken_for_markup():
    """Nor anything that is said of strategies."""
    choices = replace(CHOICES, strategies=(Choice("own", EVIL, "1h", {EVIL: EVIL}, {EVIL: EVIL}),), symbols=(EVIL,))
    refusal = Refusal(HTTPStatus.BAD_REQUEST, "bad_request", EVIL, field=EVIL)
    is_kept(form_page(dict.fromkeys(FIELDS, EVIL), choices, refusal))
