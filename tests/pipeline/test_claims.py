import fcntl
import subprocess
import sys
import threading
from datetime import timedelta
from uuid import uuid4

import dagster as dg
import pytest

from coinhts_core.clock import now
from coinhts_pipeline.claims import claim, fail_abandoned_runs
from coinhts_pipeline.installation import PROJECT

_CLAIMER = """
import sys
from pathlib import Path
from coinhts_pipeline.claims import claim
claim(Path(sys.argv[1]), sys.argv[2])
print("claimed", flush=True)
sys.stdin.readline()
"""
LONG_AGO = timedelta()


@pytest.fixture
def begin(house):
    """Begin runs as Dagster records them; those still begun at the end are reported as ended."""
    begun = []

    def a_run() -> str:
        run = dg.DagsterRun(job_name="rehearse_days", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED)
        begun.append(run)
        return house.instance.add_run(run).run_id

    yield a_run
    for run in begun:
        house.instance.report_run_canceled(run)


@pytest.fixture
def claimer(tmp_path):
    """Begin processes that hold a claim until they are told to leave, or killed."""
    processes = []

    def hold(run_id: str) -> subprocess.Popen:
        command = [sys.executable, "-c", _CLAIMER, str(tmp_path), run_id]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        processes.append(process)
        assert process.stdout.readline() == "claimed\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def status(house, run_id):
    return house.instance.get_run_by_id(run_id).status


def test_a_killed_process_gives_its_run_up_and_a_living_one_keeps_it(house, begin, claimer, tmp_path):
    """Only the dead one's run fails, whenever somebody looks, and nothing of it stays behind."""
    dead, alive = begin(), begin()
    victim, survivor = claimer(dead), claimer(alive)
    assert fail_abandoned_runs(house.instance, tmp_path, now(), LONG_AGO) == []
    victim.kill()
    victim.wait()
    assert fail_abandoned_runs(house.instance, tmp_path, now(), LONG_AGO) == [dead]
    assert status(house, dead) == dg.DagsterRunStatus.FAILURE
    assert status(house, alive) == dg.DagsterRunStatus.STARTED
    assert [file.name for file in tmp_path.iterdir()] == [alive]
    survivor.communicate("leave\n", timeout=30)
    assert fail_abandoned_runs(house.instance, tmp_path, now()) == [alive]
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_to_be_cancelled_is_cancelled_when_its_process_is_gone(house, begin, claimer, tmp_path):
    """Which is what was asked for, and no failure."""
    run_id = begin()
    holder = claimer(run_id)
    house.instance.report_run_canceling(house.instance.get_run_by_id(run_id))
    holder.kill()
    holder.wait()
    assert fail_abandoned_runs(house.instance, tmp_path, now(), LONG_AGO) == [run_id]
    assert status(house, run_id) == dg.DagsterRunStatus.CANCELED


def test_a_run_has_time_to_be_claimed(house, begin, tmp_path):
    """Its process may still be starting; after a while a run that nobody claimed has none."""
    unclaimed = begin()
    assert fail_abandoned_runs(house.instance, tmp_path, now()) == []
    assert fail_abandoned_runs(house.instance, tmp_path, now() + timedelta(minutes=3)) == [unclaimed]


def test_a_run_that_is_just_ending_is_left_alone(house, begin, claimer, tmp_path):
    """A process that has finished a run holds its claim until it ends, by when the end is recorded."""
    ending = begin()
    process = claimer(ending)
    assert fail_abandoned_runs(house.instance, tmp_path, now(), LONG_AGO) == []
    house.instance.report_run_canceled(house.instance.get_run_by_id(ending))
    process.communicate("leave\n", timeout=30)
    assert fail_abandoned_runs(house.instance, tmp_path, now(), LONG_AGO) == []
    assert status(house, ending) == dg.DagsterRunStatus.CANCELED


def test_a_run_that_has_ended_needs_no_process(house, tmp_path):
    """Nobody claims it any more, and it stays what it became."""
    ended = dg.DagsterRun(job_name="rehearse_days", run_id=str(uuid4()), status=dg.DagsterRunStatus.SUCCESS)
    house.instance.add_run(ended)
    assert fail_abandoned_runs(house.instance, tmp_path, now() + timedelta(days=1)) == []


def test_a_claim_is_never_seen_before_it_is_locked(tmp_path):
    """Whoever looks while it is being made finds no file rather than an unlocked one."""
    seen = []
    looking = threading.Event()

    def look():
        while not looking.is_set():
            seen.extend(file.name for file in tmp_path.iterdir() if not file.name.startswith(".") and _can_lock(file))

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(30):  # as many as a process holds
        claim(tmp_path, f"run-{number}")
    looking.set()
    thread.join()
    assert seen == []


def _can_lock(file):
    try:
        with file.open("r+") as probed:
            fcntl.flock(probed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return file.exists()
