"""A house that is lived in, and each of its processes killed in turn: it serves again within seconds, on its own."""

import json
import os
import subprocess
import sys
import time
from itertools import cycle, islice

import psutil
import pytest

from coinhts_core.ledger.cluster import postmaster
from coinhts_core.ledger.places import place_of
from coinhts_pipeline.installation import PROJECT
from tests.pipeline.upheld import PATIENCE_S, SLOW, Up, free_port, is_alive, until

pytestmark = pytest.mark.slow

_LONGEST_S = 15
_TURNS = ("serve", "ui", "daemon", "code", "postgres", "up")
_EVENTS = """
query($id: ID!) { runOrError(runId: $id) { ... on Run {
  status eventConnection(limit: 1000) { events { __typename } }
} } }
"""
_WORKS = """{
  pipelineOrError(params: {
    repositoryName: "__repository__", repositoryLocationName: "coinhts", pipelineName: "rehearse_days",
    assetSelection: [{path: ["candles", "minute"]}]
  }) { __typename }
  instance { daemonHealth { allDaemonStatuses { lastHeartbeatTime } } }
}"""
_ASSETS = ("candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross")
_OVER = {"SUCCESS", "FAILURE", "CANCELED"}


class Lived:
    """A home, its `up` of the moment, and everything that belongs to it."""

    def __init__(self, home) -> None:
        self.home, self.port = home, free_port()
        self.up = self.begin()
        self.up.arrive()

    def begin(self) -> Up:
        return Up(self.home, self.port, web__password="geheim", web__token="tok")  # noqa: S106 - not secret

    def head(self, name: str) -> psutil.Process:
        if name == "up":
            return psutil.Process(self.up.process.pid)
        if name == "postgres":
            data = place_of(self.home).data_directory
            return postmaster(data / "postmaster.pid", data)
        return self.up.children()[name]

    def kill(self, name: str) -> psutil.Process:
        """Whoever killed `up` itself starts it again."""
        killed = self.head(name)
        killed.kill()
        if name == "up":
            self.up.process.communicate()
            self.up = self.begin()
        return killed

    def seconds_until_served(self, name: str) -> float:
        """Wait until all of it answers: front, ledger, UI, code location, daemon; none ever says 500."""
        begun, at = time.monotonic(), time.time()
        for path in ("/health", "/api/alerts", "/"):
            while (status := self.up.status_of(path)) != 200:
                assert status in {None, 503}, (name, path, status)
                assert time.monotonic() - begun < PATIENCE_S, (name, path, status)
                time.sleep(0.2)
        until(lambda: self._works(at if name in {"daemon", "up"} else 0.0))
        return time.monotonic() - begun

    def _works(self, since: float) -> bool:
        try:
            found = self.up.ask(_WORKS)
        except OSError:
            return False
        beats = [of["lastHeartbeatTime"] or 0.0 for of in found["instance"]["daemonHealth"]["allDaemonStatuses"]]
        is_loaded = found["pipelineOrError"]["__typename"] == "Pipeline"
        return is_loaded and max(beats) > since and set(self.up.children()) == {"code", "daemon", "ui", "serve"}

    def everybody(self) -> list[psutil.Process]:
        """Everything that runs in this home's name."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("COINHTS_HOME") == str(self.home) and is_alive(process):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def backfill(self) -> dict:
        command = [
            sys.executable,
            "-m",
            "coinhts_pipeline.cli",
            "backfill",
            "--timerange",
            "20261101-20261107",
            "--json",
        ]
        environ = {"PATH": os.environ["PATH"], "COINHTS_HOME": str(self.home), "COINHTS_SYMBOLS": "KRW-BTC",
                   "COINHTS_START_DATE": "2026-11-01"}  # fmt: skip
        done = subprocess.run(
            command, env=environ, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def lived(server_home):
    house = Lived(server_home)
    yield house
    if house.up.process.poll() is None:
        house.up.process.kill()
    house.up.process.communicate()
    for process in house.everybody():
        process.kill()


def test_whoever_is_killed_the_house_serves_again_soon(lived, capfd):
    """Twenty times, within fifteen seconds each; every run that was begun has ended once, and nobody is left behind."""
    runs, took = [], []
    for turn, name in enumerate(islice(cycle(_TURNS), 20)):
        runs.append(lived.up.launch(f"2026-11-{turn % 7 + 1:02}", *_ASSETS))
        killed = lived.kill(name)
        took.append((name, lived.seconds_until_served(name)))
        with capfd.disabled():
            sys.stdout.write(f"{name:>9} killed, served again after {took[-1][1]:.1f} s\n")
        assert not is_alive(killed)

    for run_id in runs:
        until(lambda run_id=run_id: lived.up.status(run_id) in _OVER)
        told = [of["__typename"] for of in _run(lived, run_id)["eventConnection"]["events"]]
        assert told.count("RunStartEvent") <= 1
        assert told.count("RunSuccessEvent") + told.count("RunFailureEvent") == 1
    lived.backfill()
    assert lived.backfill()["partitions"] == 0

    supervised = {process.pid for process in lived.up.family()}
    assert {process.pid for process in lived.everybody()} <= supervised
    server = lived.head("postgres")
    assert lived.up.stop() < 10
    until(lambda: not lived.everybody())
    assert not is_alive(server)
    assert max(seconds for _, seconds in took) <= _LONGEST_S, took


@pytest.mark.parametrize("name", ["code", "up"])
def test_a_run_at_work_when_it_loses_its_house_has_failed(lived, name):
    """Nobody goes on with it in secret; its days are done by the next backfill."""
    strategies = lived.home / "strategies"
    strategies.mkdir()
    (strategies / "slow.py").write_text(SLOW)
    until(lambda: "slow" in json.dumps(lived.up.ask("{ assetNodes { assetKey { path } } }")))
    lived.seconds_until_served(name)
    lived.up.launch("2026-11-01", "candles/minute")
    run_id = lived.up.launch("2026-11-01", "signals/slow")
    until(lambda: lived.up.status(run_id) == "STARTED")
    at_work = [of for of in lived.head("code").children(recursive=True) if of.is_running()]
    lived.kill(name)
    assert lived.seconds_until_served(name) <= _LONGEST_S
    until(lambda: lived.up.status(run_id) == "FAILURE")
    assert not any(is_alive(of) for of in at_work)
    (strategies / "slow.py").write_text(SLOW.replace("time.sleep(60)", "time.sleep(0)"))
    lived.backfill()
    assert lived.backfill()["partitions"] == 0


def _run(lived, run_id):
    return lived.up.ask(_EVENTS, id=run_id)["runOrError"]
