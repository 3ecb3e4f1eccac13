"""Which strategy suits which coin, for programs: /api/leaderboard.

What lives here: the route and its description. What to add: a filter, in `coinhts_core.results.ranking` and in
`_FILTERS`. What stays out: the ranking itself (`coinhts_core.results`), and the page (`leaderboard_pages`).
"""

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coinhts_core.results.ranking import FEW, METHOD, MOST, SURE, read_asked
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front.answers import answer_of
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, refused
from coinhts_pipeline.front.shown import asked

PATH = "/api/leaderboard"
_NO_STORE = {"Cache-Control": "no-store"}


def routes(readings: Readings | None) -> list[Route]:
    return [Route(PATH, _Ranking(readings).told, methods=["GET"])]


class _Ranking:
    """What is kept, ranked when somebody asks."""

    def __init__(self, readings: Readings | None) -> None:
        self._readings = readings

    async def told(self, request: Request) -> Response:
        found = await answer_of(self._readings, lambda readings: _told(request, readings.shelf))
        return refused(found) if isinstance(found, Refusal) else found


def _told(request: Request, shelf: Shelf) -> Response:
    coins = [of.facts for of in shelf.ranked(read_asked(asked(request)))]
    return JSONResponse({"confidence": SURE, "method": METHOD, "coins": coins}, HTTPStatus.OK, _NO_STORE)


def _whole(least: int, most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


_FILTERS: dict[str, dict[str, Any]] = {
    "symbol": {"type": "string"},
    "days": {**_whole(1, 100_000, 1), "description": "of results of so many days at least"},
    "limit": {**_whole(1, MOST, FEW), "description": "coins"},
    "offset": {**_whole(0, 100_000, 0), "description": "coins"},
}
_REFUSED = {
    "description": "not so",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
}
_NUMBER, _TEXT = {"type": ["number", "null"]}, {"type": "string"}
_STRATEGY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "strategy": _TEXT,
        "id": {**_TEXT, "description": "of its best result"},
        "answers": {"type": "integer", "description": "how many results stand behind it"},
        "days": {"type": "integer"},
        "sharpe": _NUMBER,
        "sharpe_low": _NUMBER,
        "sharpe_high": _NUMBER,
        "deflated_sharpe": _NUMBER,
        "trust": _TEXT,
    },
}
_COIN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "symbol": _TEXT,
        "verdict": {**_TEXT, "description": "one sentence"},
        "is_decided": {"type": "boolean", "description": "one strategy's interval lies above all others"},
        "rivals": {"type": "array", "items": _TEXT, "description": "the best, and those whose intervals overlap its"},
        "strategies": {"type": "array", "items": _STRATEGY},
    },
}
_RANKING: dict[str, Any] = {
    "type": "object",
    "properties": {"confidence": {"type": "number"}, "method": _TEXT, "coins": {"type": "array", "items": _COIN}},
    "required": ["confidence", "method", "coins"],
}
DESCRIBED: dict[str, Any] = {
    PATH: {
        "get": {
            "summary": "Which strategy suits which coin, of the backtests that are kept, with how sure that is",
            "parameters": [{"name": name, "in": "query", "schema": of} for name, of in _FILTERS.items()],
            "responses": {
                "200": {"description": "coins by name", "content": {"application/json": {"schema": _RANKING}}},
                **{str(status): _REFUSED for status in (400, 401, 503)},
            },
        },
    },
}
