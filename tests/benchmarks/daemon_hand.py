"""A hand in the daemon's place: whatever runs by default is looked at when it is due, and what it asks for is executed.

What lives here: the moments of schedules and sensors in their order, a tick of each, and runs in this process. What
stays out: what happens to the house meanwhile (`month`), and everything that Dagster's daemon does beside.

The clock is moved by hand. It is that of this process alone: PostgreSQL's and the file system's go on as ever, so the
times of files are set after each moment, and a step that waits to be tried again moves the clock instead of waiting.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import time_machine
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.execution.plan import active
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster._utils.schedules import schedule_execution_time_iterator

from coinhts_core.clock import now
from coinhts_pipeline.verdicts import reason_of

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_LAST = "on_alert"  # delivers what the others raised
_A_MOMENT = timedelta(seconds=1)
_AFTER_WORK = timedelta(minutes=90)  # the day's work begins at midnight UTC
_WRITTEN_ONCE = ("lake", "backups/objects")  # of a home: their files are made and removed, never changed


@dataclass(frozen=True)
class Note:
    """What was done at a moment, how it ended, and how many real seconds it took."""

    at: datetime
    kind: str
    name: str
    outcome: str
    said: str = ""
    took_s: float = 0.0


@dataclass
class Hand:
    """What the daemon remembers: cursors, and keys of runs that were begun."""

    instance: dg.DagsterInstance
    repository: dg.RepositoryDefinition
    clock: time_machine.Traveller
    note: Callable[[Note], None]
    cursors: dict[str, str | None] = field(default_factory=dict)
    begun: set[tuple[str, str]] = field(default_factory=set)

    @property
    def schedules(self) -> list[dg.ScheduleDefinition]:
        running = dg.DefaultScheduleStatus.RUNNING
        return [of for of in self.repository.schedule_defs if of.default_status is running]

    @property
    def sensors(self) -> list[dg.SensorDefinition]:
        """Those that ask for runs first, then those that look at what came of them."""
        running = [of for of in self.repository.sensor_defs if of.default_status is dg.DefaultSensorStatus.RUNNING]
        return sorted(running, key=lambda of: (of.name == _LAST, not of.has_jobs, of.name))

    def moments(self, first: datetime, last: datetime, rounds: timedelta) -> Iterator[tuple[datetime, str]]:
        """Every moment of a schedule by its name, and rounds of all sensors, which have none."""
        looks = ((first + _AFTER_WORK + rounds * turn, "") for turn in range((last - first) // rounds))
        turns = merge(looks, *(_turns(of, first) for of in self.schedules))
        return takewhile(lambda turn: turn[0] < last, turns)

    def go(self, at: datetime, schedule: str) -> None:
        """To a moment, unless the clock is past it already, and do what is due."""
        self.clock.move_to(max(at + _A_MOMENT, now()))
        self._beat()
        if schedule:
            self.tick(self.repository.get_schedule_def(schedule), at)
        else:
            for sensor in self.sensors:
                self.tick(sensor, at)

    def tick(self, of: dg.ScheduleDefinition | dg.SensorDefinition, at: datetime) -> None:
        is_schedule, begun, moment = isinstance(of, dg.ScheduleDefinition), time.monotonic(), now()
        kind = "schedule" if is_schedule else "sensor"
        tick = self.instance.create_tick(
            TickData(
                instigator_origin_id=of.name,
                instigator_name=of.name,
                instigator_type=InstigatorType.SCHEDULE if is_schedule else InstigatorType.SENSOR,
                status=TickStatus.STARTED,
                timestamp=moment.timestamp(),
                selector_id=of.name,
            )
        )
        try:
            asked = self._evaluated_schedule(of, at) if is_schedule else self._evaluated_sensor(of)
        except Exception as error:  # noqa: BLE001 - a daemon notes it and goes on
            told = serializable_error_info_from_exc_info(sys.exc_info())
            self.instance.update_tick(tick.with_status(TickStatus.FAILURE, error=told))
            self.note(Note(moment, kind, of.name, "failed", repr(error), time.monotonic() - begun))
            return
        requests = [request for request in asked.run_requests or [] if self._is_new(of.name, request)]
        self.instance.update_tick(tick.with_status(TickStatus.SUCCESS if requests else TickStatus.SKIPPED))
        outcome = "asked" if requests else "skipped"
        self.note(Note(moment, kind, of.name, outcome, asked.skip_message or "", time.monotonic() - begun))
        for request in requests:
            self.run(request.job_name or of.job_name, request)

    def run(self, job: str, request: dg.RunRequest) -> None:
        begun, moment = time.monotonic(), now()
        result = self.repository.get_job(job).execute_in_process(
            instance=self.instance,
            run_config=QUIET | dict(request.run_config),
            tags=dict(request.tags),
            partition_key=request.partition_key,
            raise_on_error=False,
        )
        failed = [reason_of(event) for event in result.all_events if event.is_step_failure]
        outcome = "ok" if result.success else "failed"
        self.note(Note(moment, "run", job, outcome, "; ".join(dict.fromkeys(failed)), time.monotonic() - begun))

    def _evaluated_schedule(self, of: dg.ScheduleDefinition, at: datetime) -> object:
        with dg.build_schedule_context(self.instance, at, repository_def=self.repository) as context:
            return of.evaluate_tick(context)

    def _evaluated_sensor(self, of: dg.SensorDefinition) -> object:
        cursor = self.cursors.get(of.name)
        with dg.build_sensor_context(
            self.instance, cursor, repository_def=self.repository, sensor_name=of.name
        ) as context:
            asked = of.evaluate_tick(context)
        self.cursors[of.name] = asked.cursor
        for wanted in asked.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(wanted.partitions_def_name, list(wanted.partition_keys))
        return asked

    def _is_new(self, of: str, request: dg.RunRequest) -> bool:
        """A key begins one run for ever; a request without one always does."""
        key = (of, request.run_key or "")
        is_new = not request.run_key or key not in self.begun
        self.begun.add(key)
        return is_new

    def _beat(self) -> None:
        for kind in sorted(self.instance.get_required_daemon_types()):
            self.instance.add_daemon_heartbeat(DaemonHeartbeat(now().timestamp(), kind, "hand", []))


@contextmanager
def moved_clock(to: datetime) -> Iterator[time_machine.Traveller]:
    """The clock of this process, which goes on from there; steps that would wait move it."""
    with time_machine.travel(to, tick=True) as clock:
        before = active.time
        active.time = SimpleNamespace(time=time.time, sleep=lambda seconds: clock.shift(timedelta(seconds=seconds)))
        try:
            yield clock
        finally:
            active.time = before


class Stamps:
    """Files that the kernel has stamped with the real time are given the moved one."""

    def __init__(self, *homes: Path) -> None:
        self._homes = [str(home) for home in homes]
        self._written_once = {str(home / name) for home in homes for name in _WRITTEN_ONCE}
        self._known: dict[str, int] = {}
        self._looked_into: dict[str, tuple[int, list[str]]] = {}

    def set(self) -> None:
        """Of what was changed since the last time; a file's change is stamped by the kernel, and by nobody else."""
        moved = now().timestamp()
        for home in self._homes:
            self._set_below(home, moved, is_written_once=False)

    def _set_below(self, folder: str, moved: float, *, is_written_once: bool) -> None:
        """A folder of files that are written once is looked into when it got or lost some; those below it always."""
        is_written_once = is_written_once or folder in self._written_once
        with suppress(FileNotFoundError):  # a server's own come and go
            self._stamp(folder, moved)
            changed = os.lstat(folder).st_mtime_ns
            seen, below = self._looked_into.get(folder, (0, []))
            if not is_written_once or changed != seen:
                below = self._look_into(folder, moved)
                self._looked_into[folder] = changed, below
            for inner in below:
                self._set_below(inner, moved, is_written_once=is_written_once)

    def _look_into(self, folder: str, moved: float) -> list[str]:
        """Its folders, once its files are stamped."""
        with os.scandir(folder) as entries:
            kinds = {entry.path: entry.is_dir(follow_symlinks=False) for entry in entries}
        for file in (path for path, is_folder in kinds.items() if not is_folder):
            with suppress(FileNotFoundError):
                self._stamp(file, moved)
        return [path for path, is_folder in kinds.items() if is_folder]

    def _stamp(self, path: str, moved: float) -> None:
        if self._known.get(path) != os.lstat(path).st_ctime_ns:
            os.utime(path, (moved, moved), follow_symlinks=False)
            self._known[path] = os.lstat(path).st_ctime_ns


def _turns(of: dg.ScheduleDefinition, first: datetime) -> Iterator[tuple[datetime, str]]:
    moments = schedule_execution_time_iterator(first.timestamp(), of.cron_schedule, of.execution_timezone)
    return ((at.astimezone(UTC), of.name) for at in moments)


def spent(notes: list[Note]) -> Counter[str]:
    """Real seconds by what they went to."""
    seconds: Counter[str] = Counter()
    for of in notes:
        seconds[f"{of.kind} {of.name}"] += of.took_s
    return seconds
