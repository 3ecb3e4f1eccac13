"""The counter: where requests are put and asked after, in JSON or on pages alike.

What lives here: `Counter`, with the house's reception and shelf behind it. What stays out: what programs read
(`requests`), what people see (`request_pages`), and judging (`coinhts_core.requests`).
"""

from collections.abc import Callable
from functools import cached_property
from typing import Final, TypeVar

from coinhts_core.errors import QueueFullError
from coinhts_core.requests.reception import Reception
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front.answers import answer_of, refusal_of
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.readings import Readings

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
        return await answer_of(self._readings, lambda _: self._unless_full(question), patience_s)

    @property
    def shelf(self) -> Shelf:
        return self._house.shelf

    def _unless_full(self, question: Callable[[Reception], T]) -> T | Refusal:
        """A full queue is told at once, and not waited for as a ledger is that is away."""
        try:
            return question(self._reception)
        except QueueFullError as error:
            return refusal_of(error)

    @property
    def _house(self) -> Readings:
        if self._readings is None:
            msg = "nobody comes so far without a ledger"
            raise RuntimeError(msg)
        return self._readings

    @cached_property
    def _reception(self) -> Reception:
        return Reception(self._house.settings, self._house.ledger, self._house.lake, _REMEMBERS_S)
