"""Metrics of jobs: each run that ended is measured, and how jobs do is shown every day.

What lives here: the sensor `on_ended_runs`, the asset `ops/job_metrics`, its job and its schedule. What to add: a check
of what was measured. What stays out: measuring (`measuring`), and what figures are (`coinhts_core.ops.job_metrics`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import accumulate

import dagster as dg
import polars as pl

from coinhts_core.backtests.report import as_image, svg_curves
from coinhts_core.clock import now
from coinhts_core.frames import Column, Schema
from coinhts_core.hashes import digest
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.ops.job_metrics import (
    LEAST_SUCCESS,
    LONG_S,
    TOO_LONG_S,
    Figures,
    Window,
    daily,
    errors,
    figures,
)
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.defs.requests import ANSWER_REQUESTS
from coinhts_pipeline.defs.strategies import REHEARSE_DAYS
from coinhts_pipeline.io_managers.blocks import Whole
from coinhts_pipeline.io_managers.lake import markdown
from coinhts_pipeline.measuring import measure
from coinhts_pipeline.resources import House
from coinhts_pipeline.rooms import Rooms
from coinhts_pipeline.verdicts import asset_body

PUBLISH_JOB_METRICS = "publish_job_metrics"
JOB_METRICS = Schema(
    "job_metrics",
    1,
    (
        Column("job", "text", meaning="whose runs ended in the last 30 days"),
        Column("step", "text", meaning="of it, attempt by attempt; none stands for whole runs"),
        Column("count", "int", meaning="runs, or attempts of the step"),
        Column("succeeded", "int", meaning="of them did well"),
        Column("success_rate", "float", meaning="succeeded in parts of count"),
        Column("p50_s", "float", meaning="half of them took so many seconds at most"),
        Column("p95_s", "float", meaning="95 of 100 took so many seconds at most"),
        Column("p99_s", "float", meaning="99 of 100 took so many seconds at most"),
        Column("rows_made", "int", nullable=True, meaning="by all of them, where it was told"),
        Column("rows_per_s", "float", nullable=True, meaning="rows made, by the time of those that told"),
        Column("succeeded_at", "time", nullable=True, meaning="when the last that did well ended, UTC"),
    ),
)
_KEY = dg.AssetKey(["ops", "job_metrics"])
_SHOWN_DAYS = timedelta(days=30)
_A_DAY = timedelta(days=1)
_UNBOUNDED = {ANSWER_REQUESTS, REHEARSE_DAYS}  # which take as long as what they are asked for
_CURVES = 6
_LEAST_MS = 1.0  # so that changes in parts can be told

Results = Iterator[dg.Output[Whole] | dg.AssetCheckResult]


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup
    publish_job_metrics = dg.define_asset_job(
        PUBLISH_JOB_METRICS,
        dg.AssetSelection.assets(_KEY),
        description="Shows how often jobs did well in the last 30 days, and how long they took.",
    )
    return dg.Definitions(
        assets=[job_metrics],
        jobs=[publish_job_metrics],
        schedules=[publish_job_metrics_daily],
        sensors=[on_ended_runs],
    )


@dg.sensor(
    description="Each run that ended is measured once, step by step, whoever executed it and however it ended.",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def on_ended_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    del context
    settings = read_settings()
    with Rooms.open(settings) as rooms:
        count = measure(rooms.ledger, settings)
    return dg.SkipReason(f"runs measured: {count}")


@dg.schedule(
    job_name=PUBLISH_JOB_METRICS,
    cron_schedule="40 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="How jobs did, after the day's work (09:40 KST).",
)
def publish_job_metrics_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())


@dg.asset(
    key=_KEY,
    description="How often each job and step ran in the last 30 days, how often it did well, and how long it took.",
    group_name="ops",
    kinds={"parquet", "postgres"},
    code_version="1",
    io_manager_key="lake",
    tags={"measures": "jobs"},
    metadata=described(JOB_METRICS.columns),
    check_specs=[
        dg.AssetCheckSpec(
            "jobs_succeed",
            asset=_KEY,
            description="Of the runs of each job that ended in the last day, 95 of 100 did well.",
        ),
        dg.AssetCheckSpec(
            "jobs_are_quick",
            asset=_KEY,
            description="Of each job that is not asked for more, 95 of 100 runs of the last day took a minute at most.",
        ),
    ],
)
@asset_body
def job_metrics(house: House) -> Results:
    rooms, at = house.rooms, now()
    replaces = rooms.lake.number_of_whole("ops/job_metrics")
    measure(rooms.ledger, read_settings())
    shown, lately = Window(at - _SHOWN_DAYS, at), Window(at - _A_DAY, at)
    of_runs, of_steps = figures(rooms.ledger, shown), figures(rooms.ledger, shown, by_step=True)
    rows = DayRows.of(JOB_METRICS, table([*of_runs, *of_steps]))
    whole = Whole(rows, replaces, digest(rows.entry.content_hash), preview=_in_words(of_runs))
    yield whole.output({"history": dg.MetadataValue.md(_drawn(daily(rooms.ledger, shown)))})
    yield from _checked(figures(rooms.ledger, lately), errors(rooms.ledger, lately))


def table(found: Sequence[Figures]) -> pl.DataFrame:
    if not found:
        return JOB_METRICS.empty()
    return JOB_METRICS.judge(pl.DataFrame([of.facts for of in found], infer_schema_length=None))


def _checked(found: Sequence[Figures], failed_of: Mapping[str, Mapping[str, int]]) -> Iterator[dg.AssetCheckResult]:
    failing = {
        of.job: f"{of.count - of.succeeded} of {of.count}: {_named(failed_of.get(of.job, {}))}"
        for of in found
        if of.success_rate < LEAST_SUCCESS
    }
    yield dg.AssetCheckResult(
        check_name="jobs_succeed",
        passed=not failing,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{', '.join(failing)} failed too often" if failing else "jobs did well",
        metadata=failing,
    )
    slow = {of.job: of.p95_s for of in found if of.job not in _UNBOUNDED and of.p95_s > LONG_S}
    worst = [job for job, p95_s in slow.items() if p95_s > TOO_LONG_S]
    yield dg.AssetCheckResult(
        check_name="jobs_are_quick",
        passed=not slow,
        severity=dg.AssetCheckSeverity.WARN,
        description=_slowness(slow, worst) if slow else "no job took longer than it may",
        metadata=slow,
    )


def _slowness(slow: Mapping[str, float], worst: Sequence[str]) -> str:
    beyond = f", {', '.join(worst)} even {TOO_LONG_S:.0f} s" if worst else ""
    return f"{', '.join(slow)} took longer than {LONG_S:.0f} s{beyond}"


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count} times" if count > 1 else name for name, count in counts.items())


def _in_words(found: Sequence[Figures]) -> str:
    """Whole runs, the slowest first."""
    slowest = sorted(found, key=lambda of: -of.p95_s)
    rows = [
        [of.job, of.count, f"{of.success_rate:.1%}", *(f"{of_s:,.2f} s" for of_s in (of.p50_s, of.p95_s, of.p99_s))]
        for of in slowest
    ]
    columns = ["job", "runs", "did well", "p50", "p95", "p99"]
    return markdown(pl.DataFrame(rows, schema=columns, orient="row")) if rows else "no run was measured yet"


def _drawn(found: Mapping[str, Mapping[date, float]]) -> str:
    """The jobs that took longest, day by day; on a day without a run a curve stays where it was."""
    slowest = sorted(found, key=lambda job: -max(found[job].values()))[:_CURVES]
    days = sorted({day for job in slowest for day in found[job]})
    if not days:
        return "no run was measured yet"
    title = "milliseconds that 95 of 100 runs took at most, day by day"
    curves = {job: _course(found[job], days) for job in slowest}
    return as_image(svg_curves(curves, title, (str(days[0]), str(days[-1]))), title)


def _course(p95_s: Mapping[date, float], days: Sequence[date]) -> list[float]:
    first = next(p95_s[day] for day in days if day in p95_s)
    carried = accumulate(
        (p95_s.get(day) for day in days), lambda before, of: before if of is None else of, initial=first
    )
    return [max((of_s or 0.0) * 1_000, _LEAST_MS) for of_s in carried][1:]
