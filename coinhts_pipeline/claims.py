"""Which runs are alive: each holds a locked file, and a lock dies with its process.

What lives here: claiming a run, and failing those whose process is gone. What stays out: runs on other machines; the
launcher that put them there watches them.

A run executed by a process that was killed stays STARTED in Dagster for ever. The file is locked for as long as its
process lives, however it ends, so a file that can be locked, or is missing after a while, belongs to a dead run.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

_TIME_TO_CLAIM = timedelta(minutes=2)
_SECONDS_TO_END = 1.0  # a run gives its claim back a moment before it records how it ended
_BEGUN = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


@contextmanager
def claim(folder: Path, run_id: str) -> Iterator[None]:
    """Held by the process that executes a run; named only once it is locked, so that it is never seen free."""
    folder.mkdir(parents=True, exist_ok=True)
    draft, file = folder / f".{run_id}", folder / run_id
    with draft.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        draft.rename(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def fail_abandoned_runs(
    instance: dg.DagsterInstance, folder: Path, now: datetime, time_to_claim: timedelta = _TIME_TO_CLAIM
) -> list[str]:
    """Runs whose process is gone are marked failed, so that their partitions can be made again."""
    suspects = [
        record.dagster_run.run_id
        for record in instance.get_run_records(RunsFilter(statuses=_BEGUN))
        if not _is_claimed(
            folder / record.dagster_run.run_id,
            missing_is_alive=now - record.update_timestamp < time_to_claim,
        )
    ]
    if not suspects:
        return []
    time.sleep(_SECONDS_TO_END)
    abandoned = instance.get_runs(RunsFilter(run_ids=suspects, statuses=_BEGUN))
    for run in abandoned:
        instance.report_run_failed(run, "the process that executed this run is gone; run it again")
        (folder / run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in abandoned]


def _is_claimed(file: Path, *, missing_is_alive: bool) -> bool:
    try:
        with file.open("r+") as probed:
            fcntl.flock(probed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return missing_is_alive
    except BlockingIOError:
        return True
    return False
