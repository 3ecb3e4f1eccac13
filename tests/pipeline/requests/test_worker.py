import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from coinhts_pipeline.requests.worker import Lines
from tests.pipeline.asking import POISON, ask, misbehave

_THREADS = """
import os
import re
from importlib import import_module
from pathlib import Path
from coinhts_pipeline.requests import worker
for module in worker._BEFORE_FORKS:
    import_module(module)
print(sorted({(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}))
"""


class Worker:
    """A worker as a process, spoken to as whoever starts it does."""

    def __init__(self):
        command = [sys.executable, "-m", "coinhts_pipeline.requests.worker"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def order(self, standing, seconds=30, memory_mb=1_024):
        words = {"do": "answer", "id": standing.id, "asked": dict(standing.asked)}
        self.say(**words, seconds=seconds, memory_mb=memory_mb)

    def say(self, **words):
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()

    def words(self):
        """Everything it says until an end, that last."""
        said = []
        for line in self.process.stdout:
            said.append(json.loads(line))
            if "end" in said[-1]:
                break
        return said

    def child(self):
        deadline = time.monotonic() + 30
        while not (children := psutil.Process(self.process.pid).children()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return children[0]


@pytest.fixture
def rooms(asked):
    return asked.rooms


@pytest.fixture(scope="module")
def _worker(asked_house):
    environ = {**os.environ, **asked_house.environ}
    before = dict(os.environ)
    os.environ |= environ
    worker = Worker()
    os.environ.clear()
    os.environ |= before
    yield worker
    worker.process.stdin.close()
    worker.process.stdout.close()
    assert worker.process.wait(10) == 0


@pytest.fixture
def worker(_worker, rooms):
    """Give a worker that is warm already."""
    del rooms
    return _worker


def test_whole_lines_are_heard():
    """However they arrive."""
    lines = Lines()
    assert lines.of(b'{"a": 1}\n{"b"') == [{"a": 1}]
    assert lines.of(b": 2}\n") == [{"b": 2}]
    assert lines.of(b"") == []


def test_nothing_that_begins_threads_is_imported_before_a_fork():
    """They would be missing in the child, which then waits for them for ever."""
    command = [sys.executable, "-c", _THREADS]
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert "polars-0" not in told.stdout, "a module begins polars' threads when it is imported; make its frames lazily"
    assert "tokio-rt" not in told.stdout


def test_an_answer_comes_with_its_progress_and_figures(worker, rooms):
    """And the result's page lies where the front shows it."""
    standing = ask(rooms)
    worker.order(standing)
    *told, ended = worker.words()
    assert all(0 < of["told"][0] < 1 for of in told)
    assert ended["end"] == "completed", ended
    assert ended["figures"]["page"] == f"/reports/requests/{standing.id}.html"
    assert (rooms.settings.reports_folder / "requests" / f"{standing.id}.html").read_text().startswith("<!")


@pytest.mark.parametrize("name", [name for name in POISON if name not in {"sleeps", "shouts"}])
def test_what_misbehaves_dies_alone_with_a_reason(worker, rooms, name):
    """In time, and the worker goes on."""
    worker.order(misbehave(rooms, name), seconds=3 if name == "loops" else 60)
    ended = worker.words()[-1]
    assert ended["end"] == "failed"
    assert len(ended["reason"]) <= 400
    assert re.search(POISON[name][1], ended["reason"]), ended


def test_a_flood_of_output_reaches_nobody(worker, rooms):
    """Nor does it fill anything while it lasts."""
    worker.order(misbehave(rooms, "shouts"), seconds=2)
    assert "took longer than 2 s" in worker.words()[-1]["reason"]


def test_whoever_is_told_to_stop_is_stopped_at_once(worker, rooms):
    """And the next one begins."""
    worker.order(misbehave(rooms, "sleeps"))
    child = worker.child()
    worker.say(do="stop")
    assert worker.words()[-1] == {"end": "failed", "reason": "it was stopped"}
    assert not child.is_running()
    worker.say(do="stop")  # nobody is at work


def test_a_child_that_somebody_kills_may_be_tried_again(worker, rooms):
    """It was not its own fault."""
    worker.order(misbehave(rooms, "sleeps"))
    worker.child().kill()
    assert worker.words()[-1] == {"end": "again", "reason": "its process was killed"}


def test_what_changed_since_it_was_asked_is_not_answered(worker, rooms):
    """The answer would belong to another question."""
    standing = ask(rooms, params={"fast": 3, "slow": 7})
    worker.say(do="answer", id="0" * 64, asked=dict(standing.asked), seconds=30, memory_mb=1_024)
    assert "have changed since it was asked" in worker.words()[-1]["reason"]


@pytest.mark.parametrize("end", ["kill", "hang up"])
def test_a_child_never_outlives_its_worker(rooms, end):
    """Killed, or left alone by whoever started it."""
    worker = Worker()
    worker.order(misbehave(rooms, "sleeps"))
    child = worker.child()
    if end == "kill":
        worker.process.send_signal(signal.SIGKILL)
    worker.process.stdin.close()
    worker.process.wait(10)
    worker.process.stdout.close()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
