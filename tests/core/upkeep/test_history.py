from datetime import UTC, datetime, timedelta

import pytest

from coinhts_core.upkeep.history import KEPT_FOR, forget_history, forget_partitions

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD, NEW = NOW - KEPT_FOR - timedelta(days=1), NOW - KEPT_FOR + timedelta(days=1)
# Only what is read here of Dagster's tables; the pipeline's test of upkeep holds it against the real ones.
TABLES = """
    CREATE TABLE runs (run_id text UNIQUE, status text, run_body text, update_timestamp timestamp);
    CREATE TABLE run_tags (run_id text REFERENCES runs (run_id) ON DELETE CASCADE);
    CREATE TABLE daemon_heartbeats (id int);
    CREATE TABLE event_logs (
        id bigint GENERATED ALWAYS AS IDENTITY, run_id text, event text, dagster_event_type text, timestamp timestamp,
        asset_key text, partition text
    );
    CREATE TABLE asset_event_tags (event_id bigint);
    CREATE TABLE asset_check_executions (
        id bigint GENERATED ALWAYS AS IDENTITY, asset_key text, check_name text, partition text, run_id text,
        execution_status text, evaluation_event text, evaluation_event_storage_id bigint, create_timestamp timestamp
    );
    CREATE TABLE asset_keys (last_run_id text);
    CREATE TABLE bulk_actions (key text, status text, body text, timestamp timestamp);
    CREATE TABLE backfill_tags (backfill_id text);
"""


@pytest.fixture
def dagster(empty_ledger):
    """Lay out Dagster's tables as far as they matter."""
    with empty_ledger.transaction() as connection:
        connection.execute(TABLES)
    return empty_ledger


@pytest.fixture
def sql(dagster):
    """Say something to them."""

    def said(statement, *facts):
        with dagster.transaction() as connection:
            cursor = connection.execute(statement, facts)
            return cursor.fetchall() if cursor.description else []

    return said


@pytest.fixture
def tell(sql):
    """Let a run tell something of an asset; its event's number."""

    def told(run, kind, at=OLD, asset="a", partition=None):
        statement = (
            "INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, asset_key, partition) "
            "VALUES (%s, 'words', %s, %s, %s, %s) RETURNING id"
        )
        ((number,),) = sql(statement, run, kind, at.replace(tzinfo=None), asset, partition)
        sql("INSERT INTO asset_event_tags VALUES (%s)", number)
        return number

    return told


@pytest.fixture
def run(sql):
    """Have a run that ended, or did not."""

    def had(name, at=OLD, status="SUCCESS"):
        sql("INSERT INTO runs VALUES (%s, %s, 'body', %s)", name, status, at.replace(tzinfo=None))
        sql("INSERT INTO run_tags VALUES (%s)", name)

    return had


def left(sql, column, table):
    return [one for (one,) in sql(f"SELECT {column} FROM {table} ORDER BY 1")]  # noqa: S608 - our own words


def test_the_last_word_on_each_partition_stays(dagster, sql, run, tell):
    """And the run that said it; what it said besides, and what others said before, goes, with its tags."""
    for name in ("first", "second", "third"):
        run(name)
    tell("first", "ASSET_MATERIALIZATION", partition="2026-01-01")
    tell("first", "STEP_START")
    kept = [
        tell("second", "ASSET_MATERIALIZATION", partition="2026-01-01"),
        tell("second", "ASSET_MATERIALIZATION", partition="2026-01-02"),
        tell("second", "ASSET_OBSERVATION", partition="2026-01-02"),
        tell("second", "ASSET_MATERIALIZATION", asset="b"),
    ]
    tell("third", "ASSET_MATERIALIZATION_PLANNED", partition="2026-01-02")
    found = forget_history(dagster, NOW, only_looks=True)
    assert found.names == ("3 events", "2 runs")
    assert len(left(sql, "id", "event_logs")) == 7
    assert forget_history(dagster, NOW, only_looks=False) == found
    assert left(sql, "id", "event_logs") == left(sql, "event_id", "asset_event_tags") == kept
    assert left(sql, "run_id", "runs") == left(sql, "run_id", "run_tags") == ["second"]
    assert forget_history(dagster, NOW, only_looks=False).count == 0


def test_the_last_evaluation_of_each_check_stays(dagster, sql, run, tell):
    """One that was only planned since does not stand for the one that was made."""
    for name, status in (("first", "SUCCEEDED"), ("second", "FAILED"), ("third", "PLANNED")):
        run(name)
        number = tell(name, "ASSET_CHECK_EVALUATION")
        statement = (
            "INSERT INTO asset_check_executions (asset_key, check_name, run_id, execution_status, evaluation_event, "
            "evaluation_event_storage_id, create_timestamp) VALUES ('a', 'is_whole', %s, %s, 'words', %s, %s)"
        )
        sql(statement, name, status, number, OLD.replace(tzinfo=None))
    forget_history(dagster, NOW, only_looks=False)
    assert left(sql, "run_id", "asset_check_executions") == ["second", "third"]
    assert left(sql, "run_id", "event_logs") == left(sql, "run_id", "runs") == ["second", "third"]


@pytest.mark.parametrize("status", ["STARTED", "QUEUED", "NOT_STARTED", "CANCELING"])
def test_a_run_that_is_not_over_loses_nothing(dagster, sql, run, tell, status):
    """However long it takes."""
    run("long", status=status)
    tell("long", "STEP_START")
    assert forget_history(dagster, NOW, only_looks=False).count == 0
    assert left(sql, "run_id", "runs") == left(sql, "run_id", "event_logs") == ["long"]


def test_nothing_of_the_last_month_goes(dagster, run, tell):
    """Whatever it is; what a run of before told in it belongs to nobody, and is young."""
    run("new", at=NEW)
    tell("new", "STEP_START", at=NEW)
    tell("new", "STEP_START", at=OLD)
    tell("nobody", "STEP_START", at=NEW)
    assert forget_history(dagster, NOW, only_looks=False).count == 0
    tell("nobody", "STEP_START", at=OLD)
    assert forget_history(dagster, NOW, only_looks=False).names == ("1 events",)


def test_the_run_that_an_asset_names_stays(dagster, sql, run):
    """The UI leads from the asset to it, though it made nothing."""
    run("named", status="FAILURE")
    run("unnamed", status="FAILURE")
    sql("INSERT INTO asset_keys VALUES ('named')")
    forget_history(dagster, NOW, only_looks=False)
    assert left(sql, "run_id", "runs") == ["named"]


def test_backfills_that_are_over_go(dagster, sql):
    """Those at work stay."""
    for key, status in (("over", "COMPLETED_SUCCESS"), ("at work", "REQUESTED")):
        sql("INSERT INTO bulk_actions VALUES (%s, %s, 'body', %s)", key, status, OLD.replace(tzinfo=None))
        sql("INSERT INTO backfill_tags VALUES (%s)", key)
    assert forget_history(dagster, NOW, only_looks=False).facts == {"count": 1, "bytes": 4, "names": ["1 backfills"]}
    assert left(sql, "key", "bulk_actions") == left(sql, "backfill_id", "backfill_tags") == ["at work"]


def test_a_partition_that_is_none_any_more_leaves_nothing(dagster, sql, tell):
    """Of that asset; another one's of the same name stays."""
    tell("run", "ASSET_MATERIALIZATION", partition="gone")
    kept = [
        tell("run", "ASSET_MATERIALIZATION", partition="kept"),
        tell("run", "ASSET_MATERIALIZATION", asset="b", partition="gone"),
    ]
    assert forget_partitions(dagster, "a", ["gone"]).count == 1
    assert left(sql, "id", "event_logs") == left(sql, "event_id", "asset_event_tags") == kept


def test_before_dagster_laid_out_its_tables_there_is_nothing(empty_ledger):
    """A database that nobody has used yet."""
    assert forget_history(empty_ledger, NOW, only_looks=False).count == 0
