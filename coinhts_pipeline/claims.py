"""Which runs are alive: each holds a locked file, and a lock dies with its process.

What lives here: claiming a run, and failing those whose process is gone. What stays out: runs on other machines; the
launcher that put them there watches them.

A run executed by a process that was killed stays STARTED in Dagster for ever. The file is locked for as long as its
process lives, however it ends, so a file that can be locked, or is missing after a while, belongs to a dead run.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

_TIME_TO_CLAIM = timedelta(minutes=2)
_BEGUN = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


@contextmanager
def claim(folder: Path, run_id: str) -> Iterator[None]:
    """Held by the process that executes a run."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / run_id
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def fail_abandoned_runs(
    instance: dg.DagsterInstance, folder: Path, now: datetime, time_to_claim: timedelta = _TIME_TO_CLAIM
) -> list[str]:
    """Runs whose process is gone are marked failed, so that their partitions can be made again."""
    failed = []
    for record in instance.get_run_records(RunsFilter(statuses=_BEGUN)):
        begun = record.update_timestamp
        if not _is_claimed(folder / record.dagster_run.run_id, missing_is_alive=now - begun < time_to_claim):
            instance.report_run_failed(record.dagster_run, "the process that executed this run is gone; run it again")
            (folder / record.dagster_run.run_id).unlink(missing_ok=True)
            failed.append(record.dagster_run.run_id)
    return failed


def _is_claimed(file: Path, *, missing_is_alive: bool) -> bool:
    try:
        with file.open("r+") as probed:
            fcntl.flock(probed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return missing_is_alive
    except BlockingIOError:
        return True
    return False
