"""The wall around everything on the port, requests and websockets alike: nothing behind it is reached past it.

What lives here: `Wall`, an ASGI application around another, and the headers every answer carries. What stays out: the
judgements themselves (`origins`, `visitors`).
"""

import logging
from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from coinhts_core.errors import RetryableError
from coinhts_pipeline.front.origins import Asked, Refusal, refusal_of
from coinhts_pipeline.front.pages.doors import refused_page
from coinhts_pipeline.front.pages.looks import CONTENT_POLICY
from coinhts_pipeline.front.visitors import Doorkeeper, Visitor

VISITOR = "coinhts.visitor"
_ALIVE = "/health"
PUBLIC = {_ALIVE: {"GET", "HEAD"}, "/login": {"GET", "HEAD", "POST"}}
_LOGGED_OUT = 1008
_log = logging.getLogger("coinhts.front")
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"cache-control": b"private",
}


class Wall:
    """Judges the page that asks, then who asks, then what he may; the visitor travels on in the scope."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, names: frozenset[str]) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            return
        asked = Asked.of(scope)
        judged = await self._judged(asked, (scope.get("client") or ("unknown",))[0])
        bind_contextvars(**_in_lines(judged))
        if isinstance(judged, Refusal):
            await _answer(judged, asked, scope["query_string"].decode("latin-1"))(scope, receive, _with_headers(send))
        elif judged and asked.is_socket:
            await self._served(judged, {**scope, VISITOR: judged}, receive, send)
        else:
            await self._app({**scope, VISITOR: judged}, receive, _with_headers(send))

    async def _judged(self, asked: Asked, address: str) -> Visitor | Refusal | None:
        """None for somebody unknown, at a door that is open to everybody."""
        program = self._doorkeeper.program(asked, address)
        if isinstance(program, Refusal):
            return program
        if refused := refusal_of(asked, self._names, is_program=program is not None):
            return refused
        is_public = asked.method in PUBLIC.get(asked.path, ()) and not asked.is_socket
        if is_public and asked.path == _ALIVE:
            return None  # said without asking the ledger, which may be away
        try:
            visitor = program or await self._doorkeeper.person(asked)
        except RetryableError as error:
            _log.warning("nobody's login can be looked up", extra={"facts": {"reason": str(error)}})
            return None if is_public else Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", str(error), retry_after_s=5)
        if visitor is None:
            return None if is_public else Refusal(HTTPStatus.UNAUTHORIZED, "login", "log in first, or send a token")
        return visitor.may_not(asked) or visitor

    async def _served(self, visitor: Visitor, scope: Scope, receive: Receive, send: Send) -> None:
        if not await self._doorkeeper.while_welcome(visitor, self._app(scope, receive, send)):
            await send({"type": "websocket.close", "code": _LOGGED_OUT, "reason": "logged out"})


def _in_lines(judged: Visitor | Refusal | None) -> dict[str, str]:
    """What every line about a request says of who asked."""
    if judged is None:
        return {}
    return {"refused": judged.code} if isinstance(judged, Refusal) else {"role": judged.role}


def _answer(refusal: Refusal, asked: Asked, query: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    if refusal.status == HTTPStatus.UNAUTHORIZED and asked.is_persons:
        return RedirectResponse(f"/login?next={_next(asked, query)}", HTTPStatus.SEE_OTHER, headers)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    if asked.is_persons:
        headers["Content-Security-Policy"] = CONTENT_POLICY
        return HTMLResponse(refused_page(refusal), refusal.status, headers)
    return JSONResponse(refusal.document, refusal.status, headers)


def _next(asked: Asked, query: str) -> str:
    """Where to go on after the login: to the page, or, from a form that is not sent a second time, to the desk."""
    if not asked.reads:
        return "/reports/"
    return quote(f"{quote(asked.path)}?{query}" if query else quote(asked.path), safe="/")


def _with_headers(send: Send) -> Send:
    """What the answer does not say itself is said for it."""

    async def said(message: Message) -> None:
        if message["type"].endswith("http.response.start"):
            own = {name.lower() for name, _ in message["headers"]}
            added = [(name, value) for name, value in _HEADERS.items() if name not in own]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return said
