"""Requests, as programs put them and ask after them: /api/backtests.

What lives here: the routes, and their part of the description of the API. What to add: a filter, in `_FILTERS` and in
`coinhts_core.requests.desk.Filter`. What stays out: what a request may say (`coinhts_core.requests`), results that are
looked for by what they came to (`results`), and who may change anything (`wall`).
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coinhts_core.clock import now
from coinhts_core.days import parse_day
from coinhts_core.errors import (
    BadRequestError,
    QueueFullError,
    RefusedError,
    RequestStateError,
    RetryableError,
    UnknownRequestError,
    UnknownResultError,
)
from coinhts_core.lake.lake import Lake
from coinhts_core.requests.desk import STATES, Filter, Standing
from coinhts_core.requests.reception import Reception
from coinhts_core.requests.request import Request as Asked
from coinhts_core.requests.strict import LONGEST
from coinhts_core.results.shelf import Shelf
from coinhts_core.wording import clipped
from coinhts_pipeline.front.bodies import body_up_to
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, busy, refused

_ALL, _ONE = "/api/backtests", "/api/backtests/{id}"
_REMEMBERS_S = 1.0
_PATIENT, _ONCE = None, 0.0
_MOST = 1_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)
_NO_STORE = {"Cache-Control": "no-store"}
_Answering = Callable[[Reception], Response]


def routes(readings: Readings | None) -> list[Route]:
    desk = _Counter(readings)
    return [
        Route(_ALL, desk.submit, methods=["POST"]),
        Route(_ALL, desk.listed, methods=["GET"]),
        Route(_ONE, desk.one, methods=["GET"]),
        Route(_ONE, desk.cancel, methods=["DELETE"]),
        Route(f"{_ONE}/result", desk.result, methods=["GET"]),
        Route(f"{_ONE}/retry", desk.retry, methods=["POST"]),
    ]


class _Counter:
    """Where requests are put, and asked after."""

    def __init__(self, readings: Readings | None) -> None:
        self._readings = readings

    async def submit(self, request: Request) -> Response:
        body = await body_up_to(request, LONGEST)

        def submitted(reception: Reception) -> Response:
            standing = reception.submit(body, now())
            return _told(_brief(standing), HTTPStatus.ACCEPTED, {"Location": f"{_ALL}/{standing.id}"})

        return await self._answered(submitted, _PATIENT)  # the same again is the same

    async def listed(self, request: Request) -> Response:
        def read(reception: Reception) -> Response:
            return _told([of.facts for of in reception.desk.listed(_wanted(request))])

        return await self._answered(read, _PATIENT)

    async def one(self, request: Request) -> Response:
        name = request.path_params["id"]
        return await self._answered(lambda reception: _told(reception.desk.find(name).facts), _PATIENT)

    async def result(self, request: Request) -> Response:
        name = request.path_params["id"]

        def read(reception: Reception) -> Response:
            standing = reception.desk.find(name)
            if standing.state != "completed":
                raise RequestStateError(id=standing.id[:12], state=standing.state, deed="read yet")
            return _told(self._shelf.document(standing.id))

        return await self._answered(read, _PATIENT)

    async def cancel(self, request: Request) -> Response:
        name = request.path_params["id"]
        return await self._answered(lambda of: _told(of.desk.cancel(name, now()).facts), _ONCE)

    async def retry(self, request: Request) -> Response:
        name = request.path_params["id"]
        return await self._answered(lambda of: _told(_brief(of.desk.retry(name, now())), HTTPStatus.ACCEPTED), _ONCE)

    async def _answered(self, question: _Answering, patience_s: float | None) -> Response:
        if self._readings is None:
            return refused(busy("there is no ledger here"))
        try:
            return await self._readings.ask(lambda: self._unless_full(question), patience_s)
        except RetryableError as error:
            return refused(busy(error))
        except RefusedError as error:
            return refused(_refusal(error))

    def _unless_full(self, question: _Answering) -> Response:
        """A full queue is told at once, and not waited for as a ledger is that is away."""
        try:
            return question(self._reception)
        except QueueFullError as error:
            full = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "queue_full", str(error), retry_after_s=int(error.seconds))
            return refused(full)

    @property
    def _house(self) -> Readings:
        if self._readings is None:
            msg = "nobody comes so far without a ledger"
            raise RuntimeError(msg)
        return self._readings

    @cached_property
    def _lake(self) -> Lake:
        settings = self._house.settings
        return Lake.open(settings.lake_url, settings.s3, settings.cache_folder)

    @cached_property
    def _reception(self) -> Reception:
        return Reception(self._house.settings, self._house.ledger, self._lake, _REMEMBERS_S)

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self._house.ledger, self._lake)


def _refusal(error: RefusedError) -> Refusal:
    if isinstance(error, BadRequestError):
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_request", str(error), field=str(error.field))
    if isinstance(error, UnknownRequestError):
        return Refusal(HTTPStatus.NOT_FOUND, "unknown_request", str(error))
    if isinstance(error, UnknownResultError):
        return Refusal(HTTPStatus.NOT_FOUND, "unknown_result", str(error))
    code = "bad_state" if isinstance(error, RequestStateError) else "refused"
    return Refusal(HTTPStatus.CONFLICT, code, str(error))


def _wanted(request: Request) -> Filter:
    """The filters of a query, each once and within its bounds."""
    told: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name not in _FILTERS:
            raise BadRequestError(field=clipped(name, 80), reason=f"there is no such filter; {', '.join(_FILTERS)} are")
        if name in told:
            raise BadRequestError(field=name, reason="it is there twice")
        try:
            told[name] = _FILTERS[name](text)
        except (ValueError, RefusedError) as error:
            raise BadRequestError(field=name, reason=clipped(error)) from None
    return Filter(**{_FIELDS.get(name, name): value for name, value in told.items()})


def _state(text: str) -> str:
    if text not in STATES:
        msg = f"it is one of {', '.join(STATES)}"
        raise ValueError(msg)
    return text


def _strategy(text: str) -> str:
    if not _NAME.fullmatch(text):
        msg = "a strategy's name holds lower-case letters, digits and _ only"
        raise ValueError(msg)
    return text


def _midnight(text: str) -> datetime:
    return datetime.combine(parse_day(text[:40]), time(), UTC)


def _next_midnight(text: str) -> datetime:
    return _midnight(text) + timedelta(days=1)


def _return(text: str) -> float:
    number = float(text[:40]) if text.isascii() else math.nan
    if not -1.0 <= number <= 1e9:  # noqa: PLR2004 - all can be lost, and no more; nothing earns so much
        msg = "it is a fraction from -1 to 1e9, such as 0.05"
        raise ValueError(msg)
    return number


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST):
        msg = f"it takes a whole number from 1 to {_MOST}"
        raise ValueError(msg)
    return int(text)


_FIELDS = {"from": "since", "to": "until"}
_FILTERS: Mapping[str, Callable[[str], Any]] = {
    "strategy": _strategy,
    "state": _state,
    "from": _midnight,
    "to": _next_midnight,
    "min_return": _return,
    "max_return": _return,
    "limit": _limit,
}


def _brief(standing: Standing) -> dict[str, Any]:
    return {"id": standing.id, "state": standing.state, "created_at": standing.created_at.isoformat()}


def _told(facts: Any, status: HTTPStatus = HTTPStatus.OK, heads: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(facts, status, {**_NO_STORE, **(heads or {})})


_STANDING = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "state": {"enum": list(STATES)},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "step": {"type": "string"},
        "error": {"type": ["string", "null"]},
        "created_at": {"type": "string", "format": "date-time"},
    },
    "required": ["id", "state", "created_at"],
}
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{6,64}$"},
    "description": "the id, or its first letters",
}
_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "strategy": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,47}$"},
    "state": {"enum": list(STATES)},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
    "min_return": {"type": "number", "minimum": -1, "maximum": 1e9},
    "max_return": {"type": "number", "minimum": -1, "maximum": 1e9},
    "limit": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": 50},
}


def _answers(what: str, of: Mapping[str, Any], *refusals: int, status: int = 200) -> dict[str, Any]:
    no = {
        "description": "not so",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
    }
    told = {str(status): {"description": what, "content": {"application/json": {"schema": of}}}}
    return told | {str(refusal): no for refusal in (*refusals, 401, 503)}


def _request_schema() -> dict[str, Any]:
    """The body's, as the fields of a request are declared."""
    text, scalar = {"type": "string"}, {"type": ["string", "number", "boolean", "null"]}
    knobs = {"type": "object", "additionalProperties": scalar}
    values = {"type": "array", "items": scalar, "minItems": 1}
    fields: dict[str, Any] = {
        "kind": {"enum": ["backtest", "sweep", "walkforward"]},
        "strategy": {**text, "pattern": "^[a-z][a-z0-9_]{0,47}$"},
        "params": knobs,
        "symbols": {"type": "array", "items": text, "minItems": 1},
        "start_date": {**text, "format": "date"},
        "end_date": {**text, "format": "date"},
        "timeframe": text,
        "mode": {"enum": ["account", "study"]},
        "account": knobs,
        "grid": {"type": "object", "additionalProperties": values},
        "folds": {"type": "integer", "minimum": 1, "maximum": 100},
    }
    described = {name: {"description": of.description} for name, of in Asked.model_fields.items() if of.description}
    properties = {name: {**of, **described.get(name, {})} for name, of in fields.items()}
    return {"type": "object", "properties": properties, "required": ["strategy"], "additionalProperties": False}


DESCRIBED: dict[str, Any] = {
    _ALL: {
        "post": {
            "summary": "Ask for a backtest, a sweep or a walk-forward; the same again is the same",
            "requestBody": {"required": True, "content": {"application/json": {"schema": _request_schema()}}},
            "responses": _answers("it waits, or stands as it stood", _STANDING, 400, 403, 429, status=202),
        },
        "get": {
            "summary": "What was asked for, the latest first",
            "parameters": [{"name": name, "in": "query", "schema": of} for name, of in _SCHEMAS.items()],
            "responses": _answers("a list", {"type": "array", "items": _STANDING}, 400),
        },
    },
    _ONE: {
        "get": {
            "summary": "How a request stands",
            "parameters": [_ID],
            "responses": _answers("its state, progress, step and error", _STANDING, 404, 409),
        },
        "delete": {
            "summary": "Cancel a request: what is at work stops",
            "parameters": [_ID],
            "responses": _answers("it is cancelled", _STANDING, 403, 404, 409),
        },
    },
    f"{_ONE}/result": {
        "get": {
            "summary": "What a request came to",
            "parameters": [_ID],
            "responses": _answers("the result's document", {"type": "object"}, 404, 409),
        }
    },
    f"{_ONE}/retry": {
        "post": {
            "summary": "Begin a request once more that failed, died or was cancelled",
            "parameters": [_ID],
            "responses": _answers("it waits again", _STANDING, 403, 404, 409, 429, status=202),
        }
    },
}
