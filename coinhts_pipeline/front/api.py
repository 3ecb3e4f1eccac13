"""What programs may ask of the port, in words that programs read.

What lives here: the routes below /api and their description. What to add: a route, and its paths in `DESCRIBED`. What
stays out: GraphQL, which describes itself, and how the ledger is read (`readings`).
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from coinhts_core.errors import RefusedError, RetryableError
from coinhts_pipeline.front.answers import refusal_of
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, busy, refused
from coinhts_pipeline.front.rooms import Room, module_of

_FEW, _MOST = 50, 1_000
ROOMS = {
    "results": ("/api/results", "/api/schemas/result.json"),
    "holdings": ("/api/positions", "/api/schemas/position.json"),
    "requests": ("/api/backtests",),
    "leaderboard": ("/api/leaderboard",),
    "health": ("/health/detail",),
}

_REFUSED = {
    "description": "not now",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
}


def _answers(what: str, media_type: str, *refusals: int) -> dict[str, Any]:
    return {"200": {"description": what, "content": {media_type: {}}}, **{str(status): _REFUSED for status in refusals}}


DESCRIBED: dict[str, Any] = {
    "/health": {
        "get": {"summary": "Alive?", "security": [], "responses": _answers("it answers", "application/json")},
    },
    "/api/openapi.json": {
        "get": {"summary": "This description", "responses": _answers("OpenAPI 3.1", "application/json", 401)},
    },
    "/api/alerts": {
        "get": {
            "summary": "The latest alerts, and each place they are sent to, as `coinhts alert list --json`",
            "parameters": [
                {
                    "name": "limit",
                    "in": "query",
                    "schema": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _FEW},
                }
            ],
            "responses": _answers("a list, the latest first", "application/json", 400, 401, 503),
        },
    },
    "/api/settings": {
        "get": {
            "summary": "The settings that live in the ledger, as in `coinhts config show --json`",
            "responses": _answers("a list", "application/json", 401, 409, 503),
        },
    },
    "/metrics": {
        "get": {
            "summary": "What is counted and measured, as Prometheus reads it",
            "responses": _answers("the text format, version 0.0.4", "text/plain", 401),
        },
    },
    "/reports/{path}": {
        "get": {
            "summary": "A page of results, requests or positions; a report; or a list of what lies in a folder",
            "parameters": [{"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": _answers("a page, or a file as it lies there", "text/html", 400, 401, 404, 409, 503),
        },
    },
    "/graphql": {
        "post": {
            "summary": "Dagster's GraphQL",
            "requestBody": {"required": True, "content": {"application/json": {}}},
            "responses": _answers("data and errors", "application/json", 401, 403, 415, 503),
        },
    },
}


def routes(readings: Readings | None) -> list[Route]:
    """All that there is below /api; where no ledger is there, its part of it is not now."""
    asked = _Asked(readings)
    return [
        Route("/api/openapi.json", _described),
        Route("/api/alerts", asked.alerts),
        Route("/api/settings", asked.settings),
        *(Route(f"{path}{{rest:path}}", room) for room, paths in _rooms(readings) for path in paths),
    ]


def unknown() -> list[BaseRoute]:
    """All else below /api, which is never the UI's."""
    return [Route("/api", _Unknown()), Mount("/api", _Unknown())]


def _rooms(readings: Readings | None) -> list[tuple[Room, tuple[str, ...]]]:
    return [(Room(name, readings, _Unknown()), paths) for name, paths in ROOMS.items()]


class _Asked:
    """What is read in the ledger."""

    def __init__(self, readings: Readings | None) -> None:
        self._readings = readings

    async def alerts(self, request: Request) -> Response:
        limit = request.query_params.get("limit", str(_FEW))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _MOST):
            message = f"limit cannot be {limit[:20]!r}: it takes a whole number from 1 to {_MOST}"
            return refused(Refusal(HTTPStatus.BAD_REQUEST, "bad_limit", message, field="limit"))
        most = int(limit)
        return await self._answered(f"alerts {most}", lambda of: [listed.facts for listed in of.outbox.latest(most)])

    async def settings(self, request: Request) -> Response:
        del request
        return await self._answered("settings", lambda of: [kept.facts for kept in of.outbox.government.governors()])

    async def _answered(self, name: str, question: Callable[[Readings], list[dict[str, Any]]]) -> Response:
        readings = self._readings
        if readings is None:
            return refused(busy("there is no ledger here"))
        try:
            found = await readings.ask_together(name, lambda: _told(question(readings)))
        except (RetryableError, RefusedError) as error:  # refused: what is stored there is none of its kind any more
            return refused(refusal_of(error))
        return Response(found, media_type="application/json", headers={"Cache-Control": "no-store"})


def _told(found: list[dict[str, Any]]) -> bytes:
    return json.dumps(found, ensure_ascii=False, default=str, allow_nan=False).encode()


async def _described(request: Request) -> JSONResponse:
    del request
    return JSONResponse(await run_in_threadpool(document))


def document() -> dict[str, Any]:
    text, described = {"type": "string"}, [module_of(name).DESCRIBED for name in ROOMS]
    refused = {"code": text, "message": text, "field": {"type": ["string", "null"]}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "coinhts", "version": version("coinhts")},
        "security": [{"token": []}],
        "paths": {path: of for part in (DESCRIBED, *described) for path, of in part.items()},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Refused": {
                    "type": "object",
                    "properties": {"error": {"type": "object", "properties": refused, "required": list(refused)}},
                    "required": ["error"],
                }
            },
        },
    }


class _Unknown:
    """Asked by whatever method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"there is no {scope['path']}; /api/openapi.json lists what there is"
        refusal = Refusal(HTTPStatus.NOT_FOUND, "unknown_path", message)
        await JSONResponse(refusal.document, refusal.status)(scope, receive, send)
