import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import dagster as dg
import psutil
import pytest

from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import PROJECT, open_installation
from coinhts_pipeline.up import Child

_PATIENCE_S = 60
_SLOW = '''
"""A strategy that thinks for a minute."""

import time
from typing import ClassVar

import numpy as np

from coinhts_core.strategies import Strategy


class Slow(Strategy):
    """Decide nothing, slowly."""

    enabled: ClassVar[bool] = True

    @property
    def warmup(self):
        return 1

    def decide(self, bars):
        time.sleep(60)
        return np.zeros(len(bars), dtype=np.int8)
'''
_LAUNCH = """
mutation($selector: JobOrPipelineSelector!, $tags: [ExecutionTag!]!) {
  launchRun(executionParams: {selector: $selector, executionMetadata: {tags: $tags}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""


class Up:
    """A `coinhts up` of a home: what it said, its processes, its port."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.process = subprocess.Popen(
            [sys.executable, "-m", "coinhts_pipeline.cli", "up", "--json"],
            env={"PATH": os.environ["PATH"], "COINHTS_HOME": str(home), "COINHTS_WEB__PORT": str(port),
                 "COINHTS_SYMBOLS": "KRW-BTC", "COINHTS_START_DATE": "2026-11-01"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT, start_new_session=True,
        )  # fmt: skip
        self.words = ""

    def arrive(self) -> "Up":
        for line in self.process.stdout:
            self.words += line
            if line == "}\n":
                return self
        pytest.fail(f"it did not come up: {self.process.stderr.read()}", pytrace=False)

    def children(self) -> dict[str, psutil.Process]:
        """Give the heads of its families, by what they serve."""
        named = {"dagster": "code", "dagster._daemon": "daemon"}
        heads = filter(is_alive, psutil.Process(self.process.pid).children())
        commands = {of: of.cmdline() for of in heads}
        modules = {of: words[words.index("-m") + 1] for of, words in commands.items() if "-m" in words}
        return {named.get(module, module.rpartition(".")[2]): of for of, module in modules.items()}

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def sockets(self) -> Path:
        command = self.children()["code"].cmdline()
        return Path(command[command.index("--socket") + 1]).parent

    def ask(self, query: str, **variables) -> dict:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - our own loopback address
            return json.load(answer)["data"]

    def is_served(self) -> bool:
        try:
            return bool(self.ask("{ version }")["version"])
        except OSError:
            return False

    def launch(self, day: str, *assets: str) -> str:
        """Materialise one partition of some assets, as a click on the button does."""
        selector = {
            "repositoryLocationName": "coinhts",
            "repositoryName": "__repository__",
            "jobName": "rehearse_days",
            "assetSelection": [{"path": asset.split("/")} for asset in assets],
        }
        tags = {"dagster/partition": f"{day}|KRW-BTC"}
        launched = self.ask(
            _LAUNCH, selector=selector, tags=[{"key": key, "value": value} for key, value in tags.items()]
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def status(self, run_id: str) -> str:
        return self.ask(f'{{ runOrError(runId: "{run_id}") {{ ... on Run {{ status }} }} }}')["runOrError"]["status"]

    def stop(self, number: int = signal.SIGINT) -> float:
        """Stop it as Ctrl-C does: the seconds that took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=_PATIENCE_S)
        assert (self.process.returncode, "Traceback" in err) == (0, False), err
        return time.monotonic() - begun


def until(is_true) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.2)


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def start(server_home, port):
    """Begin `coinhts up` in the home, as often as wanted; what is left at the end is killed."""
    begun = []

    def begin() -> Up:
        begun.append(Up(server_home, port))
        return begun[-1]

    yield begin
    for up in begun:
        if up.process.poll() is None:
            for process in up.family():
                process.kill()
        up.process.communicate()


def statuses(home, monkeypatch):
    """Give how the runs of a home ended, whoever looks next."""
    monkeypatch.setenv("COINHTS_HOME", str(home))
    with open_installation(read_settings()) as installation:
        return {run.run_id: run.status for run in installation.instance.get_runs()}


def test_it_serves_heals_and_stops_without_a_trace(start, monkeypatch):
    """A click succeeds, a killed child comes back, a second `up` is sent away, and Ctrl-C ends it all.

    Within ten seconds no process, socket or port is left, and a run that was at work has failed.
    """
    up = start().arrive()
    document = json.loads(up.words)
    assert document["url"] == f"http://127.0.0.1:{up.port}"
    assert "symbol-days to collect" in document["days"]

    run_id = up.launch(
        "2026-11-01", "candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross"
    )
    until(lambda: up.status(run_id) in {"SUCCESS", "FAILURE"})
    assert up.status(run_id) == "SUCCESS"

    second = start()
    _, err = second.process.communicate(timeout=_PATIENCE_S)
    assert second.process.returncode == 1
    assert err.startswith("error: coinhts is already up on")
    assert err.count("\n") == 1

    daemon = up.children()["daemon"]
    for name in ("ui", "serve"):
        up.children()[name].kill()
    until(up.is_served)
    assert up.children()["daemon"] == daemon

    code = up.children()["code"]
    up.home.joinpath("strategies").mkdir()
    up.home.joinpath("strategies", "slow.py").write_text(_SLOW)
    until(lambda: not is_alive(code) and "code" in up.children())
    until(lambda: "slow" in json.dumps(up.ask("{ assetNodes { assetKey { path } } }")))
    slow = up.launch("2026-11-01", "signals/slow")
    until(lambda: up.status(slow) == "STARTED")

    family, sockets = up.family(), up.sockets()
    assert up.stop() < 10
    until(lambda: not any(is_alive(process) for process in family))
    assert not sockets.exists()
    assert not answers(up.port)
    assert not up.home.joinpath("up.json").exists()
    assert statuses(up.home, monkeypatch) == {
        run_id: dg.DagsterRunStatus.SUCCESS,
        slow: dg.DagsterRunStatus.FAILURE,
    }


def test_a_child_that_keeps_dying_is_started_ever_later(tmp_path):
    """Doubling up to half a minute; one that had lived for a while is started at once again."""
    child, pauses = Child([sys.executable, "--version"], tmp_path / "log"), []
    for _ in range(7):
        assert child.keep_alive()
        pauses.append(child._not_before - child._begun)
        child._process.wait()
        assert not child.keep_alive()
        child._not_before = 0.0
    assert [round(pause) for pause in pauses] == [1, 2, 4, 8, 16, 30, 30]
    child._begun -= 61
    assert child.keep_alive()
    assert round(child._not_before - child._begun) == 1
    child._process.wait()


@pytest.mark.slow
def test_a_killed_supervisor_is_cleared_away_by_the_next(start):
    """Its children hold the port and run schedules still: they are stopped, and theirs is the port again."""
    killed = start().arrive()
    orphans = killed.family()[1:]
    killed.process.kill()
    killed.process.wait()
    assert answers(killed.port)
    heir = start().arrive()
    assert not any(is_alive(orphan) for orphan in orphans)
    assert set(heir.children()) == {"code", "daemon", "ui", "serve"}
    assert heir.stop(signal.SIGTERM) < 10


def test_stopped_while_it_starts_it_leaves_quietly(start):
    """Whoever changes his mind early sees no trace, either."""
    up = start()
    until(up.home.joinpath("up.lock").exists)
    assert up.stop() < 10
    assert not answers(up.port)
