"""Alerts: what happens in the pipeline that people are to be told, and the sensor that tells them.

What lives here: a sensor for each kind of news, and `on_alert`, which delivers. What to add: a sensor that raises an
alert. What stays out: keeping and sending alerts (`coinhts_core.alerts`).

Definitions are loaded by every process of Dagster's, so this is also where their logs learn what is secret.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._core.storage.tags import WILL_RETRY_TAG

from coinhts_core.alerts.alert import LEVELS, Alert, Level, moment
from coinhts_core.alerts.delivery import deliver, escalate, send_past_the_ledger
from coinhts_core.alerts.drawdown import fallen, level_of, newly_fallen, still_fallen
from coinhts_core.alerts.heartbeat import beat
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.alerts.sinks import open_sinks
from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.decided import Decided, decided_on
from coinhts_core.errors import NotStoredError, RetryableError
from coinhts_core.hashes import digest
from coinhts_core.lineup import Entry
from coinhts_core.masking import Mask
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.rooms import Rooms
from coinhts_pipeline.verdicts import reason_of

_A_DAY = timedelta(days=1)
_MOST_EVALUATIONS = 200  # looked at in one tick
_MOST_LINES = 20
_RUNNING = dg.DefaultSensorStatus.RUNNING
_log = logging.getLogger("coinhts.alerts")


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings
    sensors = [on_run_failure, on_failed_check, _on_new_signal(lineup), _on_drawdown(lineup), on_alert]
    return dg.Definitions(sensors=sensors)


@dg.run_failure_sensor(
    description="A run that failed for good is told, in the words of its step; an attempt that is tried again is not.",
    minimum_interval_seconds=30,
    default_status=_RUNNING,
    monitor_all_code_locations=True,
)
def on_run_failure(context: dg.RunFailureSensorContext) -> None:
    run = context.dagster_run
    if run.tags.get(WILL_RETRY_TAG) == "true":
        return
    failed = context.get_step_failure_events()
    step = failed[0].step_key if failed else "its start"
    reason = reason_of(failed[0]) if failed else context.failure_event.message or "no reason was given"
    web = read_settings().web
    lines = [reason, *_covered(run), f"http://{web.host}:{web.port}/runs/{run.run_id}"]
    title = f"run {run.job_name} failed in {step}"
    _tell(Alert(f"run {run.job_name} {step}", "error", title, "\n".join(lines)), now())


@dg.sensor(
    description="A check that says no is told with what it found; a mere warning once a day.",
    minimum_interval_seconds=30,
    default_status=_RUNNING,
)
def on_failed_check(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    records = _evaluations(context.instance, context.cursor)
    failed = {}
    for record in records if context.cursor else ():
        evaluation = record.event_log_entry.asset_check_evaluation
        if evaluation and not evaluation.passed:
            failed[evaluation.asset_key, evaluation.check_name] = evaluation
    if failed:
        settings = read_settings()
        with Rooms.open(settings) as rooms:
            outbox = Outbox.open(rooms.ledger, settings)
            for evaluation in failed.values():
                is_error = evaluation.severity == dg.AssetCheckSeverity.ERROR
                outbox.raise_alert(_of_check(evaluation), now(), quiet=None if is_error else _A_DAY)
    context.update_cursor(str(max((record.storage_id for record in records), default=context.cursor or 0)))
    return dg.SkipReason(f"{len(failed)} of {len(records)} evaluations said no")


def _on_new_signal(lineup: Mapping[str, Entry]) -> dg.SensorDefinition:
    keys = [dg.AssetKey(["signals", name]) for name in lineup]

    @dg.sensor(
        description="What enabled strategies decided on the newest day is told once; days gone by are no news.",
        minimum_interval_seconds=60,
        default_status=_RUNNING,
    )
    def on_new_signal(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        told = json.loads(context.cursor or "{}")
        newest = _newest(context.instance, keys)
        if newest == told.get("newest", 0.0):
            return dg.SkipReason("no day of signals has changed")
        settings = read_settings()
        day = last_complete_day(now())
        seen: dict[str, str] = told.get("last", {})
        with Rooms.open(settings) as rooms:
            outbox = Outbox.open(rooms.ledger, settings)
            symbols = [of.symbol for of in rooms.active]
            for entry in rooms.lineup.values():
                decided = decided_on(rooms.lake, entry, symbols, day)
                new = [of for of in decided if of.decided_at.isoformat() > seen.get(_name(of), "")]
                if new:
                    outbox.raise_alert(_of_signals(entry.name, new), now(), quiet=_A_DAY)
                    seen |= {_name(of): of.decided_at.isoformat() for of in new}
        context.update_cursor(json.dumps({"newest": newest, "last": seen}))
        return dg.SkipReason(f"looked at the signals of {day}")

    return on_new_signal


def _on_drawdown(lineup: Mapping[str, Entry]) -> dg.SensorDefinition:
    keys = [dg.AssetKey(["performance", name]) for name in lineup]

    @dg.sensor(
        description="A strategy that fell below a threshold under its highest is told once, until it has risen again.",
        minimum_interval_seconds=60,
        default_status=_RUNNING,
    )
    def on_drawdown(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        cursor = json.loads(context.cursor or "{}")
        newest = _newest(context.instance, keys)
        if newest == cursor.get("newest", 0.0):
            return dg.SkipReason("no performance was published")
        settings = read_settings()
        with Rooms.open(settings) as rooms:
            outbox = Outbox.open(rooms.ledger, settings)
            falls = {name: fallen(equity) for name, equity in _equity(rooms).items()}
            rules = outbox.government.now()
            levels = {name: level_of(fall, rules) for name, fall in falls.items()}
            news = newly_fallen(levels, cursor.get("told", {}))
            if news:
                outbox.raise_alert(_of_falls(falls, news), now())
        told = still_fallen(levels, cursor.get("told", {}))
        context.update_cursor(json.dumps({"newest": newest, "told": told}))
        return dg.SkipReason(f"{len(told)} of {len(falls)} have fallen")

    return on_drawdown


@dg.sensor(
    description="Alerts are delivered, each to each place once; once a day it says that it is alive.",
    minimum_interval_seconds=30,
    default_status=_RUNNING,
)
def on_alert(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    at, settings = now(), read_settings()
    with Rooms.open(settings) as rooms:
        outbox = Outbox.open(rooms.ledger, settings)
        if context.cursor != str(at.date()):
            alive = Alert("heartbeat", "info", "coinhts is alive", f"{len(rooms.active)} coins are followed")
            outbox.raise_alert(alive, at, quiet=timedelta(hours=12))
            context.update_cursor(str(at.date()))
        escalate(outbox, at)
        done = deliver(outbox, at)
    beat(settings, at)
    return dg.SkipReason(f"{done.sent} sent, {done.failed} failed")


def _tell(alert: Alert, at: datetime) -> None:
    """A run's failure comes by once: without a ledger it is sent all the same."""
    settings = read_settings()
    try:
        with Rooms.open(settings) as rooms:
            Outbox.open(rooms.ledger, settings).raise_alert(alert, at)
    except RetryableError as error:
        _log.warning("an alert goes past the ledger: %s", error)
        send_past_the_ledger(open_sinks(settings), Mask.of(settings), alert, at)


def _covered(run: dg.DagsterRun) -> list[str]:
    """The symbol-days of a range run."""
    ends = [run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end")]
    key = run.tags.get("dagster/partition")
    return [f"{ends[0]} to {ends[1]}"] if all(ends) else [key] if key else []


def _evaluations(instance: dg.DagsterInstance, cursor: str | None) -> Sequence[dg.EventLogRecord]:
    """Those after the cursor, oldest first; without one only the latest, for what was before is no news."""
    filtered = dg.EventRecordsFilter(
        event_type=DagsterEventType.ASSET_CHECK_EVALUATION, after_cursor=int(cursor) if cursor else None
    )
    store = instance.event_log_storage
    if cursor:
        return store.get_event_records(filtered, limit=_MOST_EVALUATIONS, ascending=True)
    return store.get_event_records(filtered, limit=1)


def _newest(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> float:
    events = [instance.get_latest_materialization_event(key) for key in keys]
    return max((event.timestamp for event in events if event), default=0.0)


def _of_check(evaluation: dg.AssetCheckEvaluation) -> Alert:
    asset = evaluation.asset_key.to_user_string()
    level: Level = "error" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning"
    found = [f"{name}: {value.value}" for name, value in evaluation.metadata.items()]
    lines = [evaluation.description or "", *_first(found)]
    key = f"check {asset} {evaluation.check_name}"
    return Alert(key, level, f"{asset}: not so that {evaluation.check_name.replace('_', ' ')}", "\n".join(lines))


def _of_signals(strategy: str, decided: Sequence[Decided]) -> Alert:
    lines = [f"{of.symbol} {of.side} at {of.price_krw:,.12g} KRW, {moment(of.decided_at)}" for of in decided]
    key = f"signals {strategy} {digest(*lines)[:16]}"
    count = f"{len(lines)} new signal{'' if len(lines) == 1 else 's'}"
    return Alert(key, "info", f"{strategy}: {count}", "\n".join(_first(lines)))


def _of_falls(falls: Mapping[str, float], news: Mapping[str, Level]) -> Alert:
    gravest = max(news.values(), key=LEVELS.index)
    lines = [f"{name} is {falls[name]:.1%} below its highest" for name in sorted(news, key=lambda of: -falls[of])]
    title = lines[0] if len(lines) == 1 else f"{lines[0]}, and {len(lines) - 1} more have fallen"
    return Alert(f"drawdown {digest(*lines, gravest)[:16]}", gravest, title, "\n".join(_first(lines)))


def _first(lines: Sequence[str]) -> list[str]:
    more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return [*lines[:_MOST_LINES], *more]


def _equity(rooms: Rooms) -> dict[str, list[float]]:
    """Equity at the end of each stored day, by strategy and coin."""
    last = last_complete_day(now())
    curves = {}
    for entry in rooms.lineup.values():
        for of in rooms.active:
            with suppress(NotStoredError):
                rows = rooms.lake.read(f"backtests/{entry.name}", of.symbol, of.anchor, last, ("equity_close_krw",))
                if rows.height:
                    curves[f"{entry.name} {of.symbol}"] = rows.sort("day")["equity_close_krw"].to_list()
    return curves


def _name(of: Decided) -> str:
    return f"{of.strategy} {of.symbol}"
