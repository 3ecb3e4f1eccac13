"""Requests, as programs put them and ask after them: /api/backtests.

What lives here: the routes, and their part of the description of the API. What to add: a filter, in `_FILTERS` and in
`coinhts_core.requests.desk.Filter`. What stays out: what a request may say (`coinhts_core.requests`), results that are
looked for by what they came to (`results`), and who may change anything (`wall`).
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coinhts_core.backtests.windows import RANKS
from coinhts_core.clock import now
from coinhts_core.days import parse_day
from coinhts_core.errors import BadRequestError, RefusedError, RequestStateError
from coinhts_core.requests.desk import STATES, Filter, Standing
from coinhts_core.requests.reception import Reception
from coinhts_core.requests.request import KINDS, MOST_COMBINATIONS
from coinhts_core.requests.request import Request as Asked
from coinhts_core.requests.strict import LONGEST
from coinhts_core.wording import clipped
from coinhts_pipeline.front.bodies import body_up_to
from coinhts_pipeline.front.counter import ONCE, PATIENT, Counter
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, refused

_ALL, _ONE = "/api/backtests", "/api/backtests/{id}"
_MOST, _MOST_SKIPPED = 1_000, 1_000_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)
_NO_STORE = {"Cache-Control": "no-store"}


def routes(readings: Readings | None) -> list[Route]:
    desk = _Desk(Counter(readings))
    return [
        Route(_ALL, desk.submit, methods=["POST"]),
        Route(_ALL, desk.listed, methods=["GET"]),
        Route(_ONE, desk.one, methods=["GET"]),
        Route(_ONE, desk.cancel, methods=["DELETE"]),
        Route(f"{_ONE}/result", desk.result, methods=["GET"]),
        Route(f"{_ONE}/retry", desk.retry, methods=["POST"]),
    ]


class _Desk:
    """What is asked at the counter, and answered in JSON."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def submit(self, request: Request) -> Response:
        body = await body_up_to(request, LONGEST)

        def submitted(reception: Reception) -> Response:
            standing = reception.submit(body, now())
            return _told(_brief(standing), HTTPStatus.ACCEPTED, {"Location": f"{_ALL}/{standing.id}"})

        return await self._answered(submitted)  # the same again is the same

    async def listed(self, request: Request) -> Response:
        def read(reception: Reception) -> Response:
            return _told([of.facts for of in reception.desk.listed(read_filter(request.query_params.multi_items()))])

        return await self._answered(read)

    async def one(self, request: Request) -> Response:
        name = request.path_params["id"]
        return await self._answered(lambda reception: _told(reception.desk.find(name).facts))

    async def result(self, request: Request) -> Response:
        name = request.path_params["id"]

        def read(reception: Reception) -> Response:
            standing = reception.desk.find(name)
            if standing.state != "completed":
                raise RequestStateError(id=standing.id[:12], state=standing.state, deed="read yet")
            return _told(self._counter.shelf.document(standing.id))

        return await self._answered(read)

    async def cancel(self, request: Request) -> Response:
        name = request.path_params["id"]
        return await self._answered(lambda of: _told(of.desk.cancel(name, now()).facts), ONCE)

    async def retry(self, request: Request) -> Response:
        name = request.path_params["id"]
        return await self._answered(lambda of: _told(_brief(of.desk.retry(name, now())), HTTPStatus.ACCEPTED), ONCE)

    async def _answered(
        self, question: Callable[[Reception], Response], patience_s: float | None = PATIENT
    ) -> Response:
        answer = await self._counter.asked(question, patience_s)
        return refused(answer) if isinstance(answer, Refusal) else answer


def read_filter(given: Iterable[tuple[str, str]]) -> Filter:
    """The filters of a query, each once and within its bounds."""
    told: dict[str, Any] = {}
    for name, text in given:
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


def _kind(text: str) -> str:
    if text not in KINDS:
        msg = f"it is one of {', '.join(KINDS)}"
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
    return _whole(text, 1, _MOST)


def _offset(text: str) -> int:
    return _whole(text, 0, _MOST_SKIPPED)


def _whole(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        msg = f"it takes a whole number from {least} to {most}"
        raise ValueError(msg)
    return int(text[:9])


_FIELDS = {"from": "since", "to": "until"}
_FILTERS: Mapping[str, Callable[[str], Any]] = {
    "strategy": _strategy,
    "kind": _kind,
    "state": _state,
    "from": _midnight,
    "to": _next_midnight,
    "min_return": _return,
    "max_return": _return,
    "limit": _limit,
    "offset": _offset,
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
    "kind": {"enum": list(KINDS)},
    "state": {"enum": list(STATES)},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
    "min_return": {"type": "number", "minimum": -1, "maximum": 1e9},
    "max_return": {"type": "number", "minimum": -1, "maximum": 1e9},
    "limit": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": 50},
    "offset": {"type": "integer", "minimum": 0, "maximum": _MOST_SKIPPED, "default": 0},
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
        "kind": {"enum": list(KINDS)},
        "strategy": {**text, "pattern": "^[a-z][a-z0-9_]{0,47}$"},
        "params": knobs,
        "symbols": {"type": "array", "items": text, "minItems": 1},
        "start_date": {**text, "format": "date"},
        "end_date": {**text, "format": "date"},
        "timeframe": text,
        "mode": {"enum": ["account", "study"]},
        "account": knobs,
        "grid": {"type": "object", "additionalProperties": values},
        "samples": {"type": "integer", "minimum": 1, "maximum": MOST_COMBINATIONS},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
        "folds": {"type": "integer", "minimum": 1, "maximum": 100},
        "ratio": {"type": "number", "minimum": 0.1, "maximum": 100},
        "anchored": {"type": "boolean"},
        "by": {"enum": list(RANKS)},
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
