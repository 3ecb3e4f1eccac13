"""Everything on the port, put together: the wall, our own routes, and the UI for all the rest.

What lives here: the routes, and logging in and out. What to add: a route of our own, before the UI's. What stays out:
the process that serves it (`serve`).
"""

from collections import Counter
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp

from coinhts_core.ledger.connection import Ledger
from coinhts_core.settings import Settings
from coinhts_pipeline.front import address, api, reports
from coinhts_pipeline.front.bodies import form_of
from coinhts_pipeline.front.metrics import Counted, Metrics
from coinhts_pipeline.front.origins import Asked, Refusal
from coinhts_pipeline.front.pages.doors import login_page, logout_page
from coinhts_pipeline.front.pages.looks import CONTENT_POLICY
from coinhts_pipeline.front.patient import Patient
from coinhts_pipeline.front.proxy import Proxy
from coinhts_pipeline.front.readings import Readings
from coinhts_pipeline.front.rooms import NotSo
from coinhts_pipeline.front.shown import House
from coinhts_pipeline.front.visitors import Doorkeeper, Visitor
from coinhts_pipeline.front.wall import VISITOR, Wall

_HOME = "/"
_LONGEST_FORM = 8_192
_TRIMMINGS = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store"}


def build(settings: Settings, ledger: Ledger | None, ui: Path) -> ASGIApp:
    """Without a ledger nobody logs in; `ui` is the socket of the UI's process."""
    doorkeeper = Doorkeeper(settings.web, ledger if settings.web.password else None)
    readings = Readings(ledger, settings) if ledger else None
    requests: Counter[tuple[str, str]] = Counter()
    known = _routes(settings, doorkeeper, readings, Metrics(requests, readings))
    behind: ASGIApp = Patient(Proxy(ui), readings) if readings else Proxy(ui)
    router = Router([*known, *api.unknown(), Mount("", behind)])
    return Counted(Wall(router, doorkeeper, address.names(settings.web)), requests)


def _routes(settings: Settings, doorkeeper: Doorkeeper, readings: Readings | None, metrics: Metrics) -> list[Route]:
    """A path of ours is never the UI's, whatever is done with it."""
    desk = _Desk(doorkeeper)
    ours = [
        Route("/health", _alive),
        Route("/login", desk.login, methods=["GET", "POST"]),
        Route("/logout", desk.logout, methods=["GET", "POST"]),
        *reports.routes(House(settings, readings)),
        Route("/metrics", metrics.show),
        *api.routes(readings),
    ]
    return [*ours, *(Route(route.path, NotSo()) for route in ours)]


async def _alive(request: Request) -> JSONResponse:
    del request
    return JSONResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})


class _Desk:
    """Logging in and out."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        self._doorkeeper = doorkeeper

    async def login(self, request: Request) -> Response:
        asks = self._doorkeeper.asks_for_login
        if request.method == "POST" and asks:
            return await self._entered(request)
        following = local_path(request.query_params.get("next", _HOME))
        if request.scope[VISITOR] is not None:
            return RedirectResponse(following, HTTPStatus.SEE_OTHER)
        return HTMLResponse(login_page(following), headers=_TRIMMINGS)

    async def logout(self, request: Request) -> Response:
        visitor: Visitor = request.scope[VISITOR]
        if request.method != "POST" and self._doorkeeper.asks_for_login:
            return HTMLResponse(logout_page(visitor.role), headers=_TRIMMINGS)
        if visitor.session:
            await self._doorkeeper.leave(visitor.session)
        leaving = {"Set-Cookie": self._doorkeeper.farewell(), "Cache-Control": "no-store"}
        return RedirectResponse("/login", HTTPStatus.SEE_OTHER, leaving)

    async def _entered(self, request: Request) -> Response:
        form = await form_of(request, _LONGEST_FORM)
        following = local_path(form.get("next", _HOME))
        who = request.client.host if request.client else "unknown"
        entered = await self._doorkeeper.enter(form.get("password", ""), who)
        if isinstance(entered, Refusal):
            waiting = {} if entered.retry_after_s is None else {"Retry-After": str(entered.retry_after_s)}
            return HTMLResponse(login_page(following, entered), entered.status, _TRIMMINGS | waiting)
        welcome = self._doorkeeper.welcome(entered, by_tls=Asked.of(request.scope).comes_by_tls)
        return RedirectResponse(following, HTTPStatus.SEE_OTHER, {"Set-Cookie": welcome, "Cache-Control": "no-store"})


def local_path(wanted: str) -> str:
    """Where to go after the login: a path of this server's, or home."""
    is_plain = wanted.startswith("/") and wanted.isprintable() and wanted.isascii() and "\\" not in wanted
    if not is_plain or wanted.startswith("//") or urlsplit(wanted).netloc:
        return _HOME
    return _HOME if urlsplit(wanted).path in {"/login", "/logout"} else wanted
