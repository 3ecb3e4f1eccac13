"""Dagster's UI, handed through: requests and websockets to one process on one socket.

What lives here: `Proxy`, streaming both ways. What stays out: who may ask (`wall`); it says only as what, in a header
that nobody else can set.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import httpcore
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from coinhts_pipeline.front.origins import Asked, Refusal
from coinhts_pipeline.front.pages.doors import starting_page
from coinhts_pipeline.front.pages.looks import CONTENT_POLICY
from coinhts_pipeline.front.wall import VISITOR

ROLE_HEADER = "x-coinhts-role"
_ONE_HOP = {
    *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
    *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"),
}
# What only the front needs to know, and what only a client's word would stand for.
_KEPT_BACK = {b"cookie", b"authorization", b"forwarded"}
_KEPT_BACK_OF = (b"x-coinhts-", b"x-forwarded-", b"sec-websocket-")
_SAID_HERE = {b"date", b"server"}
_AT_ONCE = 200
_PATIENCE = {"connect": 2.0, "pool": 30.0, "read": None, "write": 60.0}
_LONGEST_MESSAGE = 16 * 2**20
_UNAVAILABLE = (httpcore.ConnectError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
_GRAPHQL = Subprotocol("graphql-ws")
_NO_STATUS = {1005, 1006, 1015}
_GONE = 1011
_LEFT = (ConnectionClosed, WebSocketDisconnect)  # either side, when it likes
_log = logging.getLogger("coinhts.front")
Heads = list[tuple[bytes, bytes]]


class Proxy:
    """An ASGI application whose answers are the UI's; 503 as long as there is none."""

    def __init__(self, ui: Path) -> None:
        self._ui = ui
        self._pool = httpcore.AsyncConnectionPool(
            uds=str(ui), max_connections=_AT_ONCE, max_keepalive_connections=20, keepalive_expiry=30.0
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the UI has one, wherever the browser thinks it is
            await self._relay(WebSocket(scope, receive, send))
        else:
            await (await self._asked(Request(scope, receive)))(scope, receive, send)

    async def _asked(self, request: Request) -> Response:
        heads, body = _forwarded(request.scope), None
        if "content-length" in request.headers or "transfer-encoding" in request.headers:
            body = request.stream()
            heads += [] if b"content-length" in dict(heads) else [(b"transfer-encoding", b"chunked")]
        target = httpcore.URL(scheme="http", host="ui", target=_target(request.scope))
        forwarded = httpcore.Request(
            request.method, target, headers=heads, content=body, extensions={"timeout": _PATIENCE}
        )
        try:
            answer = await self._pool.handle_async_request(forwarded)
        except _UNAVAILABLE as error:
            _note_silence(error)
            return _unavailable(Asked.of(request.scope))
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        response = StreamingResponse(_streamed(answer), answer.status)
        response.raw_headers = [head for head in _of_both_hops(answer.headers) if head[0].lower() not in _SAID_HERE]
        return response

    async def _relay(self, browser: WebSocket) -> None:
        wanted = [Subprotocol(of) for of in browser.scope["subprotocols"]]
        heads = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in _forwarded(browser.scope)]
        try:
            ui = await unix_connect(
                str(self._ui),
                "ws://ui/graphql",
                subprotocols=wanted or [_GRAPHQL],
                additional_headers=[head for head in heads if head[0] not in {"host", "origin"}],
                compression=None,
                max_size=_LONGEST_MESSAGE,
                proxy=None,
                open_timeout=_PATIENCE["connect"],
            )
        except (OSError, InvalidHandshake, ConnectionClosed, EOFError) as error:
            _note_silence(error)
            await browser.send_denial_response(_unavailable(Asked.of(browser.scope)))
            return
        async with ui:
            await browser.accept(ui.subprotocol if wanted else None)
            await _both_ways(browser, ui)


async def _both_ways(browser: WebSocket, ui: ClientConnection) -> None:
    """Until one of them ends, or until nobody may listen any more."""
    ways = [asyncio.create_task(_to_ui(browser, ui)), asyncio.create_task(_to_browser(ui, browser))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
    for ended in await asyncio.gather(*ways, return_exceptions=True):
        if isinstance(ended, Exception) and not isinstance(ended, _LEFT):
            _log.error("a websocket broke", exc_info=ended)
    if browser.client_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError, WebSocketDisconnect):  # the browser may have left this moment
            await browser.close(_close_code(ui), ui.close_reason or None)


async def _to_ui(browser: WebSocket, ui: ClientConnection) -> None:
    while (message := await browser.receive())["type"] == "websocket.receive":
        text = message.get("text")
        await ui.send(message["bytes"] if text is None else text)


async def _to_browser(ui: ClientConnection, browser: WebSocket) -> None:
    async for message in ui:
        await (browser.send_text(message) if isinstance(message, str) else browser.send_bytes(message))


def _close_code(ui: ClientConnection) -> int:
    code = ui.close_code
    return _GONE if code is None or code in _NO_STATUS else code


async def _streamed(answer: httpcore.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_stream():
            yield chunk
    finally:
        await answer.aclose()


def _forwarded(scope: Scope) -> Heads:
    kept = [
        (name, value)
        for name, value in _of_both_hops(scope["headers"])
        if name.lower() not in _KEPT_BACK and not name.lower().startswith(_KEPT_BACK_OF)
    ]
    return [*kept, (ROLE_HEADER.encode(), scope[VISITOR].role.encode())]


def _of_both_hops(heads: Iterable[tuple[bytes, bytes]]) -> Heads:
    """Some headers speak of one connection, and `Connection` names more of them."""
    heads = list(heads)
    named = {
        word.strip().lower() for name, value in heads if name.lower() == b"connection" for word in value.split(b",")
    }
    return [(name, value) for name, value in heads if name.lower() not in _ONE_HOP | (named - {b"host"})]


def _target(scope: Scope) -> bytes:
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return path + b"?" + query if query else path


def _note_silence(error: Exception) -> None:
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    _log.info("the UI does not answer", extra={"facts": {"reason": reason}})


def _unavailable(asked: Asked) -> Response:
    headers = {"Retry-After": "1", "Cache-Control": "no-store"}
    if asked.wants_page:
        policy = {"Content-Security-Policy": CONTENT_POLICY}
        return HTMLResponse(starting_page(), HTTPStatus.SERVICE_UNAVAILABLE, headers | policy)
    refusal = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "starting", "the UI is starting; ask again in a moment")
    return JSONResponse(refusal.document, refusal.status, headers)
