"""The counter: where requests are put and asked after, in JSON or on pages alike.

What lives here: `Counter`, the house's reception and shelf behind it, and what is said to whoever is refused. What
stays out: what programs read (`requests`), what people see (`request_pages`), and judging (`coinhts_core.requests`).
"""

from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import Final, TypeVar

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
from coinhts_core.requests.reception import Reception
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings, busy

PATIENT: Final = None
ONCE: Final = 0.0
_REMEMBERS_S = 1.0
T = TypeVar("T")


class Counter:
    """Opened when somebody first comes."""

    def __init__(self, readings: Readings | None) -> None:
        self._readings = readings

    async def asked(self, question: Callable[[Reception], T], patience_s: float | None = PATIENT) -> T | Refusal:
        """The answer, or why there is none; what nobody may repeat without looking is asked `ONCE`."""
        if self._readings is None:
            return busy("there is no ledger here")
        try:
            return await self._readings.ask(lambda: self._unless_full(question), patience_s)
        except RetryableError as error:
            return busy(error)
        except RefusedError as error:
            return _refusal(error)

    @cached_property
    def shelf(self) -> Shelf:
        return Shelf(self._house.ledger, self._lake)

    def _unless_full(self, question: Callable[[Reception], T]) -> T | Refusal:
        """A full queue is told at once, and not waited for as a ledger is that is away."""
        try:
            return question(self._reception)
        except QueueFullError as error:
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "queue_full", str(error), retry_after_s=int(error.seconds))

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


def _refusal(error: RefusedError) -> Refusal:
    if isinstance(error, BadRequestError):
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_request", str(error), field=str(error.field))
    if isinstance(error, UnknownRequestError):
        return Refusal(HTTPStatus.NOT_FOUND, "unknown_request", str(error))
    if isinstance(error, UnknownResultError):
        return Refusal(HTTPStatus.NOT_FOUND, "unknown_result", str(error))
    code = "bad_state" if isinstance(error, RequestStateError) else "refused"
    return Refusal(HTTPStatus.CONFLICT, code, str(error))
