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

# A connection that a restarted server left dead is noticed before it is used.
_POOL: dict[str, Any] = {"pool_size": 2, "max_overflow": 20, "pool_recycle": 600, "pool_pre_ping": True}
_LEANT_ON = ("_connect", "_store_asset_event", "index_transaction", "prepare_insert_event_batch")


class BatchedEventLog(PostgresEventLogStorage):
    """The plan of a run, which is one event a partition, in one statement."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        planned = [
            event for event in events if event.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        ]
        if not planned or not all(hasattr(self, name) for name in _LEANT_ON):
            super().store_event_batch(events)
            return
        for event in events:
            if event.dagster_event_type != DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
                self.store_event(event)
        insert = self.prepare_insert_event_batch(planned).returning(SqlEventLogStorageTable.c.id)
        with self._connect() as connection:
            numbers = [row[0] for row in connection.execute(insert)]
        last = {
            event.get_dagster_event().asset_key: (event, number) for event, number in zip(planned, numbers, strict=True)
        }
        with self.index_transaction() as connection:
            for event, number in last.values():
                self._store_asset_event(connection, event, number)

    def dispose(self) -> None:
        """An instance that is closed keeps no connection open."""
        super().dispose()
        self._engine.dispose()


class PooledStorage(DagsterPostgresStorage):
    """Runs, events and schedules over one pool of connections a process."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
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
