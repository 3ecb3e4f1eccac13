import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import PROJECT
from coinhts_pipeline.io_managers.lake import lake_io_manager

# What a reviewer reads: rooms, jobs and their times. Strategies are discovered, so their names collapse to *.
SHAPE = """
backtests/*
backups/drill
backups/lake
backups/ledger
candles/day
candles/minute
leaderboard
markets
ops/benchmarks
ops/health
ops/job_metrics
performance/*
positions/*
requests/results
signals/*
job answer_requests
job back_up
job cancel_request
job collect_day_candles
job drill_backup
job look_after_daily
job look_after_weekly
job look_at_backups
job publish_benchmarks
job publish_health
job publish_job_metrics
job publish_performance
job refresh_markets
job rehearse_days
job retry_request
job submit_request
schedule back_up_daily 0 4 * * *
schedule collect_day_candles_daily 7 0 * * *
schedule drill_backup_daily 30 4 * * *
schedule drill_older_backup_weekly 50 4 * * 0
schedule look_after_daily 20 5 * * *
schedule look_after_weekly 40 5 * * 0
schedule look_at_backups_twice_daily 15 6,18 * * *
schedule publish_job_metrics_daily 40 0 * * *
schedule refresh_markets_daily 5 0 * * *
schedule rehearse_days_daily 10 0 * * *
schedule revisit_recent_days_daily 0 3 * * *
sensor on_alert 30 s
sensor on_answering_canceled 5 s
sensor on_answering_failed 5 s
sensor on_backtest_request 1 s
sensor on_backtests_changed 60 s
sensor on_drawdown 60 s
sensor on_ended_runs 30 s
sensor on_failed_check 30 s
sensor on_health 600 s
sensor on_missing_candles 300 s
sensor on_new_market 600 s
sensor on_new_signal 60 s
sensor on_run_failure 30 s
sensor on_stale_chain 60 s
"""
DAILY = {"candles/minute", "signals/*", "backtests/*", "positions/*"}


@pytest.fixture(scope="module")
def repository():
    return defs().get_repository_def()


@pytest.fixture(scope="module")
def nodes():
    graph = defs().resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


def collapsed(key):
    return re.sub(r"^(signals|backtests|positions|performance)/.*", r"\1/*", key)


def test_the_shape_of_the_house(repository, nodes):
    """Keys, jobs, cadences: a change here is a change that people see."""
    jobs = [f"job {job.name}" for job in repository.get_all_jobs() if not job.name.startswith("__")]
    schedules = [f"schedule {of.name} {of.cron_schedule}" for of in repository.schedule_defs]
    sensors = [f"sensor {of.name} {of.minimum_interval_seconds} s" for of in repository.sensor_defs]
    found = [*sorted(set(map(collapsed, nodes))), *sorted(jobs), *sorted(schedules), *sorted(sensors)]
    assert "\n".join(found) == SHAPE.strip()


def test_definitions_load_without_a_server_or_a_network(monkeypatch, tmp_path):
    """Nothing is opened, asked or made; not even the home."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COINHTS_POSTGRES_URL", "postgresql://nobody@192.0.2.1/nowhere")

    def refused(*_):
        pytest.fail("definitions ask the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    dg.Definitions.validate_loadable(defs())
    assert not (tmp_path / "home").exists()


def test_every_asset_tells_its_story(nodes):
    """A person finds what it is, where it belongs, whose it is, how it is stored, and which code made it."""
    for key, node in nodes.items():
        assert node.description, key
        assert node.group_name not in {None, "default"}, key
        assert node.owners == ["team:coinhts"], key
        assert node.kinds, key
        assert node.code_version, key
        assert node.check_keys, f"{key} has no check"


def test_every_asset_is_stored_by_one_of_our_own(nodes):
    """No pickle anywhere: each names lake or ledger, and even the default is the lake."""
    assert {node.io_manager_key for node in nodes.values()} == {"lake", "ledger"}
    assert defs().resources["io_manager"] is lake_io_manager


def test_what_shares_a_run_shares_its_partitions_and_its_policy(nodes):
    """Otherwise Dagster would cut a block's run into pieces."""
    daily = [node for key, node in nodes.items() if collapsed(key) in DAILY]
    assert {collapsed(node.key.to_user_string()) for node in daily} == DAILY
    assert len({node.partitions_def for node in daily}) == 1
    assert {node.backfill_policy for node in daily} == {dg.BackfillPolicy.single_run()}


def test_everything_that_starts_runs_says_why(repository):
    """In the UI nobody has to read code to learn what a job, a sensor or a schedule is for."""
    found = [*repository.get_all_jobs(), *repository.sensor_defs, *repository.schedule_defs]
    silent = [of.name for of in found if not of.description and not of.name.startswith("__")]
    assert silent == []


def test_schedules_and_sensors_run_from_the_start(repository):
    """A house that is up does its daily work without a click."""
    assert {of.default_status for of in repository.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}
    assert {of.default_status for of in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}
    assert {of.execution_timezone for of in repository.schedule_defs} == {"UTC"}


def test_no_resource_shows_a_secret(monkeypatch, tmp_path):
    """The UI prints what a resource is configured with."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    monkeypatch.setenv("COINHTS_POSTGRES_URL", "postgresql://trader:hush@localhost/coinhts")
    shown = [f"{name} {getattr(of, 'config_schema', '')} {of}" for name, of in defs().resources.items()]
    assert "hush" not in "".join(shown)


def test_dagsters_own_check_passes(tmp_path):
    """`dg check defs` is what its users trust."""
    program = shutil.which("dg", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(
        [program, "check", "defs"],
        cwd=PROJECT,
        env={**os.environ, "COINHTS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
