"""What is counted and measured, as Prometheus reads it: the text format, version 0.0.4.

What lives here: counting requests, and `/metrics`. What to add: a family in `_of_process` or `_of_ledger`, whose help
says of which process it is. What stays out: judging any of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinhts_core.clock import now
from coinhts_core.errors import RetryableError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_pipeline.front.readings import Readings

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HERE = "in the front's process"
_STATES = {"waiting": "waiting", "sent": "sent", "dead": "given_up"}
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
    """`/metrics`: what this process counted, and what the ledger says; without a ledger, that it says nothing."""

    def __init__(self, requests: Counter[tuple[str, str]], readings: Readings | None) -> None:
        self._requests = requests
        self._readings = readings

    async def show(self, request: Request) -> Response:
        del request
        families = [*_of_requests(self._requests)]
        if self._readings:
            families += await self._read(self._readings)
        return Response(written(families), headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})

    async def _read(self, readings: Readings) -> list[Family]:
        try:
            found = await readings.ask(lambda: list(_of_ledger(readings.ledger, now())), patience_s=0.0)
        except RetryableError:
            found = []
        up = Family("coinhts_ledger_up", "gauge", f"Whether the ledger answered, {_HERE}.", [({}, bool(found))])
        return [up, *_of_process(readings), *found]


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
    if looks := memory.hits + memory.misses:
        numbers.append(("settings_hit_ratio", "gauge", "Of all looks at the settings so far", memory.hits / looks))
    for name, kind, meaning, number in numbers:
        yield Family(f"coinhts_{name}", kind, f"{meaning}, {_HERE}.", [({}, number)])


def _of_ledger(ledger: Ledger, moment: datetime) -> Iterator[Family]:
    """True of all processes, for all write there."""
    with ledger.transaction() as connection:
        states = dict(connection.execute(load_queries("alerts")["count_deliveries"]).fetchall())
        days = connection.execute(load_queries("coverage")["find_newest_days"]).fetchall()
    deliveries: list[tuple[Labels, float]] = [({"state": word}, states.get(of, 0)) for of, word in _STATES.items()]
    meaning = "Alerts on their way to a place, by how they stand, of all processes."
    yield Family("coinhts_alert_deliveries", "gauge", meaning, deliveries)
    ages: list[tuple[Labels, float]] = [({"symbol": symbol}, _age_s(day, moment)) for symbol, day in days]
    meaning = "Since the end of the newest day with minute candles, of all processes."
    yield Family("coinhts_candles_age_seconds", "gauge", meaning, ages)


def _age_s(day: date, moment: datetime) -> float:
    return (moment - datetime.combine(day + timedelta(days=1), time(), UTC)).total_seconds()
