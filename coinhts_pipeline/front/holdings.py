"""Positions kept by hand, as programs ask for them and change them: /api/positions.

What lives here: the routes, and their part of the description of the API. What stays out: what fields take and what a
position is worth (`coinhts_core.holdings`), and who may change anything (`wall`).

A change is tried once: whether one was made before the ledger went away is for the client to look up.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coinhts_core.clock import now
from coinhts_core.errors import (
    UnknownPositionError,
)
from coinhts_core.holdings.book import Author, Book
from coinhts_core.holdings.document import SCHEMA_PATH, document_of, schema, totals
from coinhts_core.holdings.holding import Holding, State
from coinhts_core.holdings.prices import Prices
from coinhts_core.holdings.said import AMEND, CLOSE, END, FEW, LONGEST_BODY, MOST, OPEN, Deed, Said, read_body
from coinhts_pipeline.front.answers import answer_of
from coinhts_pipeline.front.bodies import body_up_to
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, refused
from coinhts_pipeline.front.wall import VISITOR

_ONE = "/api/positions/{id}"
_NUMBER = re.compile(r"[1-9]\d{0,17}", re.ASCII)
_PATIENT, _ONCE = None, 0.0
Question = Callable[[Book, Prices], Response]
Change = Callable[[Book, int, Said, Author], Holding]
_NO_STORE = {"Cache-Control": "no-store"}


def routes(readings: Readings | None) -> list[Route]:
    desk = _Desk(readings)
    return [
        Route("/api/positions", desk.listed, methods=["GET"]),
        Route("/api/positions", desk.open, methods=["POST"]),
        Route(_ONE, desk.one, methods=["GET"]),
        Route(_ONE, desk.amend, methods=["PATCH"]),
        Route(_ONE, desk.delete, methods=["DELETE"]),
        Route(f"{_ONE}/close", desk.close, methods=["POST"]),
        Route(f"{_ONE}/cancel", desk.cancel, methods=["POST"]),
        Route(f"{_ONE}/history", desk.history, methods=["GET"]),
        Route(SCHEMA_PATH, _schema, methods=["GET"]),
    ]


class _Desk:
    """What is asked of the book, and how it is answered."""

    def __init__(self, readings: Readings | None) -> None:
        self._readings = readings

    async def listed(self, request: Request) -> Response:
        said = _query(request)

        def read(book: Book, prices: Prices) -> Response:
            found, moment = book.listed(said), now()
            documents = [document_of(of, prices, moment, is_whole=False) for of in found.holdings]
            facts = {"positions": [of.facts for of in documents], "matching": found.matching}
            return _told(facts | {"totals": totals(documents)})

        return await self._answered(read, _PATIENT)

    async def one(self, request: Request) -> Response:
        return await self._answered(lambda book, prices: _shown(book.find(_number(request)), prices), _PATIENT)

    async def history(self, request: Request) -> Response:
        def read(book: Book, _: Prices) -> Response:
            return _told([of.facts for of in book.history(_number(request))])

        return await self._answered(read, _PATIENT)

    async def open(self, request: Request) -> Response:
        body = await body_up_to(request, LONGEST_BODY)

        def opened(book: Book, prices: Prices) -> Response:
            holding, is_new = book.open(read_body(body), _author(request))
            return _shown(holding, prices, HTTPStatus.CREATED if is_new else HTTPStatus.OK)

        return await self._answered(opened, _ONCE)

    async def amend(self, request: Request) -> Response:
        return await self._changed(request, Book.amend)

    async def close(self, request: Request) -> Response:
        return await self._changed(request, Book.close)

    async def cancel(self, request: Request) -> Response:
        return await self._changed(request, Book.cancel)

    async def delete(self, request: Request) -> Response:
        """Its version is in the query, for deletions that have a body are not passed on by all who stand between."""
        said = _query(request)
        return await self._answered(
            lambda book, prices: _shown(book.delete(_number(request), said, _author(request)), prices), _ONCE
        )

    async def _changed(self, request: Request, deed: Change) -> Response:
        body = await body_up_to(request, LONGEST_BODY)

        def changed(book: Book, prices: Prices) -> Response:
            return _shown(deed(book, _number(request), read_body(body), _author(request)), prices)

        return await self._answered(changed, _ONCE)

    async def _answered(self, question: Question, patience_s: float | None) -> Response:
        """The lake is opened first: whatever is wrong with it is said before anything is changed."""
        found = await answer_of(
            self._readings, lambda readings: question(Book(readings.ledger), Prices(readings.lake)), patience_s
        )
        return refused(found) if isinstance(found, Refusal) else found


def _shown(holding: Holding, prices: Prices, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return _told(document_of(holding, prices, now()).facts, status)


def _number(request: Request) -> int:
    told = request.path_params["id"]
    if not _NUMBER.fullmatch(told):
        raise UnknownPositionError(number=told)
    return int(told)


def _query(request: Request) -> dict[str, object]:
    """Given twice, a name is given the list of both, which no field takes."""
    named: dict[str, object] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        named[name] = values[0] if len(values) == 1 else values
    return named


def _author(request: Request) -> Author:
    return Author(f"{request.scope[VISITOR].role} over HTTP", now())


def _told(facts: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return JSONResponse(facts, status, _NO_STORE)


async def _schema(request: Request) -> Response:
    del request
    return JSONResponse(schema(), media_type="application/schema+json")


def _answers(what: str, *refusals: int, of: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
    no = {
        "description": "not so",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
    }
    content = {"application/json": {"schema": of or {"$ref": SCHEMA_PATH}}}
    told = {str(status): {"description": what, "content": content}}
    return told | {str(refusal): no for refusal in (*refusals, 401, 503)}


def _takes(deed: Deed) -> dict[str, Any]:
    """Numbers as numbers or, to be exact, as texts."""
    names = (*deed.needs, *deed.takes)
    fields = {name: {"type": ["string", "number", "null"]} for name in names}
    schema = {"type": "object", "properties": fields, "required": list(deed.needs), "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _asks(name: str, schema: dict[str, Any], where: str = "query", *, is_needed: bool = False) -> dict[str, Any]:
    return {"name": name, "in": where, "required": is_needed, "schema": schema}


_COUNTED = {"type": "integer", "minimum": 1}
_ID = {"parameters": [_asks("id", _COUNTED, "path", is_needed=True)]}
_VERSION = [_asks("version", _COUNTED, is_needed=True)]
_STATES: dict[str, Any] = {"enum": list(get_args(State))}
_FILTERS = [
    _asks("symbol", {"type": "string"}),
    _asks("state", _STATES),
    _asks("limit", _COUNTED | {"maximum": MOST, "default": FEW}),
    _asks("offset", {"type": "integer", "minimum": 0, "default": 0}),
]
_LIST = {"type": "object", "properties": {"positions": {"type": "array", "items": {"$ref": SCHEMA_PATH}}}}
_CHANGE = (400, 403, 404, 409)
DESCRIBED: dict[str, Any] = {
    "/api/positions": {
        "get": {
            "summary": "Positions kept by hand, the latest first, with what those listed earned",
            "parameters": _FILTERS,
            "responses": _answers("a list, how many match, totals", 400, of=_LIST),
        },
        "post": {
            "summary": "Open one; with a key of the client's own it is opened once, however often it is sent",
            **_takes(OPEN),
            "responses": _answers("opened", 400, 403, 409, status=201) | _answers("opened before", 400, 403, 409),
        },
    },
    _ONE: {
        **_ID,
        "get": {"summary": "One, with its worst and best moment", "responses": _answers("it", 404)},
        "patch": {
            "summary": "Amend or annotate the version that was looked at",
            **_takes(AMEND),
            "responses": _answers("its next version", *_CHANGE),
        },
        "delete": {
            "summary": "Delete one that is closed or cancelled; its history stays",
            "parameters": _VERSION,
            "responses": _answers("what was deleted", *_CHANGE),
        },
    },
    f"{_ONE}/close": {
        **_ID,
        "post": {"summary": "Sold whole", **_takes(CLOSE), "responses": _answers("as it is closed", *_CHANGE)},
    },
    f"{_ONE}/cancel": {
        **_ID,
        "post": {"summary": "It never was", **_takes(END), "responses": _answers("as it is cancelled", *_CHANGE)},
    },
    f"{_ONE}/history": {
        **_ID,
        "get": {
            "summary": "All that was ever done to it, also after its deletion",
            "responses": _answers("a list, the first first", 404, of={"type": "array"}),
        },
    },
    SCHEMA_PATH: {
        "get": {"summary": "JSON Schema of a position", "responses": _answers("it", of={"type": "object"})},
    },
}
