"""Dagster's Postgres storage, batched and pooled.

What lives here: one storage class named in dagster_home/dagster.yaml. What stays out: tables and queries; they are
Dagster's own.

Stock storage opens two connections for every event and writes the plan of a range run partition by partition. Here
connections are kept, and a plan is one insert. Both lean on private names of an exactly pinned Dagster: where they are
gone, stock behaviour remains and says so once.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import DagsterEventType, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine

from coinhts_core.masking import Mask
from coinhts_pipeline.hush import hush, record_without_secrets, without_secrets

# A connection that a restarted server left dead is noticed before it is used.
_POOL: dict[str, Any] = {"pool_size": 2, "max_overflow": 20, "pool_recycle": 600, "pool_pre_ping": True}
_LEANT_ON = ("_connect", "_event_to_row", "_store_asset_event", "_store_asset_event_tags", "index_transaction")
_OF_PARTITIONS = (DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_MATERIALIZATION)
# Compiled once; its numbers come back in the order of the rows.
_INSERT = SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)


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
        rows = [self._event_to_row(event) for event in events]
        is_made = events[0].dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION
        if is_made:  # a plan is made of names alone
            rows = [{**row, "event": record_without_secrets(row["event"], self._mask)} for row in rows]
        with self._connect() as connection:
            numbers = list(connection.scalars(_INSERT, rows))
        last = {event.get_dagster_event().asset_key: place for place, event in enumerate(events)}
        with self.index_transaction() as connection:
            if is_made:
                self._store_asset_event_tags(connection, events, numbers)
            for place in last.values():
                self._store_asset_event(connection, without_secrets(events[place], self._mask), numbers[place])

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
