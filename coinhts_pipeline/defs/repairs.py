"""Repairs: days of candles that are missing are asked for again, and the newest are looked at twice.

What lives here: the sensor for missing days, with its patience, and the schedule that looks for late revisions. What
stays out: asking and judging (`candles`), the daily extension (`strategies`), and repair by hand (`data`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from coinhts_core.candles.coverage import State
from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.hashes import digest
from coinhts_core.inventory import take_inventory
from coinhts_core.lineup import Entry
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.defs.strategies import REHEARSE_DAYS
from coinhts_pipeline.partitions import days_by_symbol, partition_key, range_runs
from coinhts_pipeline.rooms import Rooms

MOST_A_TICK = 120  # symbol-days; of Upbit, about a thousand calls
_FIRST_WAIT = timedelta(minutes=10)
_LONGEST_WAIT = timedelta(days=1)
_DAILY_RUN_IS_OVER = 1  # o'clock UTC: until then the newest day is the schedule's
_DAYS_REVISITED = 2
_WELL = {State.TRADED, State.NO_TRADE, State.NOT_LISTED}
_UNFINISHED = [*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]
_REFRESH = {"ops": {"candles__minute": {"config": {"refresh": True}}}}


@dataclass
class Patience:
    """The sensor's cursor: when holes were first seen, how often each day was asked for again, and when it may be next.

    Only days that are still missing are remembered. `last` are those asked for at the last round.
    """

    since: datetime | None = None
    asked: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    last: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        facts = json.loads(cursor or "{}")
        since = facts.get("since")
        asked = {key: (tries, datetime.fromisoformat(at)) for key, (tries, at) in facts.get("asked", {}).items()}
        return cls(datetime.fromisoformat(since) if since else None, asked, facts.get("last", []))

    def written(self) -> str:
        asked = {key: (tries, at.isoformat()) for key, (tries, at) in self.asked.items()}
        return json.dumps({"since": self.since and self.since.isoformat(), "asked": asked, "last": self.last})

    def tries(self, key: str) -> int:
        return self.asked.get(key, (0, None))[0]

    def seen(self, missing: Iterable[str], moment: datetime) -> "Patience":
        """What is missing at this moment; what was mended is forgotten."""
        keys = set(missing)
        asked = {key: of for key, of in self.asked.items() if key in keys}
        return Patience((self.since or moment) if keys else None, asked, self.last)

    def chosen(self, missing: Iterable[str], moment: datetime) -> list[str]:
        """The days to ask for now: those asked least often first, then the oldest.

        Nothing for the first while, since somebody may be at work; and as long as nothing that was asked for last
        came, one day alone, to see whether the exchange is back.
        """
        if self.since is None or moment < self.since + _FIRST_WAIT:
            return []
        due = [key for key in missing if key not in self.asked or self.asked[key][1] <= moment]
        is_down = bool(self.last) and all(key in self.asked for key in self.last)
        return sorted(due, key=lambda key: (self.tries(key), key))[: 1 if is_down else MOST_A_TICK]

    def after(self, chosen: Iterable[str], moment: datetime) -> "Patience":
        """Each day waits twice as long as the time before, at most a day."""
        waits = {key: min(_FIRST_WAIT * 2 ** min(self.tries(key), 10), _LONGEST_WAIT) for key in chosen}
        asked = {key: (self.tries(key) + 1, moment + wait) for key, wait in waits.items()}
        return Patience(self.since, self.asked | asked, list(asked))


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup
    return dg.Definitions(schedules=[revisit_recent_days_daily], sensors=[on_missing_candles])


@dg.sensor(
    job_name=REHEARSE_DAYS,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Days that were never asked for, not answered, or answered badly are asked for again, with patience.",
)
def on_missing_candles(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    if context.instance.get_runs_count(dg.RunsFilter(job_name=REHEARSE_DAYS, statuses=_UNFINISHED)):
        return dg.SkipReason("a run is at work; what it leaves missing is looked at afterwards")
    moment = now()
    with Rooms.open(read_settings()) as rooms:
        if until := rooms.exchange.blocked_until():
            return dg.SkipReason(f"{rooms.exchange.name} blocked us until {until:%Y-%m-%d %H:%M:%S} UTC")
        missing = list(_missing(rooms, moment))
    patience = Patience.read(context.cursor).seen(missing, moment)
    chosen = patience.chosen(missing, moment)
    if not chosen:
        told = f"{len(missing)} symbol-days are missing; they wait for their turn" if missing else "no day is missing"
        return dg.SensorResult(skip_reason=told, cursor=patience.written())
    run_key = digest(f"{moment:%Y-%m-%d %H}", *(f"{patience.tries(key)} {key}" for key in chosen))
    requests = range_runs(days_by_symbol(chosen), context.instance, run_key)
    return dg.SensorResult(run_requests=list(requests), cursor=patience.after(chosen, moment).written())


@dg.schedule(
    job_name=REHEARSE_DAYS,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The two newest days are asked for once more: trades told late change their bars (12:00 KST).",
)
def revisit_recent_days_daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    last = last_complete_day(context.scheduled_execution_time)
    days = DayRange(last - timedelta(days=_DAYS_REVISITED - 1), last)
    with Rooms.open(read_settings()) as rooms:
        if not rooms.exchange.needs_network:
            yield dg.SkipReason(f"{rooms.exchange.name} never tells a day differently")
            return
        wanted = {of.symbol: [day for day in days if of.is_listed_on(day)] for of in rooms.active}
    requests = list(range_runs(wanted, context.instance, context.scheduled_execution_time.isoformat(), _REFRESH))
    yield from requests
    if not requests:
        yield dg.SkipReason("no symbol is listed on these days")


def _missing(rooms: Rooms, moment: datetime) -> Iterator[str]:
    """The partitions of active symbols without believable candles, from the anchor on."""
    last = last_complete_day(moment)
    if moment.hour < _DAILY_RUN_IS_OVER:
        last -= timedelta(days=1)
    for of in rooms.active:
        inventory = take_inventory(rooms.lake, rooms.ledger, of, DayRange(of.anchor, last))
        yield from (partition_key(of.symbol, day) for day, state in inventory.states.items() if state not in _WELL)
