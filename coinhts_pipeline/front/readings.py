"""The ledger as routes of ours read it: in worker threads, and patiently.

What lives here: `Readings`, and what is said when there is nothing to read. What stays out: what is read (`api`,
`metrics`); changes, which nobody may repeat without looking.
"""

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from coinhts_core.alerts.outbox import Outbox
from coinhts_core.errors import RetryableError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.settings import Settings
from coinhts_pipeline.front.origins import Refusal

if TYPE_CHECKING:
    from coinhts_core.lake.lake import Lake
    from coinhts_core.results.shelf import Shelf

AT_ONCE = 16
_PATIENCE_S = 10.0
_PAUSE_S = 0.2
T = TypeVar("T")


class Readings:
    """Asks again while the ledger is away for a moment, as it is when it starts again; nobody waits in a thread."""

    def __init__(self, ledger: Ledger, settings: Settings, patience_s: float = _PATIENCE_S) -> None:
        self.ledger = ledger
        self.settings = settings
        self.outbox = Outbox.open(ledger, settings)
        self._patience_s = patience_s
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._begun: dict[str, asyncio.Task[Any]] = {}
        self._next: dict[str, asyncio.Task[Any]] = {}

    @cached_property
    def lake(self) -> "Lake":
        """Opened when somebody first looks into it."""
        from coinhts_core.lake.lake import Lake  # noqa: PLC0415 - slow to import, and most routes need none

        return Lake.open(self.settings.lake_url, self.settings.s3, self.settings.cache_folder)

    @cached_property
    def shelf(self) -> "Shelf":
        """As above."""
        from coinhts_core.results.shelf import Shelf  # noqa: PLC0415 - as above

        return Shelf(self.ledger, self.lake)

    async def ask(self, question: Callable[[], T], patience_s: float | None = None) -> T:
        """The answer, or the error of the last try."""
        deadline = time.monotonic() + (self._patience_s if patience_s is None else patience_s)
        while True:
            try:
                async with self._at_once:
                    return await run_in_threadpool(question)
            except RetryableError:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def ask_together(self, name: str, question: Callable[[], T]) -> T:
        """The same question of many is asked once for all who came before it was; none gets an older answer."""
        if name not in self._next:
            self._next[name] = asyncio.create_task(self._asked_in_turn(name, question))
        answer: T = await asyncio.shield(self._next[name])
        return answer

    async def _asked_in_turn(self, name: str, question: Callable[[], T]) -> T:
        if before := self._begun.get(name):
            await asyncio.wait({before})
        asking = self._begun[name] = self._next.pop(name)
        try:
            return await self.ask(question)
        finally:
            if self._begun[name] is asking:
                del self._begun[name]


def refused(refusal: Refusal) -> Response:
    waiting = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
    return JSONResponse(refusal.document, refusal.status, waiting | {"Cache-Control": "no-store"})


def busy(reason: object) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", str(reason), retry_after_s=5)
