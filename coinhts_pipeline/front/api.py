"""What programs may ask of the port, in words that programs read.

What lives here: the routes below /api and their description. What to add: a route, and its paths in `DESCRIBED`. What
stays out: GraphQL, which describes itself.
"""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from coinhts_pipeline.front.origins import Refusal

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
    "/reports/{path}": {
        "get": {
            "summary": "A report, or a list of what lies in a folder",
            "parameters": [{"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": _answers("a page, or a file as it lies there", "text/html", 401, 404),
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


def routes() -> list[BaseRoute]:
    """Nothing below /api is ever the UI's."""
    return [
        Route("/api/openapi.json", _described),
        Route("/api", _Unknown()),
        Mount("/api", _Unknown()),
    ]


async def _described(request: Request) -> JSONResponse:
    del request
    return JSONResponse(document())


def document() -> dict[str, Any]:
    text = {"type": "string"}
    refused = {"code": text, "message": text, "field": {"type": ["string", "null"]}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "coinhts", "version": version("coinhts")},
        "security": [{"token": []}],
        "paths": DESCRIBED,
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
