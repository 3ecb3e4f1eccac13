"""Dagster's Postgres storage, batched and pooled.

What lives here: one storage class named in dagster_home/dagster.yaml. What stays out: tables and queries; they are
Dagster's own.

Stock storage opens two connections for every event and writes the plan of a range run partition by partition. Here
connections are kept, and what is planned or made of a range is copied in as one. Both lean on private names of an
exactly pinned Dagster: where they are gone, stock behaviour remains and says so once.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from dagster import DagsterEventType, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events.log import EventLogEntry
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine

from coinhts_core.masking import Mask
from coinhts_pipeline.event_rows import copied, moment, spelled
from coinhts_pipeline.hush import hush, without_secrets

# A connection that a restarted server left dead is noticed before it is used.
_POOL: dict[str, Any] = {"pool_size": 2, "max_overflow": 20, "pool_recycle": 600, "pool_pre_ping": True}
_LEANT_ON = ("_connect", "_tags_for_asset_event", "_store_asset_event")
_OF_PARTITIONS = (DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_MATERIALIZATION)
_AT_ONCE = 1_000  # events, so that what is on its way to the server stays small
_NUMBERS = "SELECT nextval(pg_get_serial_sequence('event_logs', 'id')) FROM generate_series(1, %s)"
_COPY_EVENTS = (
    "COPY event_logs (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition) FROM STDIN"
)
_COPY_TAGS = "COPY asset_event_tags (event_id, asset_key, key, value, event_timestamp) FROM STDIN"


def _row(number: int, event: EventLogEntry, text: str) -> tuple[object, ...]:
    about = event.get_dagster_event()
    kind, step = about.event_type_value, about.step_key
    return number, event.run_id, text, kind, moment(event), step, _asset(event), about.partition


def _asset(event: EventLogEntry) -> str:
    key = event.get_dagster_event().asset_key
    return key.to_string() if key else ""


class BatchedEventLog(PostgresEventLogStorage):
    """What is planned or made of a range, an event a partition, in one go; and every event without secrets."""

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url)
        self._mask = Mask.found()

    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(without_secrets(event, self._mask))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        if not all(hasattr(self, name) for name in _LEANT_ON):
            super().store_event_batch([without_secrets(event, self._mask) for event in events])
            return
        for kind in _OF_PARTITIONS:
            if together := [event for event in events if event.dagster_event_type == kind]:
                self._store_together(together)
        for event in events:
            if event.dagster_event_type not in _OF_PARTITIONS:
                self.store_event(event)

    def _store_together(self, events: Sequence[EventLogEntry]) -> None:
        """Written as one, so that no event is there without what it is found by."""
        keys = [event.get_dagster_event().asset_key for event in events]
        last = {key: place for place, key in enumerate(keys)}
        with self._connect() as pooled, pooled.execution_options(isolation_level="READ COMMITTED").begin():
            cursor = pooled.connection.cursor()
            cursor.execute(_NUMBERS, [len(events)])
            numbers = [number for (number,) in cursor.fetchall()]
            for first in range(0, len(events), _AT_ONCE):
                some, of = events[first : first + _AT_ONCE], numbers[first : first + _AT_ONCE]
                cursor.copy_expert(_COPY_EVENTS, copied(map(_row, of, some, spelled(some, self._mask))))
                cursor.copy_expert(_COPY_TAGS, copied(self._tag_rows(of, some)))
            for place in last.values():
                self._store_asset_event(pooled, without_secrets(events[place], self._mask), numbers[place])

    def _tag_rows(self, numbers: Sequence[int], events: Sequence[EventLogEntry]) -> Iterator[tuple[object, ...]]:
        for number, event in zip(numbers, events, strict=True):
            key, at = _asset(event), moment(event)
            for name, value in self._tags_for_asset_event(event).items():
                yield number, key, name, value, at

    def dispose(self) -> None:
        """An instance that is closed keeps no connection open."""
        super().dispose()
        self._engine.dispose()


class PooledStorage(DagsterPostgresStorage):
    """Runs, events and schedules over one pool of connections a process."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        hush()
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = BatchedEventLog(postgres_url)
        stores = (self._run_storage, self._event_log_storage, self._schedule_storage)
        if not all(hasattr(store, "_engine") for store in stores):
            warnings.warn("this Dagster's storage cannot be pooled; it stays as it is", stacklevel=2)
            return
        pool = create_pg_engine(postgres_url, isolation_level="AUTOCOMMIT", **_POOL)
        for store in stores:
            store._engine = pool  # noqa: SLF001 - guarded above

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(config_value["postgres_url"], inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"postgres_url": StringSource}
