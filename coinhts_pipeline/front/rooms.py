"""Routes whose modules take seconds to import: they are, when somebody first asks for one.

What lives here: `Room`, and `NotSo`, which answers the methods that a path does not know. What stays out: which rooms
there are, and below which paths (`api`, `reports`).
"""

from http import HTTPStatus
from importlib import import_module
from threading import Lock
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from coinhts_pipeline.front.origins import Refusal


class Room:
    """An ASGI application: the routes that `routes` of a module of the front gives; what is none of them is unknown."""

    def __init__(self, name: str, house: Any, unknown: ASGIApp) -> None:
        self._name = name
        self._house = house
        self._unknown = unknown
        self._router: Router | None = None
        self._one_opens = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._router is None:
            self._router = await run_in_threadpool(self._opened)
        await self._router(scope, receive, send)

    def _opened(self) -> Router:
        """One, however many ask first at once: what its routes keep, they keep together."""
        with self._one_opens:
            if self._router is None:
                known = module_of(self._name).routes(self._house)
                self._router = Router([*known, *(Route(of.path, NotSo()) for of in known)], default=self._unknown)
            return self._router


def module_of(name: str) -> Any:
    return import_module(f"coinhts_pipeline.front.{name}")


class NotSo:
    """A known path, and a method that it does not know."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"{scope['path']} does not know the method {scope['method']}"
        refusal = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "bad_method", message)
        await JSONResponse(refusal.document, refusal.status)(scope, receive, send)
