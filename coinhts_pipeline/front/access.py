"""What was asked of a process: a line a request, and the id by which every line of every process knows it.

What lives here: `Access`, an ASGI application around another. What stays out: how lines look (`coinhts_core.logs`), and
who asks; whoever finds that out binds it, and it stands in the line.
"""

import logging
import re
from secrets import token_hex
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from coinhts_core.wording import clipped

REQUEST_ID = b"x-request-id"
_WELL_FORMED = re.compile(rb"[\w-][\w.-]{7,63}", re.ASCII)
_PROBES = {"/health"}
_UPGRADED, _DENIED, _BROKEN = 101, 403, 500


class Access:
    """Knows each request by the id it came with, or by a new one, and says what became of it."""

    def __init__(self, app: ASGIApp, speaker: str) -> None:
        self._app = app
        self._log = logging.getLogger(speaker)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or token_hex(8).encode()
        clear_contextvars()  # a connection is used again, and what it was used for is over
        bind_contextvars(request_id=request_id.decode())
        began, answer = perf_counter(), _Answer(send, request_id)
        heads = [*_without_id(scope["headers"]), (REQUEST_ID, request_id)]
        try:
            await self._app({**scope, "headers": heads}, receive, answer.send)
        except Exception:
            answer.status = answer.status or _BROKEN
            raise
        finally:
            self._tell(scope, answer.status, perf_counter() - began)

    def _tell(self, scope: Scope, status: int | None, seconds: float) -> None:
        method = scope.get("method", "WEBSOCKET")
        asked = {"method": clipped(method), "path": clipped(scope["path"])}
        answered = {"status": status, "milliseconds": round(seconds * 1_000, 1)}
        level = logging.DEBUG if scope["path"] in _PROBES else logging.INFO
        self._log.log(level, "answered" if status else "left unanswered", extra={"facts": asked | answered})


class _Answer:
    """Hands an answer on, with the id, and remembers what it was."""

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"].endswith("http.response.start"):
            self.status = message["status"]
        elif message["type"] == "websocket.accept":
            self.status = _UPGRADED
        elif message["type"] == "websocket.close":
            self.status = self.status or _DENIED
        if message["type"].endswith(("http.response.start", "websocket.accept")):
            heads = [*_without_id(message.get("headers", ())), (REQUEST_ID, self._request_id)]
            message = {**message, "headers": heads}
        await self._send(message)


def _given(scope: Scope) -> bytes | None:
    """One, and such as no line could be forged with."""
    given = [value for name, value in scope["headers"] if name.lower() == REQUEST_ID]
    return given[0] if len(given) == 1 and _WELL_FORMED.fullmatch(given[0]) else None


def _without_id(heads: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in heads if name.lower() != REQUEST_ID]
