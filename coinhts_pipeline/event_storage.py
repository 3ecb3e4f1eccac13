"""Dagster's Postgres storage, batched and pooled.

What lives here: one storage class named in dagster_home/dagster.yaml. What stays out: tables and queries; they are
Dagster's own.

Stock storage opens two connections for every event, writes the plan of a range run partition by partition, and looks up
again and again which columns its tables have. Here connections are kept, an event that only its run leads to is one
statement, what is planned or made of a range is copied in as one, and a column that was there once is not looked for
any more. All of it leans on private names of an exactly pinned Dagster: where they are gone, stock behaviour remains
and says so once.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from select import POLLIN, poll
from typing import Any, Self

import sqlalchemy
from dagster import DagsterEventType, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._serdes import ConfigurableClassData, serialize_value
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine, retry_pg_connection_fn

from coinhts_core.masking import Mask
from coinhts_pipeline.event_rows import copied, moment, spelled
from coinhts_pipeline.hush import hush, record_without_secrets, without_secrets

_POOL: dict[str, Any] = {"pool_size": 2, "max_overflow": 20, "pool_recycle": 600}
_LAID_OUT = """
    SELECT to_regclass('runs') IS NOT NULL AND to_regclass('instance_info') IS NOT NULL
        AND to_regclass('event_logs') IS NOT NULL AND to_regclass('jobs') IS NOT NULL
"""
# Each tells by its last word whether a table, a column or an index is there.
_OF_EVENTS = ("has_table", "has_asset_key_col", "_has_asset_key_col_on_connection")
_OF_RUNS = (
    "has_run_stats_index_cols",
    "has_bulk_actions_selector_cols",
    "has_backfill_id_column",
    "has_bulk_action_job_name_column",
    "has_backfill_tags_table",
)
_OF_SCHEDULES = ("has_instigators_table", "has_secondary_index_table", "has_built_index")
_LEANT_ON = ("_connect", "_tags_for_asset_event", "_store_asset_event")
_OF_PARTITIONS = (DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_MATERIALIZATION)
_AT_ONCE = 1_000  # events, so that what is on its way to the server stays small
_NUMBERS = "SELECT nextval(pg_get_serial_sequence('event_logs', 'id')) FROM generate_series(1, %s)"
_COPY_EVENTS = (
    "COPY event_logs (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition) FROM STDIN"
)
_INSERT = sqlalchemy.text("""
    INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, partition)
    VALUES (:run_id, :event, :dagster_event_type, :timestamp, :step_key, :partition)
""")
_INDEXED = ASSET_EVENTS | ASSET_CHECK_EVENTS
_COPY_TAGS = "COPY asset_event_tags (event_id, asset_key, key, value, event_timestamp) FROM STDIN"


def _row(number: int, event: EventLogEntry, text: str) -> tuple[object, ...]:
    about = event.get_dagster_event()
    kind, step = about.event_type_value, about.step_key
    return number, event.run_id, text, kind, moment(event), step, _asset(event), about.partition


def _is_found_by_more(event: EventLogEntry) -> bool:
    """Whether an asset or a check leads to it, which other tables are to know."""
    about = event.dagster_event
    return bool(about and (about.asset_key or about.event_type in _INDEXED))


def _plain(event: EventLogEntry, text: str) -> dict[str, object]:
    """A row that its run alone leads to, as stock storage has it; but nobody is notified, for nobody listens."""
    about = event.dagster_event
    return {
        "run_id": event.run_id,
        "event": text,
        "dagster_event_type": about.event_type_value if about else None,
        "timestamp": moment(event),
        "step_key": about.step_key if about else event.step_key,
        "partition": about.partition if about else None,
    }


def _asset(event: EventLogEntry) -> str:
    key = event.get_dagster_event().asset_key
    return key.to_string() if key else ""


class BatchedEventLog(PostgresEventLogStorage):
    """What is planned or made of a range, an event a partition, in one go; and every event without secrets."""

    def __init__(self, postgres_url: str, *, should_autocreate_tables: bool = True) -> None:
        super().__init__(postgres_url, should_autocreate_tables)
        self._mask = Mask.found()

    def store_event(self, event: EventLogEntry) -> None:
        if _is_found_by_more(event):
            super().store_event(without_secrets(event, self._mask))
            return
        text = record_without_secrets(serialize_value(event), self._mask)
        with self._connect() as connection:
            connection.execute(_INSERT, _plain(event, text))

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
        pool = create_pg_engine(postgres_url, isolation_level="AUTOCOMMIT", **_POOL)
        sqlalchemy.event.listen(pool, "checkout", _judge)
        super().__init__(postgres_url, should_autocreate_tables=not _is_laid_out(pool), inst_data=inst_data)
        self._event_log_storage = BatchedEventLog(postgres_url, should_autocreate_tables=False)
        asked = ((self._run_storage, _OF_RUNS), (self._event_log_storage, _OF_EVENTS))
        stores: dict[Any, Sequence[str]] = dict((*asked, (self._schedule_storage, _OF_SCHEDULES)))
        if not all(hasattr(store, name) for store, names in stores.items() for name in ("_engine", *names)):
            pool.dispose()
            warnings.warn("this Dagster's storage cannot be pooled; it stays as it is", stacklevel=2)
            return
        for store, names in stores.items():
            store._engine = pool  # noqa: SLF001 - guarded above
            for name in names:
                setattr(store, name, _remembered(getattr(store, name)))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(config_value["postgres_url"], inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"postgres_url": StringSource}


def _is_laid_out(pool: sqlalchemy.Engine) -> bool:
    """Whether all tables are there: asked in one question, where stock storage lists them three times."""
    with retry_pg_connection_fn(pool.connect) as connection:
        return bool(connection.execute(sqlalchemy.text(_LAID_OUT)).scalar())


def _judge(connection: Any, *_: object) -> None:
    """One that a restarted server left dead has been hung up on, which is seen without asking; all are made anew."""
    line = poll()
    if not connection.closed:
        line.register(connection, POLLIN)
    if connection.closed or line.poll(0):
        raise sqlalchemy.exc.InvalidatePoolError


def _remembered(tells: Callable[..., bool]) -> Callable[..., bool]:
    """Only what is there: while a process lives, tables and columns come, and do not go."""
    there = set()

    @wraps(tells)
    def told(*about: Any) -> bool:
        name = about[-1] if about else ""
        if name not in there and tells(*about):
            there.add(name)
        return name in there

    return told
