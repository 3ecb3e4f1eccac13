"""A `coinhts up` of a home, as tests start, ask, kill and stop it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from coinhts_pipeline.installation import PROJECT

PATIENCE_S = 60
SLOW = '''
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

    def __init__(self, home: Path, port: int, **settings: str) -> None:
        self.home, self.port, self.token = home, port, settings.get("web__token")
        named = {f"COINHTS_{name.upper()}": value for name, value in settings.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "coinhts_pipeline.cli", "up", "--json"],
            env={"PATH": os.environ["PATH"], "COINHTS_HOME": str(home), "COINHTS_WEB__PORT": str(port),
                 "COINHTS_SYMBOLS": "KRW-BTC", "COINHTS_START_DATE": "2026-11-01", **named},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT, start_new_session=True,
        )  # fmt: skip
        self.words = ""

    @property
    def _heads(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def arrive(self) -> "Up":
        for line in self.process.stdout:
            self.words += line
            if line == "}\n":
                return self
        pytest.fail(f"it did not come up: {self.process.stderr.read()}", pytrace=False)

    def children(self) -> dict[str, psutil.Process]:
        """Give the heads of its families, by what they serve."""
        heads = filter(is_alive, psutil.Process(self.process.pid).children())
        commands = {of: of.cmdline() for of in heads}
        modules = {of: words[words.index("-m") + 1] for of, words in commands.items() if "-m" in words}
        return {module.rpartition(".")[2]: of for of, module in modules.items()}

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def sockets(self) -> Path:
        command = self.children()["code"].cmdline()
        return Path(command[command.index("--socket") + 1]).parent

    def ask(self, query: str, **variables) -> dict:
        body = json.dumps({"query": query, "variables": variables}).encode()
        heads = {"Content-Type": "application/json", **self._heads}
        request = Request(f"http://127.0.0.1:{self.port}/graphql", body, heads)
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - our own loopback address
            return json.load(answer)["data"]

    def is_served(self) -> bool:
        try:
            return bool(self.ask("{ version }")["version"])
        except OSError:
            return False

    def status_of(self, path: str) -> int | None:
        """None when nobody listens, or nobody answers to the end."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=self._heads)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            return None
        else:
            return answer.status
        finally:
            connection.close()

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
        _, err = self.process.communicate(timeout=PATIENCE_S)
        assert (self.process.returncode, "Traceback" in err) == (0, False), err
        return time.monotonic() - begun


def until(is_true) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.2)


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
