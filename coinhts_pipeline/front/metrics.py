"""What is counted and measured, as Prometheus reads it: the text format, version 0.0.4.

What lives here: the format, counting requests, and `/metrics`. What to add: a family in `_of_process`, whose help says
of which process it is. What stays out: what is true of the whole house (`gauges`), and judging any of it.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinhts_core.clock import now
from coinhts_core.errors import RetryableError
from coinhts_pipeline.front.readings import Readings
from coinhts_pipeline.front.rooms import module_of

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HERE = "in the front's process"
_STAYS_S = 5.0
_OURS = ("health", "login", "logout", "reports", "metrics", "api", "graphql")
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Labels = Mapping[str, str]
Kind = Literal["counter", "gauge"]


@dataclass(frozen=True)
class Family:
    """Numbers of one name; what they are, and of which process."""

    name: str
    kind: Kind
    meaning: str
    numbers: Iterable[tuple[Labels, float]]


def written(families: Iterable[Family]) -> str:
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.meaning}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, number in family.numbers:
        named = ",".join(f'{label}="{value.translate(_ESCAPED)}"' for label, value in labels.items())
        yield f"{family.name}{f'{{{named}}}' if named else ''} {number + 0!r}"


class Counted:
    """An ASGI application around another, which counts what it answers."""

    def __init__(self, app: ASGIApp, requests: Counter[tuple[str, str]]) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"].endswith("http.response.start"):
                self._requests[route_class(scope["path"]), str(message["status"])] += 1
            elif message["type"] == "websocket.accept":
                self._requests["websocket", "101"] += 1
            await send(message)

        await self._app(scope, receive, counted)


def route_class(path: str) -> str:
    """One of a few words, whatever is asked for."""
    first = path.removeprefix("/").partition("/")[0]
    return first if first in _OURS else "ui"


class Metrics:
    """`/metrics`: what this process counted, and how the house is; without a ledger, that it says nothing.

    The house is looked at once for all who ask within some seconds.
    """

    def __init__(self, requests: Counter[tuple[str, str]], readings: Readings | None) -> None:
        self._requests = requests
        self._readings = readings
        self._looking = asyncio.Lock()
        self._seen: tuple[float, list[Family]] | None = None

    async def show(self, request: Request) -> Response:
        del request
        families = [*_of_requests(self._requests)]
        if self._readings:
            families += await self._read(self._readings)
        return Response(written(families), headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})

    async def _read(self, readings: Readings) -> list[Family]:
        async with self._looking:
            if self._seen is None or time.monotonic() - self._seen[0] >= _STAYS_S:
                self._seen = time.monotonic(), await self._looked(readings)
        found = self._seen[1]
        up = Family("coinhts_ledger_up", "gauge", f"Whether the ledger answered, {_HERE}.", [({}, bool(found))])
        return [up, *_of_process(readings), *found]

    async def _looked(self, readings: Readings) -> list[Family]:
        try:
            return await readings.ask(lambda: list(self._gauges.families(now())), patience_s=0.0)
        except RetryableError:
            return []

    @cached_property
    def _gauges(self) -> Any:
        """Imported by whoever asks first: it takes a while."""
        house = self._readings
        return module_of("gauges").Gauges(house.ledger, house.settings) if house else None


def _of_requests(requests: Counter[tuple[str, str]]) -> Iterator[Family]:
    numbers = [({"route": route, "status": status}, count) for (route, status), count in sorted(requests.items())]
    meaning = f"Answers begun, by class of route, {_HERE}."
    yield Family("coinhts_http_requests_total", "counter", meaning, numbers)


def _of_process(readings: Readings) -> Iterator[Family]:
    counts, memory = defaultdict(int, readings.ledger.counts()), readings.outbox.government.memory
    numbers: list[tuple[str, Kind, str, float]] = [
        ("ledger_pool_connections", "gauge", "Connections to the ledger that are open", counts["pool_size"]),
        ("ledger_pool_connections_most", "gauge", "Connections to the ledger that may be open", counts["pool_max"]),
        ("ledger_pool_available", "gauge", "Connections to the ledger that nobody uses", counts["pool_available"]),
        ("ledger_pool_waiting", "gauge", "Who waits for a connection to the ledger", counts["requests_waiting"]),
        ("ledger_pool_requests_total", "counter", "Connections asked for", counts["requests_num"]),
        ("ledger_pool_queued_total", "counter", "Connections that were waited for", counts["requests_queued"]),
        ("ledger_pool_errors_total", "counter", "Connections that were not had in time", counts["requests_errors"]),
        ("ledger_pool_wait_seconds_total", "counter", "Time waited for them", counts["requests_wait_ms"] / 1_000),
        ("settings_hits_total", "counter", "Looks at the settings answered without the ledger", memory.hits),
        ("settings_misses_total", "counter", "Looks at the settings that asked the ledger", memory.misses),
    ]
    for name, kind, meaning, number in numbers:
        yield Family(f"coinhts_{name}", kind, f"{meaning}, {_HERE}.", [({}, number)])
    looks = memory.hits + memory.misses
    ratio: list[tuple[Labels, float]] = [({}, memory.hits / looks)] if looks else []
    yield Family("coinhts_settings_hit_ratio", "gauge", f"Of all looks at the settings so far, {_HERE}.", ratio)
