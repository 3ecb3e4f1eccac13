"""Which runs are alive: each holds a locked file, and a lock dies with its process.

What lives here: claiming a run, and failing those whose process is gone. What stays out: runs on other machines; the
launcher that put them there watches them.

A run executed by a process that was killed stays STARTED in Dagster for ever. Its file is locked until the process
ends, however that happens, so a file that can be locked, or is missing after a while, belongs to a dead run. A claim
outlives its run: Dagster records the end only after the run's resources are gone.
"""

import fcntl
import logging
from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from coinhts_pipeline.log_ids import of_run

_TIME_TO_CLAIM = timedelta(minutes=2)
_BEGUN = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_log = logging.getLogger("coinhts.runs")
_held: deque[IO[str]] = deque(maxlen=32)  # the latest runs of this process; earlier ones have long recorded their end


def claim(folder: Path, run_id: str) -> None:
    """By the process that executes a run; named only once it is locked, so that it is never seen free."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{run_id}"
    held = draft.open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    draft.rename(folder / run_id)
    _held.append(held)


def fail_abandoned_runs(
    instance: dg.DagsterInstance, folder: Path, now: datetime, time_to_claim: timedelta = _TIME_TO_CLAIM
) -> list[str]:
    """Runs whose process is gone are marked failed, so that their partitions can be made again; or as cancelled."""
    is_free = {file.name: _can_lock(file) for file in folder.glob("[!.]*")}
    records = instance.get_run_records(RunsFilter(statuses=_BEGUN))
    begun = {record.dagster_run.run_id: now - record.update_timestamp for record in records}
    dead = [run_id for run_id, age in begun.items() if is_free.get(run_id, age >= time_to_claim)]
    for run in instance.get_runs(RunsFilter(run_ids=dead, statuses=_BEGUN)) if dead else []:
        _log.warning("a run's process is gone", extra={"facts": of_run(run.run_id, run.tags)})
        if run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, "the process that executed this run is gone, as was asked for")
        else:
            instance.report_run_failed(run, "the process that executed this run is gone; run it again")
    for run_id in (run_id for run_id, free in is_free.items() if free):
        (folder / run_id).unlink(missing_ok=True)
    return dead


def _can_lock(file: Path) -> bool:
    try:
        with file.open("r+") as probed:
            fcntl.flock(probed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True  # another sweep took it away this moment
    return True
