from collections import Counter

import dagster as dg
import psycopg
import pytest
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import event
from sqlalchemy.engine import Engine

from coinhts_core.ledger.connection import ensure_database
from coinhts_pipeline.event_storage import _LEANT_ON

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
        queries = (
            "SELECT dagster_event_type, asset_key, partition FROM event_logs",
            "SELECT asset_key, last_run_id IS NOT NULL FROM asset_keys",
            "SELECT asset_key, check_name, execution_status FROM asset_check_executions",
            "SELECT asset_key, key, count(*) FROM asset_event_tags GROUP BY 1, 2",
        )
        return partitions, *(Counter(connection.execute(query).fetchall()) for query in queries)


def test_it_tells_what_stock_storage_tells(postgres, monkeypatch):
    """Single and range runs leave the same events, assets, checks and tags as on Dagster's own storage."""
    stock = told(postgres, "stock_storage", STOCK, monkeypatch)
    assert stock == told(postgres, "pooled_storage", OURS, monkeypatch)
    assert stock[1]["ASSET_MATERIALIZATION_PLANNED", '["planned"]', "2026-01-20"] == 1


def test_a_plan_is_one_statement(postgres, monkeypatch):
    """The plan of a range run does not cost a statement a partition."""
    rows = []

    def note(_connection, _cursor, statement, *_rest):
        if statement.startswith("INSERT INTO event_logs"):
            rows.append(statement.count("), (") + 1)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        told(postgres, "counted_storage", OURS, monkeypatch)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert max(rows) == 40


@pytest.mark.parametrize("name", _LEANT_ON)
def test_what_it_leans_on_is_there(name):
    """The private names of the pinned Dagster still exist; without them stock behaviour is what runs."""
    assert hasattr(PostgresEventLogStorage, name)
