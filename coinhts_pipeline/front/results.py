"""Results that were kept, for programs: lists, documents, comparisons, and what a document looks like.

What lives here: the routes below /api/results, the schema of a result, and their description. What to add: a filter, in
`coinhts_core.results.kept`, and its line in `_FILTERS`. What stays out: asking for results to be made (`requests`).
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.results.described import DOCUMENT
from coinhts_core.results.facts import KINDS
from coinhts_core.results.kept import FARTHEST, FEW, MOST, SHORTEST_ID, SORTS, read_id, read_wanted
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front.answers import answer_of
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, refused

_JSON = "application/json"
_ID = {"type": "string", "pattern": f"^[0-9a-f]{{{SHORTEST_ID},64}}$"}
_FILTERS: dict[str, dict[str, Any]] = {
    "strategy": {"type": "string"},
    "kind": {"enum": list(KINDS)},
    "symbol": {"type": "string"},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
    "min_return": {"type": "number"},
    "max_return": {"type": "number"},
    "sort": {"enum": list(SORTS), "default": SORTS[0]},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": FEW},
    "offset": {"type": "integer", "minimum": 0, "maximum": FARTHEST, "default": 0},
}


def _parameters(place: str, schemas: dict[str, dict[str, Any]], *, required: bool) -> list[dict[str, Any]]:
    return [{"name": name, "in": place, "required": required, "schema": of} for name, of in schemas.items()]


def _told(summary: str, what: str, parameters: list[dict[str, Any]], *refusals: int) -> dict[str, Any]:
    refused = {"description": "not so", "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Refused"}}}}
    answers = {"200": {"description": what, "content": {_JSON: {}}}, **{str(status): refused for status in refusals}}
    return {"get": {"summary": summary, "parameters": parameters, "responses": answers}}


DESCRIBED: dict[str, Any] = {
    "/api/results": _told(
        "Results that were kept, as `coinhts backtest list --json`",
        "a list, in the order asked for",
        _parameters("query", _FILTERS, required=False),
        *(400, 401, 503),
    ),
    "/api/results/compare": _told(
        "Two results side by side, as `coinhts backtest compare --json`",
        "causes, figures and curves",
        _parameters("query", {"a": _ID, "b": _ID}, required=True),
        *(400, 401, 404, 409, 503),
    ),
    "/api/results/{id}": _told(
        "A result's document, as `coinhts backtest show --json`",
        "a document as /api/schemas/result.json describes it",
        _parameters("path", {"id": _ID}, required=True),
        *(400, 401, 404, 409, 503),
    ),
    "/api/schemas/result.json": _told("What a result's document looks like", "JSON Schema 2020-12", [], 401),
}


def routes(readings: Readings | None) -> list[Route]:
    results = _Results(readings)
    return [
        Route("/api/results", results.listed),
        Route("/api/results/compare", results.compared),
        Route("/api/results/{id}", results.shown),
        Route("/api/schemas/result.json", _schema),
    ]


class _Results:
    """What is on the shelf."""

    def __init__(self, readings: Readings | None) -> None:
        self._readings = readings

    async def listed(self, request: Request) -> Response:
        return await self._answered(lambda shelf: [of.facts for of in shelf.listed(read_wanted(_asked(request)))])

    async def shown(self, request: Request) -> Response:
        return await self._answered(lambda shelf: shelf.document(_id("id", request.path_params["id"])))

    async def compared(self, request: Request) -> Response:
        first, second = ((name, request.query_params.get(name, "")) for name in ("a", "b"))
        return await self._answered(lambda shelf: shelf.compare(_id(*first), _id(*second)).facts)

    async def _answered(self, question: Callable[[Shelf], Any]) -> Response:
        found = await answer_of(self._readings, lambda readings: _spelled(question(readings.shelf)))
        if isinstance(found, Refusal):
            return refused(found)
        return Response(found, media_type=_JSON, headers={"Cache-Control": "no-store"})


def _asked(request: Request) -> dict[str, Any]:
    """What is given twice means nothing that anybody could tell."""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRequestError(field=twice, reason="it is given twice")
    return dict(given)


def _id(field: str, told: str) -> str:
    try:
        return read_id(told)
    except RefusedError as error:
        raise BadRequestError(field=field, reason=str(error)) from None


def _spelled(found: Any) -> bytes:
    return json.dumps(found, ensure_ascii=False, default=str, allow_nan=False).encode()


async def _schema(request: Request) -> JSONResponse:
    del request
    return JSONResponse(DOCUMENT)
