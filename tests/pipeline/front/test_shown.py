import asyncio
from http import HTTPStatus

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from coinhts_core.errors import (
    BadRequestError,
)
from coinhts_core.settings import read_settings
from coinhts_pipeline.front.origins import Asked, Refusal
from coinhts_pipeline.front.pages.looks import CONTENT_POLICY
from coinhts_pipeline.front.shown import House, asked, missing, refused, shown
from tests.pipeline.front.pages.tags import EVIL, is_kept


def _request(query, accept="text/html"):
    head = [(b"accept", accept.encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": head, "query_string": query.encode()})


def test_a_page_is_shown_to_whoever_asked_and_kept_by_nobody():
    """It loads nothing."""
    answer = shown("page", HTTPStatus.ACCEPTED, {"Location": "/"})
    assert (answer.status_code, answer.body, answer.headers["location"]) == (202, b"page", "/")
    assert (answer.headers["content-security-policy"], answer.headers["cache-control"]) == (CONTENT_POLICY, "no-store")


def test_a_refusal_is_a_page_that_leads_on():
    """The sentence is read aloud, and is words."""
    answer = refused(Refusal(HTTPStatus.CONFLICT, "no", EVIL), "results")
    assert answer.status_code == 409
    tags = is_kept(answer.body.decode())
    assert tags.said("h1") == ["Conflict"]
    assert [of["href"] for of in tags.of("a") if of.get("aria-current")] == ["/reports/results"]
    assert refused(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "wait", 5)).headers["retry-after"] == "5"


def test_a_query_is_read_once():
    """What is left empty is not asked; what is given twice could mean either."""
    assert asked(_request("strategy=&sort=return&from=2026-01-01")) == {"sort": "return", "from": "2026-01-01"}
    with pytest.raises(BadRequestError, match="given twice") as refusal:
        asked(_request("sort=return&sort="))
    assert refusal.value.field == "sort"


def test_what_is_missing_is_told_as_it_was_asked_for():
    """A person reads a page, a program JSON."""
    is_kept(missing(Asked.of(_request("").scope)).body.decode())
    assert b'"no_report"' in missing(Asked.of(_request("", "application/json").scope)).body


def test_without_a_ledger_nothing_is_asked():
    """The page says what to do."""
    house = House(read_settings({}), None)
    answer = asyncio.run(house.answer(lambda _: PlainTextResponse("never"), "results"))
    assert answer.status_code == 503
    assert b"coinhts up" in answer.body
