"""The front as it is served, with a stand-in for the UI behind it: real sockets, real headers."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import ClientConnection, connect

from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.front.app import build


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def cookie(self) -> str:
        return self.headers["set-cookie"].partition(";")[0]


@dataclass(frozen=True)
class Port:
    """A port of this machine."""

    number: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.number}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.number, timeout=20)
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        try:
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def read(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def page(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **{"accept": "text/html,*/*"} | headers)

    def post(self, path: str, body: bytes = b"", **headers: str) -> Answer:
        return self.ask("POST", path, body, **{"origin": self.origin} | headers)

    def query(self, **headers: str) -> Answer:
        return self.post("/graphql", b'{"query": "{ version }"}', **{"content_type": "application/json"} | headers)

    def login(self, password: str, following: str = "/") -> Answer:
        form = f"password={password}&next={following}".encode()
        return self.post("/login", form, content_type="application/x-www-form-urlencoded")

    def socket(self, path: str = "/graphql", **headers: str) -> ClientConnection:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        origin = named.pop("origin", self.origin)
        return connect(
            f"ws://127.0.0.1:{self.number}{path}",
            origin=origin or None,
            subprotocols=["graphql-ws"],
            additional_headers=named,
            proxy=None,
            open_timeout=20,
            max_size=None,
        )


@dataclass
class Ui:
    """A stand-in that tells what it was asked, on a socket."""

    place: Path
    gate: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/slow", self._slow),
                Route("/gzip", self._packed),
                WebSocketRoute("/graphql", self._echo),
                Route("/{path:path}", self._told, methods=["GET", "POST", "PUT", "DELETE"]),
            ]
        )

    async def _told(self, request: Request) -> JSONResponse:
        body = b"".join([chunk async for chunk in request.stream()])
        facts = {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": [(name.decode(), value.decode()) for name, value in request.scope["headers"]],
            "body": len(body),
        }
        return JSONResponse(facts, headers={"X-Frame-Options": "SAMEORIGIN", "Keep-Alive": "timeout=5"})

    async def _slow(self, request: Request) -> StreamingResponse:
        del request

        async def chunks():
            yield b"first"
            while not self.gate.is_set():  # noqa: ASYNC110 - the gate is a thread's
                await asyncio.sleep(0.01)
            yield b"second"

        return StreamingResponse(chunks())

    async def _packed(self, request: Request) -> PlainTextResponse:
        del request
        return PlainTextResponse(b"not really packed", headers={"Content-Encoding": "gzip"})

    async def _echo(self, browser: WebSocket) -> None:
        await browser.accept(subprotocol="graphql-ws")
        await browser.send_json(dict(browser.headers))
        try:
            while (message := await browser.receive())["type"] == "websocket.receive":
                if message.get("text") == "leave":
                    await browser.close(4321, "as you wish")
                    return
                await (
                    browser.send_text(message["text"]) if message.get("text") else browser.send_bytes(message["bytes"])
                )
        finally:
            self.left.set()


@contextmanager
def served(app, *sockets: socket.socket) -> Iterator[None]:
    """An application in a thread, on sockets that listen already."""
    config = uvicorn.Config(app, lifespan="off", log_level="error", proxy_headers=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=[list(sockets)])
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="package")
def ui() -> Iterator[Ui]:
    """A UI on a socket with a short name: they may not be long."""
    with TemporaryDirectory(prefix="coinhts-") as folder:
        stand_in = Ui(Path(folder) / "ui")
        with socket.socket(socket.AF_UNIX) as place:
            place.bind(str(stand_in.place))
            place.listen()
            with served(stand_in.app(), place):
                yield stand_in


@pytest.fixture
def settings(tmp_path) -> Callable[..., Settings]:
    """Give settings of a home of its own."""

    def read(**web: str) -> Settings:
        named = {f"COINHTS_WEB__{name.upper()}": value for name, value in web.items()}
        return read_settings(named | {"COINHTS_HOME": str(tmp_path)})

    return read


@pytest.fixture
def serve(settings, ui) -> Iterator[Callable[..., Port]]:
    """Serve the front with these settings of the web, on a port that is free."""
    with ExitStack() as stack:

        def on_a_port(ledger=None, place: Path | None = None, **web: str) -> Port:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            stack.enter_context(served(build(settings(**web), ledger, place or ui.place), listening))
            return Port(listening.getsockname()[1])

        yield on_a_port


@pytest.fixture
def open_port(serve) -> Port:
    """No login is asked."""
    return serve()


@pytest.fixture
def locked_port(serve, ledger) -> Port:
    """A login is asked: `geheim` is the owner's, `anschauen` the viewers', `tok` the programs'."""
    return serve(ledger, password="geheim", viewer_password="anschauen", token="tok")  # noqa: S106 - not secret
