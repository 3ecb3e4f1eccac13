from base64 import b64decode
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest

from coinhts_core.clock import now
from coinhts_core.ops.job_metrics import Measured, keep
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.defs import metrics

_ASSET = "ops/job_metrics"


@pytest.fixture
def own(house):
    """Give the module's installation with nothing measured."""
    with house.rooms.ledger.transaction() as connection:
        connection.execute("TRUNCATE job_metrics")
    return house


@pytest.fixture
def staged(own, monkeypatch):
    """Give it with nothing measured but what a test keeps itself."""
    monkeypatch.setattr(metrics, "measure", lambda *_: 0)
    return own


def ran(house, job, took_s, error_class=None, *, ago=timedelta(hours=1), step=""):
    ended_at = now() - ago
    began_at = ended_at - timedelta(seconds=took_s)
    row = Measured(str(uuid4()), job, step, 1, began_at, ended_at, error_class, 100, 1, 1)
    keep(house.rooms.ledger, [row], lambda _: None)


def published(house):
    result = house.run(job="publish_job_metrics")
    assert result.success
    return house.checks(result), house.events(_ASSET)[-1].metadata


def test_before_anything_ran_the_asset_says_so(staged):
    """An empty table, and checks that have nothing against it."""
    checks, shown = published(staged)
    assert staged.rooms.lake.read_whole(_ASSET).height == 0
    assert shown["preview"].value == shown["history"].value == "no run was measured yet"
    assert all(check.passed for check in checks.values())


def test_figures_are_stored_and_shown(staged):
    """Runs and steps in the lake; runs as a table, the slowest first, and curves over the days."""
    for took_s, ago in ((1.0, 2), (3.0, 1)):
        ran(staged, "refresh_markets", took_s, ago=timedelta(days=ago))
    ran(staged, "back_up", 20.0)
    ran(staged, "back_up", 19.0, step="take")
    ran(staged, "back_up", 999.0, ago=timedelta(days=31))
    _, shown = published(staged)
    rows = staged.rooms.lake.read_whole(_ASSET)
    assert rows.select("job", "step", "count", "p50_s", "rows_per_s").rows() == [
        ("back_up", "", 1, 20.0, 5.0),
        ("refresh_markets", "", 2, 2.0, 50.0),
        ("back_up", "take", 1, 19.0, pytest.approx(100 / 19)),
    ]
    lines = shown["preview"].value.splitlines()
    assert lines[2:] == [
        "| back_up | 1 | 100.0% | 20.00 s | 20.00 s | 20.00 s |",
        "| refresh_markets | 2 | 100.0% | 2.00 s | 2.90 s | 2.98 s |",
    ]
    assert shown["history"].value.startswith("![milliseconds that 95 of 100 runs took at most")


def test_a_curve_stays_where_it_was_on_a_day_without_a_run():
    """So that curves of different jobs stand over the same days, which are those that had any run."""
    first, second, third = (date(2026, 2, day) for day in (1, 3, 4))
    assert metrics._course({second: 2.0}, [first, second, third]) == [2_000.0] * 3
    assert metrics._course({first: 0.0, third: 3.0}, [first, second, third]) == [1.0, 1.0, 3_000.0]
    drawn = metrics._drawn({"a": {first: 1.0}, "b": {second: 2.0, third: 1.0}})
    svg = b64decode(drawn.partition("base64,")[2].rstrip(")")).decode()
    assert "2026-02-01" in svg
    assert "2026-02-04" in svg


def test_a_job_that_fails_too_often_is_a_warning(staged):
    """It says of what; a day later it is no news."""
    for error_class in (None, "RefusedRowError", "RefusedRowError", "ProcessGone"):
        ran(staged, "back_up", 1.0, error_class)
    ran(staged, "drill_backup", 1.0, "RefusedRowError", ago=timedelta(hours=25))
    check = published(staged)[0]["jobs_succeed"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert {name: of.value for name, of in check.metadata.items()} == {
        "back_up": "3 of 4: RefusedRowError 2 times, ProcessGone"
    }


def test_a_job_that_takes_long_is_a_warning(staged):
    """Beyond a minute, and it says so beyond two; what takes as long as what it is asked for is left alone."""
    for job, took_s in (
        ("back_up", 61.0),
        ("drill_backup", 121.0),
        ("refresh_markets", 60.0),
        ("rehearse_days", 999.0),
    ):
        ran(staged, job, took_s)
    check = published(staged)[0]["jobs_are_quick"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "back_up, drill_backup took longer than 60 s, drill_backup even 120 s"


def test_the_sensor_measures_what_ended(own):
    """The run of a tick before is measured by the next, once; so is this asset's own."""
    sensor = defs().get_repository_def().get_sensor_def("on_ended_runs")

    def ticked():
        with dg.build_sensor_context(instance=own.instance) as context:
            return sensor.evaluate_tick(context).skip_message

    ticked()
    own.run(job="publish_job_metrics")
    assert ticked() == "runs measured: 1"
    assert ticked() == "runs measured: 0"


def test_every_day_it_is_shown_once():
    """However often a tick is tried again."""
    schedule = defs().get_repository_def().get_schedule_def("publish_job_metrics_daily")
    at = datetime(2026, 2, 1, 0, 40, tzinfo=UTC)
    with dg.build_schedule_context(scheduled_execution_time=at) as context:
        keys = [schedule.evaluate_tick(context).run_requests[0].run_key for _ in range(2)]
    assert keys == [at.isoformat()] * 2
