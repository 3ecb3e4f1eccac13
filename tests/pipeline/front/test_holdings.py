import json
from itertools import product

import pytest
from jsonschema import Draft202012Validator

from coinhts_core.holdings.document import schema
from coinhts_core.ledger.queries import load_queries
from coinhts_pipeline.front.api import document

PROGRAM = {"authorization": "Bearer tok"}
BITCOIN = {"symbol": "KRW-BTC", "entry_price_krw": 95_000_000, "volume_base": "0.1", "opened_at": "2026-01-02T00:00Z"}
SOLD = {"exit_price_krw": 97_000_000, "closed_at": "2026-01-03T00:00Z"}
PLACE = "/api/positions"
_NOWHERE = ("7", "0", "-1", "1.5", "%D9%A3", "9" * 18, "9" * 40, "..%2fetc", "x%00")
_IMPOSSIBLE = [
    ("POST", "", b"", "body"),
    ("POST", "", b"[1]", "body"),
    ("POST", "", b"x" * 70_000, "body"),
    ("POST", "", b'{"symbol": "KRW-BTC", "symbol": "KRW-BTC"}', "symbol"),
    ("POST", "", BITCOIN | {"symbol": "../../etc"}, "symbol"),
    ("POST", "", BITCOIN | {"book": "live"}, "book"),
    ("POST", "", BITCOIN | {"entry_price_krw": float("nan")}, "entry_price_krw"),
    ("POST", "", BITCOIN | {"volume_base": float("inf")}, "volume_base"),
    ("POST", "", b'{"symbol": "KRW-BTC", "volume_base": 1, "entry_price_krw": 1e999}', "entry_price_krw"),
    ("POST", "", BITCOIN | {"opened_at": "2999-01-01T00:00Z"}, "opened_at"),
    ("PATCH", "/1", {"note": "x"}, "version"),
    ("PATCH", "/1", {"version": 1}, "body"),
    ("POST", "/1/close", {"version": 1}, "exit_price_krw"),
    ("DELETE", "/1", None, "version"),
    ("DELETE", "/1?version=1&version=2", None, "version"),
    ("GET", "?limit=0", None, "limit"),
    ("GET", "?state=gone", None, "state"),
    ("GET", "?symbol=USDT-BTC", None, "symbol"),
    ("GET", "?staet=open", None, "staet"),
]


@pytest.fixture
def ask(locked_port):
    """Ask as the owner's program, and give the status and the document; positions fit their schema."""
    validator = Draft202012Validator(schema())

    def asked(method, path, said=None, **headers):
        body = said if said is None or isinstance(said, bytes) else json.dumps(said).encode()
        answer = locked_port.ask(method, path, body, content_type="application/json", **PROGRAM | headers)
        if answer.status in {200, 201} and "book" in answer.document:
            validator.validate(answer.document)
        return answer.status, answer.document

    return asked


def test_a_position_goes_its_way(ask):
    """Opened, amended, closed, deleted; each answer is the position as it is then."""
    status, opened = ask("POST", PLACE, BITCOIN)
    assert (status, opened["state"], opened["version"], opened["paid_krw"]) == (201, "open", 1, "9504750")
    place = f"{PLACE}/{opened['id']}"
    assert ask("PATCH", place, {"version": 1, "note": "첫 매수"})[1]["note"] == "첫 매수"
    status, closed = ask("POST", f"{place}/close", {"version": 2, "slippage_krw": 100} | SOLD)
    assert (status, closed["state"], closed["realised_krw"]) == (200, "closed", 190_300)
    assert closed["closed_at_kst"] == "2026-01-03T09:00:00+09:00"
    listed = ask("GET", f"{PLACE}?state=closed&symbol=btc/krw&limit=5")[1]
    assert ([of["id"] for of in listed["positions"]], listed["matching"]) == ([opened["id"]], 1)
    assert listed["totals"]["realised_krw"] == 190_300
    status, shown = ask("GET", place)
    assert (status, shown["realised_krw"]) == (200, 190_300)
    assert ask("DELETE", f"{place}?version=3")[1]["state"] == "deleted"
    assert ask("GET", place)[0] == 404
    status, history = ask("GET", f"{place}/history")
    assert [of["what"] for of in history] == ["opened", "annotated", "closed", "deleted"]
    assert {of["changed_by"] for of in history} == {"owner over HTTP"}


def test_what_was_opened_by_mistake_never_was(ask):
    """Cancelled, then deleted."""
    place = f"{PLACE}/{ask('POST', PLACE, BITCOIN)[1]['id']}"
    assert ask("DELETE", f"{place}?version=1")[0] == 409
    assert ask("POST", f"{place}/cancel", {"version": 1})[1]["state"] == "cancelled"
    assert ask("DELETE", f"{place}?version=2")[0] == 200


def test_the_same_key_opens_one(ask):
    """201 once, then 200 with what it gave; other words under it are a conflict."""
    answers = [ask("POST", PLACE, BITCOIN | {"key": "k-1"}) for _ in range(3)]
    assert [status for status, _ in answers] == [201, 200, 200]
    assert len({of["id"] for _, of in answers}) == 1
    status, refused = ask("POST", PLACE, BITCOIN | {"key": "k-1", "volume_base": 1})
    assert (status, refused["error"]["code"]) == (409, "conflict")


def test_who_looked_at_an_older_version_is_told(ask):
    """And what another changed is not lost."""
    place = f"{PLACE}/{ask('POST', PLACE, BITCOIN)[1]['id']}"
    assert ask("PATCH", place, {"version": 1, "volume_base": "0.2"})[0] == 200
    status, refused = ask("PATCH", place, {"version": 1, "volume_base": "0.3"})
    assert (status, refused["error"]["code"]) == (409, "conflict")
    assert "is at version 2 by now, not 1" in refused["error"]["message"]
    assert ask("GET", place)[1]["volume_base"] == "0.2"


def test_what_cannot_be_is_refused_by_its_field(ask):
    """400, one sentence."""
    for method, path, body, field in _IMPOSSIBLE:
        status, refused = ask(method, f"{PLACE}{path}", body)
        assert (status, refused["error"]["code"], refused["error"]["field"]) == (400, "bad_position", field), body
        assert field in refused["error"]["message"]


def test_what_is_not_there_is_not_found(ask):
    """However it is asked for."""
    ways = ("GET", "", None), ("GET", "/history", None), ("POST", "/cancel", {"version": 1})
    for number, (method, end, said) in product(_NOWHERE, ways):
        status, refused = ask(method, f"{PLACE}/{number}{end}", said)
        assert (status, refused["error"]["field"]) == (404, None), number
        assert refused["error"]["code"] in {"unknown_position", "unknown_path"}


def test_a_viewer_looks_and_changes_nothing(locked_port, ask):
    """And whoever is not logged in does not even look."""
    number = ask("POST", PLACE, BITCOIN)[1]["id"]
    viewer = {"cookie": locked_port.login("anschauen").cookie, "content_type": "application/json"}
    assert locked_port.read(f"{PLACE}/{number}", **viewer).document["id"] == number
    changes = [("POST", PLACE), ("PATCH", f"{PLACE}/{number}"), ("DELETE", f"{PLACE}/{number}?version=1")]
    changes += [("POST", f"{PLACE}/{number}/{deed}") for deed in ("close", "cancel")]
    for method, path in changes:
        body = json.dumps({"version": 1} | BITCOIN | SOLD).encode()
        answer = locked_port.ask(method, path, body, origin=locked_port.origin, **viewer)
        assert (answer.status, answer.document["error"]["code"]) == (403, "viewers_look"), path
        assert locked_port.ask(method, path, body, origin=locked_port.origin).status == 401
    assert locked_port.read(PLACE).status == 401
    assert ask("GET", f"{PLACE}/{number}")[1]["version"] == 1


def test_the_schema_is_published_and_named_in_the_description(ask, locked_port):
    """Where the description of the API says that it is."""
    answer = locked_port.read("/api/schemas/position.json", **PROGRAM)
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.document == schema()
    described = ask("GET", "/api/openapi.json")[1]["paths"]
    assert described == document()["paths"]
    answers = described["/api/positions/{id}"]["get"]["responses"]
    assert answers["200"]["content"]["application/json"]["schema"] == {"$ref": "/api/schemas/position.json"}
    taken = described["/api/positions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert taken["required"] == ["symbol", "entry_price_krw", "volume_base"]


def test_a_method_that_is_not_known_is_said(ask):
    """By the known path's own answer."""
    one = f"{PLACE}/1"
    for method, path in (("PUT", PLACE), ("PUT", one), ("GET", f"{one}/close"), ("POST", one)):
        status, refused = ask(method, path, {})
        assert (status, refused["error"]["code"]) == (405, "bad_method"), path


def test_what_the_ledger_refuses_changes_nothing(ask, ledger):
    """A row that broke its laws would be an error of ours; it is told as one sentence all the same."""
    number = ask("POST", PLACE, BITCOIN)[1]["id"]
    with ledger.transaction() as connection:
        connection.execute("ALTER TABLE holdings ADD CONSTRAINT nobody_sells CHECK (state <> 'closed')")
    status, refused = ask("POST", f"{PLACE}/{number}/close", {"version": 1} | SOLD)
    assert (status, refused["error"]["code"]) == (409, "refused")
    assert "the ledger refuses a row" in refused["error"]["message"]
    with ledger.transaction() as connection:
        events = connection.execute(load_queries("holdings")["find_events"], {"number": number}).fetchall()
    assert len(events) == 1


def test_without_a_ledger_there_is_no_book(open_port):
    """It says so, and when to ask again."""
    for path in (PLACE, f"{PLACE}/1", f"{PLACE}/1/history"):
        answer = open_port.read(path)
        assert (answer.status, answer.document["error"]["code"], answer.headers["retry-after"]) == (503, "busy", "5")
