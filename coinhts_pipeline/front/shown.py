"""What is read, as a page of the desk, or why not.

What lives here: `House`, which rooms of pages are opened with, and answers that are pages. What stays out: what pages
look like (`pages`), which questions there are (the rooms).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from coinhts_core.errors import BadRequestError
from coinhts_core.settings import Settings
from coinhts_core.wording import clipped
from coinhts_pipeline.front.answers import answer_of
from coinhts_pipeline.front.origins import Asked, Refusal
from coinhts_pipeline.front.pages.looks import CONTENT_POLICY, alert, page
from coinhts_pipeline.front.readings import Readings

_TRIMMINGS = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store"}


@dataclass(frozen=True)
class House:
    """What pages are made of; without a ledger there is nothing to read."""

    settings: Settings
    readings: Readings | None

    async def answer(self, question: Callable[[Readings], Response], here: str) -> Response:
        """Asked in a thread, patiently; what is refused is a page below `here`."""
        found = await answer_of(self.readings, question)
        return refused(found, here) if isinstance(found, Refusal) else found


def shown(text: str, status: HTTPStatus = HTTPStatus.OK, heads: Mapping[str, str] | None = None) -> Response:
    return HTMLResponse(text, status, {**_TRIMMINGS, **(heads or {})})


def refused(refusal: Refusal, here: str = "") -> Response:
    """The sentence, and the way on."""
    waiting = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
    return shown(page(refusal.status.phrase, alert(refusal.message), here=here, is_below=True), refusal.status, waiting)


def asked(request: Request) -> dict[str, str]:
    """A query's fields, each once; a field of a form that was left empty asks nothing."""
    told: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in told:
            raise BadRequestError(field=clipped(name, 80), reason="it is given twice")
        told[name] = value
    return {name: value for name, value in told.items() if value}


class Missing:
    """An ASGI application: there is no such report."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await missing(Asked.of(scope))(scope, receive, send)


def missing(of: Asked) -> Response:
    """In JSON for programs."""
    refusal = Refusal(HTTPStatus.NOT_FOUND, "no_report", "there is no such report")
    return refused(refusal) if of.wants_page else JSONResponse(refusal.document, refusal.status)
