import time
from collections import Counter

import dagster as dg
import psycopg
import pytest
from dagster_postgres import PostgresEventLogStorage

from coinhts_core.ledger.connection import ensure_database
from coinhts_pipeline.event_storage import _LEANT_ON, BatchedEventLog, PooledStorage, _remembered
from tests.pipeline.test_event_rows import some_events

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-21")
FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
OURS = ("coinhts_pipeline.event_storage", "PooledStorage")
STOCK = ("dagster_postgres.storage", "DagsterPostgresStorage")


@dg.asset(partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("holds", asset="made")])
def made():
    """An asset that is made, with a check."""
    yield dg.Output(None)
    yield dg.AssetCheckResult(passed=True)


@dg.asset(partitions_def=DAYS, deps=[made])
def planned():
    """An asset that is planned and never made."""
    msg = "never"
    raise ValueError(msg)


def told(server, database, storage, monkeypatch):
    """What Dagster knows after a single and a range run on a storage."""
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    url = server.url(database)
    ensure_database(url)
    config = {"postgres_url": url.replace("postgresql://", "postgresql+psycopg2://")}
    chosen = {"custom": {"module": storage[0], "class": storage[1], "config": config}}
    parts = {"assets": [made, planned], "jobs": [dg.define_asset_job("both", [made, planned])]}
    job = dg.Definitions(**parts, resources={"io_manager": dg.mem_io_manager}).resolve_job_def("both")
    with dg.instance_for_test(overrides={"storage": chosen}) as instance:
        for tags in ({"dagster/partition": "2026-01-02"}, {FIRST: "2026-01-01", LAST: "2026-01-20"}):
            job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
        partitions = {key: instance.get_materialized_partitions(dg.AssetKey(key)) for key in ("made", "planned")}
    with psycopg.connect(url) as connection:
        tagged = "SELECT partition, key, timestamp = event_timestamp FROM asset_event_tags, event_logs e"
        queries = (
            "SELECT dagster_event_type, asset_key, partition, step_key FROM event_logs",
            "SELECT asset_key, last_run_id IS NOT NULL FROM asset_keys",
            "SELECT asset_key, check_name, execution_status FROM asset_check_executions",
            "SELECT asset_key, key, count(*) FROM asset_event_tags GROUP BY 1, 2",
            f"{tagged} WHERE event_id = e.id",
        )
        return partitions, *(Counter(connection.execute(query).fetchall()) for query in queries)


def test_it_tells_what_stock_storage_tells(postgres, monkeypatch):
    """Single and range runs leave the same events, assets, checks and tags as on Dagster's own storage."""
    stock = told(postgres, "stock_storage", STOCK, monkeypatch)
    assert stock == told(postgres, "pooled_storage", OURS, monkeypatch)
    assert stock[1]["ASSET_MATERIALIZATION_PLANNED", '["planned"]', "2026-01-20", "planned"] == 1


def test_a_range_is_written_at_once(postgres, monkeypatch):
    """The plan of a range run, and what was made of it, do not cost a statement a partition."""
    statements = []
    copy = BatchedEventLog._store_together

    def counted(self, events):
        statements.append(len(events))
        copy(self, events)

    monkeypatch.setattr(BatchedEventLog, "_store_together", counted)
    told(postgres, "counted_storage", OURS, monkeypatch)
    assert sorted(statements)[-2:] == [20, 40]


def test_what_cannot_be_written_leaves_nothing_of_it(postgres, monkeypatch):
    """Neither events without their tags, nor tags without their events."""
    url = postgres.url("torn_storage")
    ensure_database(url)
    storage = PooledStorage(url.replace("postgresql://", "postgresql+psycopg2://")).event_log_storage

    def torn(*_):
        msg = "the server is gone"
        raise OSError(msg)

    monkeypatch.setattr(storage, "_store_asset_event", torn)
    with pytest.raises(OSError, match="the server is gone"):
        storage.store_event_batch(some_events(3))
    with psycopg.connect(url) as connection:
        counts = "SELECT (SELECT count(*) FROM event_logs), (SELECT count(*) FROM asset_event_tags)"
        assert connection.execute(counts).fetchone() == (0, 0)
    storage.dispose()


def test_a_connection_that_was_hung_up_on_is_not_used(postgres):
    """Who restarts the server, or ends a session, is not met by an error at the next question."""
    url = postgres.url("hung_up_storage")
    ensure_database(url)
    with dg.instance_for_test(overrides={"storage": _chosen(url)}) as instance:
        instance.get_run_stats("nobody")
        with psycopg.connect(url, autocommit=True) as connection:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ended = connection.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall()
        assert ended
        time.sleep(0.1)  # until the last word is on the line
        assert instance.get_runs() == []
        assert instance.get_run_stats("nobody").steps_failed == 0


def test_a_second_process_makes_no_tables(postgres, monkeypatch):
    """They were made by the first one; a third makes those that went missing."""
    url = postgres.url("laid_out_storage")
    ensure_database(url)
    made = []
    make = BatchedEventLog._init_db
    monkeypatch.setattr(PostgresEventLogStorage, "_init_db", lambda self: (made.append(1), make(self)))
    for missing in ("", "", "DROP TABLE event_logs CASCADE; DROP TABLE alembic_version"):
        if missing:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(missing)
        PooledStorage(url.replace("postgresql://", "postgresql+psycopg2://")).event_log_storage.dispose()
    assert len(made) == 2


def test_only_what_is_there_is_remembered():
    """A table may come while a process lives."""
    answers = iter([False, True])
    is_there = _remembered(lambda _: next(answers))
    assert [is_there("one"), is_there("one"), is_there("one")] == [False, True, True]
    with pytest.raises(StopIteration):
        is_there("another")


def _chosen(url):
    config = {"postgres_url": url.replace("postgresql://", "postgresql+psycopg2://")}
    return {"custom": {"module": OURS[0], "class": OURS[1], "config": config}}


@pytest.mark.parametrize("name", _LEANT_ON)
def test_what_it_leans_on_is_there(name):
    """The private names of the pinned Dagster still exist; without them stock behaviour is what runs."""
    assert hasattr(PostgresEventLogStorage, name)
