"""The scheduler: Dagster's daemon, its schedules and sensors, and the code they ask, as its tables tell.

What lives here: what was heard of it, and the way to its tables. What stays out: what that means (`coinhts_core.ops`),
and starting it (`up`).

Dagster is not imported: that takes longer than all checks together. Its tables are read as they are, and tests hold
them against the pinned Dagster's own words.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from coinhts_core.errors import LedgerUnreachableError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.ops.health import Heard
from coinhts_core.settings import Settings
from coinhts_pipeline.health.home import is_up

_FAILED_SINCE = timedelta(hours=25)  # until a daily schedule has had its next turn


def heard(settings: Settings, dagster_address: str, moment: datetime) -> Heard:
    lock = settings.home / "up.lock"
    was_ever_up = lock.exists()
    if not (was_ever_up and is_up(settings)):
        return Heard(was_ever_up, None, None, None)
    with dagster_tables(dagster_address) as ask:
        beats = ask("list_heartbeats")
        (ticked_at,) = next(iter(ask("find_newest_tick")), (None,))
        failed = ask("find_failed_ticks", since=moment - _FAILED_SINCE)
    return Heard(
        was_ever_up,
        up_since=datetime.fromtimestamp(lock.stat().st_mtime, tz=UTC),
        beat_at=max((at for _, _, at in beats), default=None),
        ticked_at=ticked_at,
        complaining=tuple(kind for kind, body, _ in beats if json.loads(body or "{}").get("errors")),
        failed=tuple(_names(body for (body,) in failed)),
    )


def _names(bodies: Iterable[str]) -> Iterable[str]:
    for body in bodies:
        facts = json.loads(body)
        yield str(facts.get("instigator_name") or facts.get("job_name") or "a sensor without a name")


@contextmanager
def dagster_tables(address: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Asked by the name of a query; they tell nothing where Dagster has laid out none yet."""
    queries = {**load_queries("dagster"), **load_queries("health")}
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(
                stack.enter_context(Ledger.open(address, most_connections=1)).transaction()
            )
            has_tables = connection.execute(queries["has_tables"]).fetchone()
        except LedgerUnreachableError as error:
            if not error.reason.endswith("does not exist"):
                raise
            has_tables = None
        yield lambda name, **facts: connection.execute(queries[name], facts).fetchall() if has_tables else []
