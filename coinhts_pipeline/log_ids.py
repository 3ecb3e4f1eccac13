"""Which run, which asset, which days: what every line said meanwhile carries.

What lives here: binding them, and reading them off a run's tags. What stays out: how lines look (`coinhts_core.logs`).
They are put down and taken off again, rather than put back: a generator that is given up may be closed by anybody.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)
from structlog.contextvars import bind_contextvars, unbind_contextvars


@contextmanager
def in_lines(**ids: str) -> Iterator[None]:
    bind_contextvars(**ids)
    try:
        yield
    finally:
        unbind_contextvars(*ids)


def of_run(run_id: str, tags: Mapping[str, str]) -> dict[str, str]:
    """A run, with the partition it makes or the corners of what it makes."""
    corners = [tags[tag] for tag in (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG) if tag in tags]
    partition = tags.get(PARTITION_NAME_TAG) or "…".join(corners)
    return {"run_id": run_id} | ({"partition": partition} if partition else {})
