import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import openapi
from schemathesis.generation import GenerationMode

from coinhts_core.clock import now
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.queries import load_queries
from coinhts_core.requests.answer import answer
from coinhts_core.requests.desk import Desk, Verdict
from coinhts_core.requests.reception import Reception
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front import api
from tests.pipeline.asking import DAYS, collect, question

PROGRAM = {"authorization": "Bearer tok", "content_type": "application/json"}
PATH = "/api/backtests"


class _Rooms:
    """As much of a house as candles need."""

    def __init__(self, ledger, of):
        self.settings, self.ledger = of, ledger
        self.lake = Lake.open(of.lake_url)


@pytest.fixture
def rooms(ledger, settings):
    """Give the rooms behind the port, with a coin and some days of its candles."""
    rooms = _Rooms(ledger, settings())
    with ledger.transaction() as connection:
        row = {"symbol": "KRW-BTC", "first_day": DAYS[0], "anchor": DAYS[0], "delisted_on": None}
        connection.execute(load_queries("symbols")["register_symbol"], row)
    collect(rooms)
    return rooms


@pytest.fixture
def port(rooms, locked_port):
    del rooms
    return locked_port


@pytest.fixture
def desk(ledger):
    return Desk(ledger)


@pytest.fixture
def put(port):
    """Put a question, as a program does."""

    def ask(**facts):
        return port.ask("POST", PATH, json.dumps(question(**facts)).encode(), **PROGRAM)

    return ask


def refusal(answer):
    return answer.status, answer.document["error"]["code"], answer.document["error"]["field"]


def test_a_request_is_taken_looked_at_cancelled_and_begun_again(port, put, desk):
    """As the contract says; the same again is the same."""
    taken = put()
    assert (taken.status, set(taken.document)) == (202, {"id", "state", "created_at"})
    assert taken.document["state"] == "queued"
    one = taken.headers["location"]
    assert one == f"{PATH}/{taken.document['id']}"
    assert put().document == taken.document
    shown = port.read(one, **PROGRAM).document
    assert (shown["state"], shown["progress"], shown["step"], shown["error"]) == ("queued", 0, "", None)
    assert shown["asked"]["params"] == {"fast": 2, "slow": 5}
    assert port.ask("DELETE", one, None, **PROGRAM).document["state"] == "cancelled"
    assert refusal(port.ask("DELETE", one, None, **PROGRAM)) == (409, "bad_state", None)
    assert port.ask("POST", f"{one}/retry", b"", **PROGRAM).document["state"] == "queued"
    assert refusal(port.ask("POST", f"{one}/retry", b"", **PROGRAM)) == (409, "bad_state", None)
    assert desk.counts()["queued"] == 1


def test_a_result_is_read_when_there_is_one(port, put, desk, rooms):
    """Before that it says how the request stands; a list finds it by what it came to."""
    one = put().headers["location"]
    assert refusal(port.read(f"{one}/result", **PROGRAM)) == (409, "bad_state", None)
    (claim,) = desk.claim(1, "w", now())
    furnished = Reception(rooms.settings, rooms.ledger, rooms.lake).recalled(claim.asked, now())
    shelf = Shelf(rooms.ledger, rooms.lake)
    result = answer(furnished, rooms.lake, shelf, lambda *_: None, lambda: claim.id)
    desk.settle(claim, Verdict("completed"), now())
    told = port.read(f"{one}/result", **PROGRAM)
    assert (told.status, told.document) == (200, json.loads(json.dumps(shelf.document(claim.id), default=str)))
    worth = result.metrics["total_return"]
    for query, count in ((f"min_return={worth - 0.001}&max_return=1e3", 1), (f"min_return={worth + 0.001}", 0)):
        assert len(port.read(f"{PATH}?{query}&state=completed", **PROGRAM).document) == count


def test_lists_are_filtered(port, put, desk):
    """By state, strategy and day, as many as are wanted."""
    names = [put(params={"fast": fast, "slow": 9}).document["id"] for fast in (2, 3, 4)]
    desk.cancel(names[0], now())
    today = now().date()

    def found(query):
        return [of["id"] for of in port.read(f"{PATH}?{query}", **PROGRAM).document]

    assert found("") == names[::-1]
    assert found("state=cancelled") == names[:1]
    assert found("limit=1&state=queued") == names[2:]
    assert found(f"from={today}&to={today}&strategy=sma_cross") == names[::-1]
    assert found(f"to={DAYS[0]}") == found("strategy=other") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=happy", "state"),
        ("strategy=..%2Fevil", "strategy"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("min_return=nan", "min_return"),
        ("max_return=1e999", "max_return"),
        ("min_return=%D9%A3", "min_return"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=5&limit=6", "limit"),
        ("nonsense=1", "nonsense"),
        ("%00%FF=1", "?\ufffd"),
    ],
)
def test_a_filter_that_is_none_is_refused_by_name(port, query, field):
    """With what it takes."""
    assert refusal(port.read(f"{PATH}?{query}", **PROGRAM)) == (400, "bad_request", field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{}", "strategy"),
        (b"[1]", "body"),
        (b'{"strategy": "a", "strategy": "b"}', "strategy"),
        (b'{"strategy": "sma_cross", "account": {"cash": NaN}}', "body"),
        (b'{"strategy": "sma_cross", "account": {"cash": 1e999}}', "body"),
        (b'{"strategy": "\\ud800"}', "strategy"),
        (b'{"\\ud800": 1, "strategy": "sma_cross"}', "body"),
        (b'{"strategy": "nobody"}', "strategy"),
        (b'{"strategy": "sma_cross", "params": {"fast": -1}}', "params.fast"),
        (b'{"strategy": "sma_cross", "symbols": ["KRW-DOGE"]}', "symbols"),
        (b'{"strategy": "sma_cross", "end_date": "2999-01-01"}', "end_date"),
        (b'{"strategy": "sma_cross", "timeframe": "2m"}', "timeframe"),
        (b'{"strategy": "sma_cross", "x": "' + b"y" * 70_000 + b'"}', "body"),
        (b"[" * 60_000, "body"),
        (b"\xff", "body"),
    ],
)
def test_a_body_that_is_none_is_refused_by_field(port, body, field):
    """And nothing is queued."""
    assert refusal(port.ask("POST", PATH, body, **PROGRAM)) == (400, "bad_request", field)
    assert port.read(PATH, **PROGRAM).document == []


@pytest.mark.parametrize("name", ["0" * 64, "abc", "%00", "..%2f..%2fetc", "A" * 64])
def test_what_nobody_asked_for_is_not_found(port, name):
    """Whatever is done with it."""
    for method, path in (("GET", ""), ("GET", "/result"), ("DELETE", ""), ("POST", "/retry")):
        assert port.ask(method, f"{PATH}/{name}{path}", b"", **PROGRAM).status == 404


def test_a_full_queue_says_when_to_come_again(put, ledger):
    """At once; what is known already is still told."""
    one = put()
    with ledger.transaction() as connection:
        connection.execute(
            "INSERT INTO requests (identity, kind, strategy, asked, created_at, changed_at, not_before) "
            "SELECT lpad(to_hex(n), 64, '0'), 'sweep', 's', '{}', now(), now(), now() FROM generate_series(1, 2000) n"
        )
    full = put(params={"fast": 3, "slow": 9})
    assert (*refusal(full), full.headers["retry-after"]) == (429, "queue_full", None, "30")
    assert put().document == one.document


def test_viewers_look_and_strangers_do_not(port, put):
    """Only the owner puts, cancels and begins again."""
    one = put().headers["location"]
    cookie = port.login("anschauen").cookie
    assert port.read(one, cookie=cookie).status == 200
    for method, path in (("POST", PATH), ("DELETE", one), ("POST", f"{one}/retry")):
        assert port.ask(method, path, b"{}", cookie=cookie, origin=port.origin).status == 403
        assert port.ask(method, path, b"{}", content_type="application/json").status == 401


def test_without_a_ledger_nothing_is_taken(open_port):
    """It says so, and when to ask again."""
    answer = open_port.ask("POST", PATH, b"{}", content_type="application/json")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


def test_many_at_once_are_one_when_they_ask_the_same(put, desk):
    """Sixty visitors, three questions."""
    put()  # what is slow at first is imported
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: put(params={"fast": 2 + number % 3, "slow": 9}), range(60)))
    assert {of.status for of in answers} == {202}
    assert len({of.document["id"] for of in answers}) == 3
    assert desk.counts()["queued"] == 4


_OPERATIONS = [
    (path, method) for path, methods in api.document()["paths"].items() if path.startswith(PATH) for method in methods
]


@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
@settings(
    max_examples=15,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_nothing_that_fits_the_description_or_just_does_not_breaks_anything(port, path, method, data):
    """Every answer is one that is described, and none says that something broke."""
    operation = openapi.from_dict(api.document())[path][method]
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = data.draw(operation.as_strategy(generation_mode=mode))
    answered = case.call(base_url=port.origin, headers={"Authorization": "Bearer tok"}, timeout=20)
    described = {int(status) for status in api.document()["paths"][path][method]["responses"]}
    assert answered.status_code in described | {404, 405}, answered.text
    assert answered.status_code < 500
