"""Requests: what people asked for is claimed, answered, and told; sensors in place of a job queue.

What lives here: `requests/results`, a partition a request; the sensor that claims, those that settle what a dead run
left, and jobs whose forms submit, cancel and retry. What stays out: the queue (`coinhts_core.requests.desk`), the loop
(`requests.run`), and the computing (`requests.worker`).

Whatever Dagster does twice, or forgets, changes nothing: a request is claimed by one conditional statement, and settled
by whoever holds the claim.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from pydantic import Field

from coinhts_core.alerts.alert import Alert
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.clock import now
from coinhts_core.errors import UnknownResultError
from coinhts_core.lineup import Entry
from coinhts_core.requests.desk import Desk, Filter, Standing, State
from coinhts_core.requests.reception import Reception
from coinhts_core.results.frames import SUMMARY
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.requests.pool import Limits, Pool
from coinhts_pipeline.requests.run import LASTS_S, MOST_AT_ONCE, Answering
from coinhts_pipeline.resources import House
from coinhts_pipeline.rooms import Rooms
from coinhts_pipeline.verdicts import asset_body, told_to_dagster

ANSWER_REQUESTS = "answer_requests"
REQUESTS = dg.DynamicPartitionsDefinition(name="request")
WORKER = "coinhts/worker"
_KEY = dg.AssetKey(["requests", "results"])
_STEP = "requests__results"
_RUNNING = dg.DefaultSensorStatus.RUNNING
_FIRST = {"dagster/priority": "10"}
_UNBEGUN = {
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
}
_UNFINISHED = [*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]
_TOLD_BY_ITS_RUN = timedelta(seconds=60)
answer_requests = dg.define_asset_job(
    ANSWER_REQUESTS, dg.AssetSelection.assets(_KEY), description="Answers what was asked for, in processes of its own."
)
_FIGURES = ("total_return", "max_drawdown", "sharpe", "trades")


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup
    return dg.Definitions(
        assets=[results],
        jobs=[answer_requests, submit_request, cancel_request, retry_request],
        sensors=[on_backtest_request, on_answering_failed, on_answering_canceled],
    )


class Answer(dg.Config):
    """How a run answers."""

    worker: str = Field(default="", description="whose claims it takes over; the sensor names them")
    processes: int = Field(default=0, ge=0, le=64, description="at once; as many as there are processors when 0")
    seconds: int = Field(default=Limits.seconds, ge=1, le=86_400, description="that one request may take")
    memory_mb: int = Field(default=Limits.memory_mb, ge=64, le=1_048_576, description="that one request may take")
    lingers_s: float = Field(default=60.0, ge=0, le=600, description="that it stays for more when nothing waits")


@dg.asset(
    key=_KEY,
    description="What people asked for: a backtest, a sweep or a walk-forward a partition, kept on the shelf.",
    group_name="requests",
    kinds={"parquet", "postgres"},
    partitions_def=REQUESTS,
    code_version="1",
    io_manager_key="lake",
    output_required=False,
    tags={"answers": "requests"},
    metadata=described(SUMMARY.columns),
    check_specs=[
        dg.AssetCheckSpec(
            "every_claim_is_settled",
            asset=_KEY,
            description="Whatever a run began has come to an end, or waits to be tried again.",
        )
    ],
)
@asset_body
def results(context: dg.AssetExecutionContext, config: Answer, house: House) -> Iterator[dg.AssetCheckResult]:
    rooms, desk = house.rooms, Desk(house.rooms.ledger)
    worker = config.worker or context.run.run_id
    if context.has_partition_key:
        _begin_again(context, rooms, desk, context.partition_key)
    limits = Limits(config.seconds, config.memory_mb)
    with Pool(config.processes or len(os.sched_getaffinity(0)), limits) as pool:
        for of in Answering(desk, pool, worker, config.lingers_s).settled():
            context.log.info("request %s is %s%s", of.claim.id, of.state, f": {of.reason}" if of.reason else "")
            if of.state == "completed":
                _tell_dagster(context.instance, rooms, desk, desk.find(of.claim.id), context)
    left = desk.claims(worker)
    yield dg.AssetCheckResult(
        check_name="every_claim_is_settled",
        passed=not left,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(left)} are not" if left else "each is",
        metadata={"requests": [of.id for of in left]},
    )


def _begin_again(context: dg.AssetExecutionContext, rooms: Rooms, desk: Desk, name: str) -> None:
    """Materialising a request by hand begins it once more, or tells again what it came to."""
    standing = desk.find(name)
    if standing.state in {"failed", "cancelled", "dead"}:
        desk.retry(standing.id, now())
    elif standing.state == "completed":
        _tell_dagster(context.instance, rooms, desk, standing, context)


def _tell_dagster(
    instance: dg.DagsterInstance,
    rooms: Rooms,
    desk: Desk,
    standing: Standing,
    context: dg.AssetExecutionContext | None = None,
) -> None:
    """One materialisation, whichever run or sensor tells it first; told twice it says the same."""
    instance.add_dynamic_partitions(REQUESTS.name or "", [standing.id])
    event = dg.AssetMaterialization(_KEY, partition=standing.id, metadata=_metadata(rooms, standing))
    if context:
        context.log_event(event)
    else:
        instance.report_runless_asset_event(event)
    desk.note_told(standing.id, "completed")


def _metadata(rooms: Rooms, standing: Standing) -> dict[str, Any]:
    try:
        kept = Shelf(rooms.ledger, rooms.lake).find(standing.id)
    except UnknownResultError:  # retention took it meanwhile
        return {"request": standing.kind, "strategy": standing.strategy}
    figures = {name: kept.metrics[name] for name in _FIGURES if kept.metrics.get(name) is not None}
    page = f"requests/{standing.id}.html"
    has_page = (rooms.settings.reports_folder / page).is_file()
    return {
        "request": standing.kind,
        "strategy": standing.strategy,
        "symbols": ", ".join(standing.asked.get("symbols", [])),
        "days": f"{standing.asked.get('start_date')} to {standing.asked.get('end_date')}",
        **figures,
        "result": dg.MetadataValue.url(f"/api/backtests/{standing.id}/result"),
        **({"tearsheet": dg.MetadataValue.url(f"/reports/{page}")} if has_page else {}),
    }


@dg.sensor(
    job_name=ANSWER_REQUESTS,
    description="Requests that wait are claimed and answered by a run; those whose run died wait again.",
    minimum_interval_seconds=1,
    default_status=_RUNNING,
)
def on_backtest_request(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    at, settings = now(), read_settings()
    runs = context.instance.get_run_records(dg.RunsFilter(job_name=ANSWER_REQUESTS, statuses=_UNFINISHED))
    with Rooms.open(settings) as rooms:
        desk = Desk(rooms.ledger)
        desk.keep_waiting([_worker(of.dagster_run) for of in runs if of.dagster_run.status in _UNBEGUN], at)
        desk.requeue_orphans(at)
        _tell(context.instance, rooms, desk, settings, at)
        if any(of.create_timestamp > at - timedelta(seconds=LASTS_S) for of in runs):
            return dg.SkipReason("a run is answering, and takes what waits")
        worker = uuid4().hex
        claims = desk.claim(MOST_AT_ONCE, worker, at)
    if not claims:
        return dg.SkipReason("nothing waits")
    return dg.RunRequest(
        run_key=worker,
        run_config={"ops": {_STEP: {"config": {"worker": worker}}}},
        tags={WORKER: worker, **_FIRST},
    )


def _tell(instance: dg.DagsterInstance, rooms: Rooms, desk: Desk, settings: Settings, at: datetime) -> None:
    """What died between an end and its telling is told now; who was told already is told no more."""
    for standing in desk.untold("completed", at - _TOLD_BY_ITS_RUN):
        _tell_dagster(instance, rooms, desk, standing)
    dead = desk.untold("dead", at)
    if dead:
        outbox = Outbox.open(rooms.ledger, settings)
        for standing in dead:
            title = f"a {standing.kind} of {standing.strategy} was given up"
            body = f"{standing.error}\n`coinhts backtest retry {standing.id[:12]}` begins it again"
            outbox.raise_alert(Alert(f"request {standing.id}", "error", title, body), at)
            desk.note_told(standing.id, "dead")


@dg.run_failure_sensor(
    description="What a run that died was answering waits again at once.",
    minimum_interval_seconds=5,
    default_status=_RUNNING,
    monitored_jobs=[answer_requests],
)
def on_answering_failed(context: dg.RunFailureSensorContext) -> None:
    with Rooms.open(read_settings()) as rooms:
        Desk(rooms.ledger).requeue_orphans(now(), gone=[_worker(context.dagster_run)])


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.CANCELED,
    description="Whoever stops a run by hand wants what it was answering to stop.",
    minimum_interval_seconds=5,
    default_status=_RUNNING,
    monitored_jobs=[answer_requests],
)
def on_answering_canceled(context: dg.RunStatusSensorContext) -> None:
    with Rooms.open(read_settings()) as rooms:
        Desk(rooms.ledger).cancel_claims(_worker(context.dagster_run), now())


def _worker(run: dg.DagsterRun) -> str:
    return run.tags.get(WORKER, run.run_id)


class Asked(dg.Config):
    """The form of a request; what is left out is as the command leaves it out."""

    kind: Literal["backtest", "sweep", "walkforward"] = Field(default="backtest", description="what is asked for")
    strategy: str = Field(default="sma_cross", description="a strategy, or a set of knobs of the lineup")
    params: dict[str, Any] = Field(default={}, description="its knobs")
    symbols: list[str] = Field(default=[], description="such as KRW-BTC; all that are followed when none is named")
    start_date: str | None = Field(default=None, description="such as 2026-01-01, UTC")
    end_date: str | None = Field(default=None, description="such as 2026-01-31, UTC; included")
    timeframe: str | None = Field(default=None, description="1m to 1w")
    mode: Literal["account", "study"] = Field(default="account", description="one account, or each signal by itself")
    account: dict[str, Any] = Field(default={}, description="cash, fee_rate, stop_loss and so on")
    grid: dict[str, Any] = Field(default={}, description="of a sweep: a list of values by knob")
    samples: int | None = Field(default=None, description="of a sweep: so many combinations, by chance")
    seed: int | None = Field(default=None, description="of a sweep: of the chance")
    folds: int | None = Field(default=None, description="of a walk-forward: windows")
    ratio: float | None = Field(default=None, description="of a walk-forward: days to choose in, for each unseen one")
    anchored: bool | None = Field(default=None, description="of a walk-forward: choose in all days before")
    by: str | None = Field(default=None, description="of a walk-forward: the figure that is chosen by")


class Named(dg.Config):
    """The form of what is done with a request."""

    id: str = Field(default="", description="the request's id, or its first letters; without one those are named")


@dg.op(description="Puts a request into the queue; the same again is the same.")
def submit(context: dg.OpExecutionContext, config: Asked, house: House) -> None:
    rooms = house.rooms
    asked = {name: value for name, value in config.model_dump(mode="json").items() if value not in (None, [], {})}
    with told_to_dagster():
        standing = Reception(rooms.settings, rooms.ledger, rooms.lake).submit(asked, now())
    context.log.info("request %s is %s", standing.id, standing.state)


@dg.op(description="Stops a request for good, whether it waits or is being answered.")
def cancel(context: dg.OpExecutionContext, config: Named, house: House) -> None:
    desk = Desk(house.rooms.ledger)
    with told_to_dagster():
        if config.id:
            context.log.info("request %s is cancelled", desk.cancel(config.id, now()).id)
        else:
            context.log.info("nothing is named; these can be cancelled: %s", _named(desk, "queued", "running"))


@dg.op(description="Begins a request that failed, died or was cancelled once more.")
def retry(context: dg.OpExecutionContext, config: Named, house: House) -> None:
    desk = Desk(house.rooms.ledger)
    with told_to_dagster():
        if config.id:
            context.log.info("request %s waits again", desk.retry(config.id, now()).id)
        else:
            context.log.info("nothing is named; these can begin again: %s", _named(desk, "failed", "dead", "cancelled"))


def _named(desk: Desk, *states: State) -> str:
    return ", ".join(of.id for state in states for of in desk.listed(Filter(state=state))) or "none"


@dg.job(description="Ask for a backtest, a sweep or a walk-forward: fill in the form of the launchpad.")
def submit_request() -> None:
    submit()


@dg.job(description="Stop a request, be it waiting or at work.")
def cancel_request() -> None:
    cancel()


@dg.job(description="Begin a request once more that failed, died or was cancelled.")
def retry_request() -> None:
    retry()
