import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from coinhts_core.errors import ExchangeUnavailableError, RefusedRowError
from coinhts_core.ops.job_metrics import Measured, position
from coinhts_core.settings import read_settings
from coinhts_pipeline.claims import fail_abandoned_runs
from coinhts_pipeline.installation import PROJECT
from coinhts_pipeline.measuring import _tell, log_file, measure
from coinhts_pipeline.resources import claims_folder
from coinhts_pipeline.verdicts import told_to_dagster

DAYS = ("2026-01-01|KRW-BTC", "2026-01-03|KRW-BTC")
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_KILLED = """
import os, signal
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.settings import read_settings
from coinhts_pipeline.backfill import Runner
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import open_installation

SampleExchange.minutes = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with open_installation(read_settings()) as installation:
    tags = {"dagster/asset_partition_range_start": "2026-01-09|KRW-BTC",
            "dagster/asset_partition_range_end": "2026-01-09|KRW-BTC"}
    Runner(installation, defs()).run("rehearse_days", tags=tags)
"""


@pytest.fixture
def own(house):
    """Give the module's installation with nothing measured yet, and nothing told."""
    measure(house.rooms.ledger, read_settings())
    log_file(read_settings()).unlink(missing_ok=True)
    return house


def rows_of(house, run_id):
    with house.rooms.ledger.transaction() as connection:
        return connection.execute(
            """
            SELECT step, attempt, job, success, error_class, row_count, partitions, duration_s FROM job_metrics
            WHERE run_id = %s ORDER BY began_at, attempt
            """,
            [run_id],
        ).fetchall()


def lines():
    return [json.loads(line) for line in log_file(read_settings()).read_text().splitlines()]


def measured(house):
    return measure(house.rooms.ledger, read_settings())


def test_a_range_run_is_a_row_and_each_of_its_steps_another(own):
    """A row a step, not a partition: with what it made, and how long it took by Dagster's own watch."""
    run = own.run(*DAYS)
    assert measured(own) == 1
    rows = {row[0]: row[1:] for row in rows_of(own, run.run_id)}
    daily = {f"{room}__sma_cross" for room in ("signals", "backtests", "positions")} | {"candles__minute"}
    assert rows.keys() == daily | {"", "backtests__sma_cross_chain_is_current"}
    assert {rows[step][:4] + rows[step][5:6] for step in daily} == {(1, "rehearse_days", True, None, 3)}
    candles = sum(of.metadata["dagster/partition_row_count"].value for of in own.events("candles/minute")[-3:])
    assert rows["candles__minute"][4] == candles
    assert rows[""][4] == sum(rows[step][4] for step in daily)
    assert rows[""][5] == 3
    found = own.instance.get_run_stats(run.run_id)
    assert rows[""][6] == pytest.approx(found.end_time - found.start_time, abs=1e-4)
    stats = {of.step_key: of for of in own.instance.get_run_step_stats(run.run_id)}
    for step in daily:
        assert rows[step][6] == pytest.approx(stats[step].end_time - stats[step].start_time, abs=1e-4)


def test_each_row_is_a_line_of_json(own):
    """With the fields that people's tools know from before, and ours."""
    run = own.run(*DAYS)
    measured(own)
    told = [line for line in lines() if line["run_id"] == run.run_id]
    assert len(told) == 6
    (whole,) = (line for line in told if line["metric_type"] == "job")
    assert whole.keys() >= {"job_name", "duration_ms", "success", "error", "timestamp", "step", "attempt", "rows"}
    assert (whole["job_name"], whole["success"], whole["error"]) == ("rehearse_days", True, None)
    assert whole["duration_ms"] == round(whole["duration_ms"], 2) > 0
    assert log_file(read_settings()).stat().st_mode & 0o077 == 0


def test_no_secret_is_told_whoever_wrote_it(own):
    """Dagster's own records were masked before; what another wrote there is masked, too, and cut where it is long."""
    noon = datetime(2026, 2, 1, 12, tzinfo=UTC)
    error = f"password=canary-of-a-secret {'x' * 1_000}"
    _tell(read_settings(), [Measured(str(uuid4()), "a", "", 1, noon, noon, "E", None, 0, 1, error)])
    assert own
    (line,) = lines()
    assert line["error"].startswith("password=*** xxx")
    assert len(line["error"]) < 300


def test_measured_again_nothing_is_counted_or_told_twice(own):
    """Also by one who begins anew, and who has to look at all again."""
    own.run(*DAYS)
    assert measured(own) == 1
    before = lines()
    assert measured(own) == 0
    with own.rooms.ledger.transaction() as connection:
        count = connection.execute("SELECT count(*) FROM job_metrics").fetchone()
        connection.execute("UPDATE job_metrics SET ended_event = 1")
    assert measured(own) == 0
    with own.rooms.ledger.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM job_metrics").fetchone() == count
    assert lines() == before


def test_what_failed_is_told_in_the_words_of_its_cause(own):
    """The class is ours, not what Dagster puts around it; later steps never began, and are no rows."""

    @dg.op
    def refused():
        with told_to_dagster():
            raise RefusedRowError(reason="it says token=canary-of-a-secret")

    @dg.op
    def later(before):
        return before

    @dg.job(name="own_refusal")
    def job():
        later(refused())

    run = job.execute_in_process(instance=own.instance, run_config=_QUIET, raise_on_error=False)
    assert measured(own) == 1
    assert {row[0]: row[3:5] for row in rows_of(own, run.run_id)} == {
        "": (False, "RefusedRowError"),
        "refused": (False, "RefusedRowError"),
    }
    told = [line for line in lines() if line["run_id"] == run.run_id]
    assert {line["error"] for line in told} == {"the ledger refuses a row: it says token=***"}


def test_each_attempt_is_a_row(own):
    """A run that did well in the end did well; what it was tried for before did not."""
    tries = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
    def flaky(context):
        tries.append(1)
        context.log_event(dg.AssetMaterialization("made", metadata={"dagster/row_count": 10 ** len(tries)}))
        if len(tries) < 3:
            raise ExchangeUnavailableError(venue="sample", reason="maintenance")

    @dg.job(name="own_tries")
    def job():
        flaky()

    run = job.execute_in_process(instance=own.instance, run_config=_QUIET, raise_on_error=False)
    assert run.success
    assert measured(own) == 1
    assert [(row[0], row[1], row[3], row[4], row[5]) for row in rows_of(own, run.run_id) if row[0]] == [
        ("flaky", 1, False, "ExchangeUnavailableError", 10),
        ("flaky", 2, False, "ExchangeUnavailableError", 100),
        ("flaky", 3, True, None, 1_000),
    ]
    (whole,) = (row for row in rows_of(own, run.run_id) if not row[0])
    assert whole[3:7] == (True, None, 1_110, 0)


def test_a_run_that_was_killed_failed_when_it_was_found(own):
    """Its step was never heard of again; nobody knows a sentence, but that its process is gone."""
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED],
        cwd=PROJECT,
        env=dict(os.environ),
        check=False,
        timeout=120,
        capture_output=True,
    )
    assert ended.returncode == -9, ended.stderr.decode()
    assert measured(own) == 0
    settings = read_settings()
    (run_id,) = fail_abandoned_runs(own.instance, claims_folder(settings), datetime.now(UTC) + timedelta(minutes=5))
    assert measured(own) == 1
    assert {row[0]: row[3:5] for row in rows_of(own, run_id)} == {
        "": (False, "ProcessGone"),
        "candles__minute": (False, "ProcessGone"),
    }


def test_a_run_that_never_began_failed_at_once(own):
    """Such as one that nobody could launch."""
    run = own.instance.create_run_for_job(_nothing)
    own.instance.report_run_failed(run, "nobody could launch it")
    assert measured(own) == 1
    ((step, *_, error_class, rows, partitions, took_s),) = rows_of(own, run.run_id)
    assert (step, error_class, rows, partitions, took_s) == ("", "NeverBegun", None, 0, 0.0)


def test_a_run_that_was_canceled_is_no_success(own):
    """Whoever stopped it."""
    run = own.instance.create_run_for_job(_nothing)
    own.instance.report_run_canceled(run)
    assert measured(own) == 1
    assert [row[3:5] for row in rows_of(own, run.run_id)] == [(False, "Canceled")]


def test_an_end_that_was_seen_late_is_found_all_the_same(own):
    """Of two that end at once, the higher number may be seen first."""
    runs = [own.instance.create_run_for_job(_nothing) for _ in range(2)]
    own.instance.report_run_canceled(runs[0])
    with psycopg.connect(_dagster_url(), autocommit=True) as connection:
        hidden = "UPDATE event_logs SET dagster_event_type = %s WHERE run_id = %s AND dagster_event_type = %s"
        connection.execute(hidden, ["HIDDEN", runs[0].run_id, "PIPELINE_CANCELED"])
        own.instance.report_run_canceled(runs[1])
        assert measured(own) == 1
        connection.execute(hidden, ["PIPELINE_CANCELED", runs[0].run_id, "HIDDEN"])
    assert measured(own) == 1
    assert rows_of(own, runs[0].run_id)


def test_another_storage_is_read_from_its_beginning(own):
    """Its numbers begin anew, and are below the one that was noted."""
    run = own.instance.create_run_for_job(_nothing)
    own.instance.report_run_canceled(run)
    measured(own)
    with own.rooms.ledger.transaction() as connection:
        connection.execute("DELETE FROM job_metrics WHERE run_id = %s", [run.run_id])
        connection.execute("UPDATE job_metrics SET ended_event = 1000000000")
    assert position(own.rooms.ledger) == 1_000_000_000
    assert measured(own) == 1


def test_nothing_is_measured_while_its_line_cannot_be_written(own):
    """And all of it once there is room again."""
    run = own.instance.create_run_for_job(_nothing)
    own.instance.report_run_canceled(run)
    log = log_file(read_settings())
    log.mkdir()
    with pytest.raises(OSError, match="directory"):
        measured(own)
    assert rows_of(own, run.run_id) == []
    log.rmdir()
    assert measured(own) == 1


@pytest.mark.slow
def test_a_run_of_many_partitions_is_measured_in_seconds(own):
    """Of a hundred coins over a year, four assets: a row a step all the same."""
    run = own.run(*DAYS)
    with psycopg.connect(_dagster_url(), autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
            SELECT run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition
            FROM event_logs CROSS JOIN generate_series(1, 12166)
            WHERE run_id = %s AND dagster_event_type = 'ASSET_MATERIALIZATION'
            """,
            [run.run_id],
        )
    began = time.perf_counter()
    assert measured(own) == 1
    took_s = time.perf_counter() - began
    rows = rows_of(own, run.run_id)
    sys.stdout.write(f"a run that made {4 * rows[0][6]:,} partitions was measured in {took_s:.1f} s\n")
    assert len(rows) == 6
    assert rows[0][6] == 12_167 * 3


@dg.op
def _nothing_happens():
    pass


@dg.job(name="nothing")
def _nothing():
    _nothing_happens()


def _dagster_url():
    return os.environ["COINHTS_DAGSTER_POSTGRES_URL"].replace("+psycopg2", "")
