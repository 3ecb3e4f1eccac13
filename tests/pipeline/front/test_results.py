import json

import pytest
from jsonschema import Draft202012Validator

from coinhts_core.lake.lake import Lake
from coinhts_core.results.described import DOCUMENT
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front.results import DESCRIBED
from tests.core.results.conftest import ran

PROGRAM = {"authorization": "Bearer tok"}
DAYS = {"start_date": "2026-01-01", "end_date": "2026-01-13"}


@pytest.fixture
def shelf(ledger, settings):
    """Give the shelf of the house that is served."""
    return Shelf(ledger, Lake.open(settings().lake_url))


def kept(shelf, **knobs):
    result = ran(**knobs)
    return shelf.keep(result.id, result, DAYS)


def test_results_are_told_as_the_command_tells_them(locked_port, shelf):
    """Behind the login; by each filter."""
    rows = [kept(shelf, fast=fast) for fast in (3, 4, 5)]
    assert locked_port.read("/api/results").status == 401
    answer = locked_port.read("/api/results", **PROGRAM)
    assert answer.document == [of.facts for of in shelf.listed()]
    assert answer.headers["cache-control"] == "no-store"
    best = max(rows, key=lambda row: row.total_return)
    asked = f"/api/results?sort=return&limit=1&strategy=sma_cross&min_return={best.total_return}&from=2026-01-01"
    assert [of["id"] for of in locked_port.read(asked, **PROGRAM).document] == [best.id]
    second = locked_port.read("/api/results?limit=1&offset=1", **PROGRAM).document
    assert [of["id"] for of in second] == [of.id for of in shelf.listed()][1:2]


def test_a_document_is_told_as_it_was_kept_and_as_it_is_described(locked_port, shelf):
    """By its id or the first letters of it."""
    row = kept(shelf)
    found = locked_port.read(f"/api/results/{row.id[:8]}", **PROGRAM).document
    assert found == shelf.document(row.id)
    schema = locked_port.read("/api/schemas/result.json", **PROGRAM).document
    assert schema == DOCUMENT
    Draft202012Validator(schema).validate(found)


def test_two_results_are_compared(locked_port, shelf):
    """What differs, figures and curves, in JSON."""
    one, other = kept(shelf), kept(shelf, fast=4)
    found = locked_port.read(f"/api/results/compare?a={one.id}&b={other.id[:6]}", **PROGRAM).document
    assert found == json.loads(json.dumps(shelf.compare(one.id, other.id).facts))
    assert found["causes"] == [{"name": "parameters", "how": "fast 3 → 4"}]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/results?limit=0", "limit"),
        ("/api/results?limit=%D9%A3", "limit"),
        ("/api/results?limit=1&limit=2", "limit"),
        ("/api/results?offset=-1", "offset"),
        ("/api/results?from=2026-02-30", "from"),
        ("/api/results?to=%00", "to"),
        ("/api/results?min_return=nan", "min_return"),
        ("/api/results?max_return=1e999", "max_return"),
        ("/api/results?min_return=1&max_return=0", "min_return"),
        ("/api/results?strategy=%27%3B%20DROP%20TABLE%20results", "strategy"),
        ("/api/results?symbol=KRW-%00", "symbol"),
        ("/api/results?kind=queue", "kind"),
        ("/api/results?sort=id", "sort"),
        ("/api/results?state=queued", "state"),
        ("/api/results/abc", "id"),
        ("/api/results/ABCDEF", "id"),
        (f"/api/results/{'a' * 65}", "id"),
        ("/api/results/compare?a=abcdef", "b"),
        ("/api/results/compare", "a"),
        ("/api/results/compare?a=%00&b=abcdef", "a"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(locked_port, path, field):
    """One form of refusal, whatever was asked."""
    answer = locked_port.read(path, **PROGRAM)
    assert (answer.status, answer.document["error"]["field"]) == (400, field)
    assert answer.document["error"]["message"].count("\n") == 0


def test_what_is_not_there_is_not_found(locked_port, shelf):
    """And what several begin with asks for more."""
    for path in ("/api/results/abcdef", "/api/results/compare?a=abcdef&b=abcdee"):
        answer = locked_port.read(path, **PROGRAM)
        assert (answer.status, answer.document["error"]["code"]) == (404, "unknown_result")
    for last in "01":
        shelf.keep("c" * 63 + last, ran(), DAYS)
    assert locked_port.read("/api/results/cccccc", **PROGRAM).status == 409


def test_a_damaged_result_is_named(locked_port, shelf, settings):
    """Never a figure out of other bytes; the list still answers."""
    row = kept(shelf)
    for file in (settings().home / "lake" / "results" / row.id / "trades").rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-1])
    answer = locked_port.read(f"/api/results/{row.id}", **PROGRAM)
    assert (answer.status, answer.document["error"]["code"]) == (409, "damaged")
    assert "the trades of result" in answer.document["error"]["message"]
    assert len(locked_port.read("/api/results", **PROGRAM).document) == 1


@pytest.mark.parametrize("path", ["/api/results", "/api/results/abcdef", "/api/results/compare?a=abcdef&b=abcdee"])
def test_without_a_ledger_nothing_is_read_in_it(open_port, path):
    """It says so, and when to ask again."""
    answer = open_port.read(path)
    assert (answer.status, answer.document["error"]["code"], answer.headers["retry-after"]) == (503, "busy", "5")


def test_every_route_is_described(locked_port, shelf):
    """And answers as it is described, asked for what there is."""
    row = kept(shelf)
    for path, methods in DESCRIBED.items():
        assert list(methods) == ["get"]
        asked = path.replace("{id}", row.id) + (f"?a={row.id}&b={row.id}" if path.endswith("compare") else "")
        answer = locked_port.read(asked, **PROGRAM)
        assert answer.status == 200, path
        assert answer.headers["content-type"] == "application/json"
        assert locked_port.ask("POST", asked, b"{}", content_type="application/json", **PROGRAM).status == 405
