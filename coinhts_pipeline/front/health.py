"""How each component of the house does, for programs: /health/detail.

What lives here: the route and its description. What to add: nothing for a component. What stays out: looking
(`coinhts_pipeline.health`), what it means (`coinhts_core.ops.health`), and /health, which asks nobody (`app`).
"""

import asyncio
import time
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coinhts_core.clock import now
from coinhts_core.ops.health import Health, Overall, Status
from coinhts_pipeline.front.readings import Readings, busy, refused
from coinhts_pipeline.health.watch import NAMES, Watch

PATH = "/health/detail"
_STAYS_S = 5.0
_HEADERS = {"Cache-Control": "no-store"}


def routes(readings: Readings | None) -> list[Route]:
    if readings is None:
        return [Route(PATH, _without_ledger, methods=["GET"])]
    address = {"postgres_url": SecretStr(readings.ledger.url)}
    return [Route(PATH, _Desk(Watch(readings.settings.model_copy(update=address))).tell, methods=["GET"])]


async def _without_ledger(request: Request) -> Response:
    del request
    return refused(busy("there is no ledger here"))


class _Desk:
    """Looks once for all who ask within some seconds; who comes while it looks waits for that look."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._seen: tuple[float, Health] | None = None
        self._looking: asyncio.Task[Health] | None = None

    async def tell(self, request: Request) -> Response:
        del request
        seen = await self._newest()
        status = HTTPStatus.SERVICE_UNAVAILABLE if seen.overall is Overall.UNHEALTHY else HTTPStatus.OK
        return JSONResponse(seen.facts, status, _HEADERS)

    async def _newest(self) -> Health:
        if self._seen and time.monotonic() - self._seen[0] < _STAYS_S:
            return self._seen[1]
        if self._looking is None:
            self._looking = asyncio.create_task(self._looked())
        return await asyncio.shield(self._looking)

    async def _looked(self) -> Health:
        """In a thread of its own: those that read the ledger may all be waiting for it."""
        try:
            seen = await asyncio.to_thread(self._watch.look, now())
            self._seen = time.monotonic(), seen
            return seen
        finally:
            self._looking = None


_TEXT = {"type": "string"}
_COMPONENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"enum": list(NAMES)},
        "status": {"enum": [of.value for of in Status]},
        "latency_ms": {"type": "number", "description": "how long it took to tell, or has taken so far"},
        "reason": {**_TEXT, "description": "what was found, in one sentence"},
        "to_do": {**_TEXT, "description": "what to do about it; empty when nothing is to be done"},
    },
    "required": ["name", "status", "latency_ms", "reason", "to_do"],
    "additionalProperties": False,
}
_HEALTH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {
            "enum": [of.value for of in Overall],
            "description": "unhealthy when ledger or scheduler are; degraded when anything at all is not healthy",
        },
        "looked_at": {**_TEXT, "format": "date-time"},
        "components": {"type": "array", "items": _COMPONENT},
    },
    "required": ["status", "looked_at", "components"],
    "additionalProperties": False,
}
_REFUSED = {"$ref": "#/components/schemas/Refused"}
DESCRIBED: dict[str, Any] = {
    PATH: {
        "get": {
            "summary": f"How each component does, as `coinhts health --json`; at most {_STAYS_S:g} s old",
            "responses": {
                "200": {"description": "healthy or degraded", "content": {"application/json": {"schema": _HEALTH}}},
                "401": {"description": "not now", "content": {"application/json": {"schema": _REFUSED}}},
                "503": {
                    "description": "unhealthy; or nobody can be asked",
                    "content": {"application/json": {"schema": {"anyOf": [_HEALTH, _REFUSED]}}},
                },
            },
        },
    },
}
