"""The ledger's answer to a route's question, or why there is none: a status, a word for programs and a sentence.

What lives here: `answer_of`, and which refusal each of our errors is. What to add: an error's line in `_TOLD`. What
stays out: how a refusal looks, in JSON (`readings`) or on a page (`shown`).
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from coinhts_core.errors import (
    BadPositionError,
    BadRequestError,
    CoinhtsError,
    DamagedResultError,
    PositionConflictError,
    QueueFullError,
    RefusedError,
    RequestStateError,
    RetryableError,
    UnknownPositionError,
    UnknownRequestError,
    UnknownResultError,
)
from coinhts_core.wording import clipped
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, busy

_TOLD: dict[type[CoinhtsError], tuple[HTTPStatus, str]] = {
    BadRequestError: (HTTPStatus.BAD_REQUEST, "bad_request"),
    BadPositionError: (HTTPStatus.BAD_REQUEST, "bad_position"),
    UnknownRequestError: (HTTPStatus.NOT_FOUND, "unknown_request"),
    UnknownResultError: (HTTPStatus.NOT_FOUND, "unknown_result"),
    UnknownPositionError: (HTTPStatus.NOT_FOUND, "unknown_position"),
    RequestStateError: (HTTPStatus.CONFLICT, "bad_state"),
    PositionConflictError: (HTTPStatus.CONFLICT, "conflict"),
    DamagedResultError: (HTTPStatus.CONFLICT, "damaged"),
}
_OTHERWISE = HTTPStatus.CONFLICT, "refused"
T = TypeVar("T")


async def answer_of(
    readings: Readings | None, question: Callable[[Readings], T], patience_s: float | None = None
) -> T | Refusal:
    """Asked in a thread, and patiently unless it is said how long."""
    if readings is None:
        return busy("there is no ledger here; `coinhts up` starts one")
    try:
        return await readings.ask(lambda: question(readings), patience_s)
    except (RetryableError, RefusedError) as error:
        return refusal_of(error)


def refusal_of(error: CoinhtsError) -> Refusal:
    if isinstance(error, QueueFullError):
        return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "queue_full", str(error), retry_after_s=int(error.seconds))
    if isinstance(error, RetryableError):
        return busy(error)
    status, code = _TOLD.get(type(error), _OTHERWISE)
    field = clipped(error.facts["field"], 80) if status is HTTPStatus.BAD_REQUEST else None
    return Refusal(status, code, str(error), field=field)
