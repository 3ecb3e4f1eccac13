"""Requests on pages: /reports/requests, and the form and the buttons there.

What lives here: the routes, and reading what a form says. What to add: a deed, in `_DEEDS`. What stays out: the pages
(`pages.requests`), the counter itself, and who may change anything (`wall`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from coinhts_core.clock import now
from coinhts_core.errors import BadRequestError, UnknownRequestError
from coinhts_core.requests.choices import Choices
from coinhts_core.requests.desk import Standing
from coinhts_core.requests.reception import Reception
from coinhts_core.requests.strict import LONGEST
from coinhts_core.requests.typed import read_typed
from coinhts_core.wording import clipped
from coinhts_pipeline.front.bodies import form_of
from coinhts_pipeline.front.counter import ONCE, Counter
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.pages.looks import address
from coinhts_pipeline.front.pages.requests import FIELDS, FORM, HERE, LIST, Look, Queue, form_page, queue_page
from coinhts_pipeline.front.requests import read_filter
from coinhts_pipeline.front.shown import House, asked, refused, shown
from coinhts_pipeline.front.visitors import Visitor
from coinhts_pipeline.front.wall import VISITOR

_ROWS = 25
_STILL = "still"
_LOOKED_BY = ("state", "kind", "offset", _STILL)
_NO_STORE = {"Cache-Control": "no-store"}
_ONLY_THE_OWNER = Refusal(HTTPStatus.FORBIDDEN, "viewers_look", "a viewer asks for nothing; log in as the owner")
_DEEDS: Mapping[str, Callable[[Reception, str], Standing]] = {
    "cancel": lambda of, name: of.desk.cancel(name, now()),
    "retry": lambda of, name: of.desk.retry(name, now()),
}


def routes(house: House) -> list[Route]:
    pages = _Pages(Counter(house.readings))
    return [
        Route(LIST, pages.listed, methods=["GET"]),
        Route(LIST, pages.submit, methods=["POST"]),
        Route(FORM, pages.form, methods=["GET"]),
        Route(f"{LIST}/{{id}}/{{deed}}", pages.change, methods=["POST"]),
    ]


class _Pages:
    """What is asked at the counter, and answered with a page."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def listed(self, request: Request) -> Response:
        is_owner = _is_owner(request)

        def read(reception: Reception) -> Queue:
            look = _look(request)
            found = reception.desk.listed(replace(look.wanted, limit=_ROWS + 1))
            return Queue(found[:_ROWS], reception.desk.counts(), look, len(found) > _ROWS, is_owner)

        queue = await self._counter.asked(read)
        return refused(queue, HERE) if isinstance(queue, Refusal) else shown(queue_page(queue))

    async def form(self, request: Request) -> Response:
        """A question may be put together elsewhere: what the query says is typed already."""

        def read(reception: Reception) -> str:
            typed = {name: text for name, text in asked(request).items() if name in FIELDS}
            return form_page(typed, reception.choices(now()))

        if not _is_owner(request):
            return refused(_ONLY_THE_OWNER, HERE)
        told = await self._counter.asked(read)
        return refused(told, HERE) if isinstance(told, Refusal) else shown(told)

    async def submit(self, request: Request) -> Response:
        typed = await form_of(request, LONGEST)
        taken = await self._counter.asked(lambda of: of.submit(read_typed(typed), now()))  # the same again is the same
        if not isinstance(taken, Refusal):
            return _to(LIST)
        choices: Choices | Refusal = await self._counter.asked(lambda of: of.choices(now()))
        if isinstance(choices, Refusal):
            return refused(choices, HERE)
        waiting = {} if taken.retry_after_s is None else {"Retry-After": str(taken.retry_after_s)}
        return shown(form_page(typed, choices, taken), taken.status, waiting)

    async def change(self, request: Request) -> Response:
        """Done, it leads back to the list as it was looked at."""
        name, deed = request.path_params["id"], request.path_params["deed"]

        def changed(reception: Reception) -> str:
            look = _look(request)
            if deed not in _DEEDS:
                raise UnknownRequestError(name=f"{name}/{deed}")
            _DEEDS[deed](reception, name)
            return address(LIST, **look.query)

        led = await self._counter.asked(changed, ONCE)
        return refused(led, HERE) if isinstance(led, Refusal) else _to(led)


def _look(request: Request) -> Look:
    """As the query says, a page at a time."""
    told = asked(request)
    for name in told:
        if name not in _LOOKED_BY:
            reason = f"there is no such filter here; {', '.join(_LOOKED_BY)} are"
            raise BadRequestError(field=clipped(name, 80), reason=reason)
    still = told.pop(_STILL, None)
    if still not in {None, "yes"}:
        raise BadRequestError(field=_STILL, reason="it is yes, or not there")
    return Look(replace(read_filter(told.items()), limit=_ROWS), is_still=still is not None)


def _is_owner(request: Request) -> bool:
    visitor: Visitor = request.scope[VISITOR]
    return visitor.role == "owner"


def _to(place: str) -> Response:
    return RedirectResponse(place, HTTPStatus.SEE_OTHER, _NO_STORE)
