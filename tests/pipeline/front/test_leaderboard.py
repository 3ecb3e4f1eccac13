import json

import pytest

from coinhts_core.lake.lake import Lake
from coinhts_core.results.ranking import Asked
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front.leaderboard import DESCRIBED, PATH
from tests.core.results.conftest import ran

PROGRAM = {"authorization": "Bearer tok"}
DAYS = {"start_date": "2026-01-01", "end_date": "2026-01-13"}


@pytest.fixture
def shelf(ledger, settings):
    """Give the shelf of the house that is served, with two results."""
    shelf = Shelf(ledger, Lake.open(settings().lake_url))
    for fast in (3, 4):
        result = ran(fast=fast)
        shelf.keep(result.id, result, DAYS)
    return shelf


def test_programs_are_told_what_is_kept_and_how_sure_it_is(locked_port, shelf):
    """As it is described, behind the login."""
    assert locked_port.read(PATH).status == 401
    answer = locked_port.read(PATH, **PROGRAM)
    told = answer.document
    assert answer.headers["cache-control"] == "no-store"
    assert told["confidence"] == 0.9
    assert told["coins"] == json.loads(json.dumps([of.facts for of in shelf.ranked(Asked())]))
    described = DESCRIBED[PATH]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(described["required"]) == set(told)
    (coin,) = told["coins"]
    coins = described["properties"]["coins"]["items"]
    assert set(coins["properties"]) == set(coin)
    assert set(coins["properties"]["strategies"]["items"]["properties"]) <= set(coin["strategies"][0])
    assert locked_port.read(f"{PATH}?days=14", **PROGRAM).document["coins"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("symbol=%00", "symbol"), ("days=0", "days"), ("limit=201", "limit"), ("days=1&days=2", "days"), ("x=1", "x")],
)
def test_what_cannot_be_meant_is_refused_by_its_field(locked_port, query, field):
    """One form of refusal."""
    answer = locked_port.read(f"{PATH}?{query}", **PROGRAM)
    assert (answer.status, answer.document["error"]["field"]) == (400, field)


def test_it_is_only_read(locked_port, open_port):
    """And without a ledger it says when to come again."""
    assert locked_port.ask("POST", PATH, b"{}", content_type="application/json", **PROGRAM).status == 405
    answer = open_port.read(PATH)
    assert (answer.status, answer.document["error"]["code"], answer.headers["retry-after"]) == (503, "busy", "5")
