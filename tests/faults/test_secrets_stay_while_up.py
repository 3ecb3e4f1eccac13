"""Thirty planted secrets in a house that is up: none in its logs, its answers, `ps` and what it stores."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from json import dumps
from time import monotonic, sleep
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from coinhts_core.clock import now
from coinhts_pipeline.installation import PROJECT
from tests.core.alerts.conftest import certificate, mail
from tests.faults.planted import IN_ENVIRONMENT, SECRETS, commands, echo, everything, place, told

__all__ = ["certificate", "echo", "mail", "place"]
_RAISES = '''
"""A strategy that stumbles over what it should not tell."""

from typing import ClassVar

from coinhts_core.strategies import Strategy

{at_import}
class Planted(Strategy):
    """Decide nothing."""

    enabled: ClassVar[bool] = True

    @property
    def warmup(self):
        return 1

    def decide(self, bars):
        print({text!r}, flush=True)
        try:
            raise ConnectionError({text!r})
        except ConnectionError as error:
            raise RuntimeError({text!r}) from error
'''
_ASKED = [
    """{{ workspaceOrError {{ ... on Workspace {{ locationEntries {{ name locationOrLoadError {{
        ... on PythonError {{ message stack causes {{ message stack }} }} }} }} }} }} }}""",
    """{{ allTopLevelResourceDetailsOrError(repositorySelector: {repository}) {{ ... on ResourceDetailsList {{
        results {{ name configFields {{ name description defaultValueAsJson }}
        configuredValues {{ key value }} }} }} }} }}""",
    "{{ runsOrError {{ ... on Runs {{ results {{ runId status runConfigYaml tags {{ key value }} }} }} }} }}",
    """{{ logsForRun(runId: "{run}") {{ ... on EventConnection {{ events {{ ... on MessageEvent {{ message }}
        ... on ErrorEvent {{ error {{ message stack causes {{ message stack }} }} }} }} }} }} }}""",
    """{{ sensorsOrError(repositorySelector: {repository}) {{ ... on Sensors {{ results {{ name sensorState {{ ticks {{
        skipReason cursor error {{ message stack }} }} }} }} }} }} }}""",
    "{{ instance {{ info daemonHealth {{ allDaemonStatuses {{ lastHeartbeatErrors {{ message stack }} }} }} }} }}",
]
_REPOSITORY = '{repositoryLocationName: "coinhts", repositoryName: "__repository__"}'
_PATHS = ["/health", "/health/detail", "/metrics", "/reports/", "/api/openapi.json", "/api/nothing", "/server_info"]


class Up:
    """A `coinhts up` with every secret in its environment or its `.env`, asked with the token."""

    def __init__(self, home, environ):
        self.environ = environ
        self.log = home / "up.out"
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "coinhts_pipeline.cli"]
            self.process = subprocess.Popen(
                [*command, "up", "--json"], env=environ, stdout=log, stderr=log, cwd=PROJECT
            )
        self.command = command

    def ask(self, path, body=None):
        url = f"http://127.0.0.1:{self.environ['COINHTS_WEB__PORT']}{path}"
        headers = {
            "Authorization": f"Bearer {IN_ENVIRONMENT['COINHTS_WEB__TOKEN']}",
            "Content-Type": "application/json",
        }
        try:
            with urlopen(Request(url, body and dumps(body).encode(), headers), timeout=30) as answer:
                return answer.read().decode()
        except HTTPError as refused:
            return refused.read().decode()

    def run(self, *arguments):
        done = subprocess.run(
            [*self.command, *arguments], env=self.environ, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode, done
        return done.stdout + done.stderr


@pytest.mark.slow
def test_a_house_that_is_up_tells_none_either(place):
    """Its runs fail, its code does not load, its bucket, Slack and mail refuse: what it logs, shows and answers."""
    settings, environ = place.house.installation.settings, dict(os.environ)
    with socket.create_server(("127.0.0.1", 0)) as free:
        environ["COINHTS_WEB__PORT"] = str(free.getsockname()[1])
    environ |= {"COINHTS_SYMBOLS": "KRW-BTC", "COINHTS_START_DATE": f"{now() - timedelta(days=2):%Y-%m-%d}"}
    settings.strategies_folder.mkdir(exist_ok=True)
    text = " | ".join(told(secret, at) for at, secret in enumerate(SECRETS))
    (file := settings.strategies_folder / "planted.py").write_text(_RAISES.format(text=text, at_import=""))
    up = Up(settings.home, environ)
    try:
        until(lambda: up.log.read_text().endswith("}\n"))
        place.said += [up.run("backfill"), up.run("backfill", "--debug"), up.run("strategy", "check", "planted")]
        place.said += commands()
        run = place.house.instance.get_run_records(limit=1)[0].dagster_run.run_id
        asked = [query.format(run=run, repository=_REPOSITORY) for query in _ASKED]
        answers = [up.ask("/graphql", {"query": query}) for query in asked]
        assert "RuntimeError" in "".join(answers)
        file.write_text(_RAISES.format(text=text, at_import=f"raise ValueError({text!r})\n\n"))
        until(lambda: "cannot be loaded" in (settings.home / "logs" / "code.log").read_text())
        answers += [up.ask("/graphql", {"query": query}) for query in [*asked, "{ " + text]]
        answers += [up.ask(path) for path in [*_PATHS, f"/api/{quote(text)}", f"/nothing?x={quote(text)}"]]
        place.said += [*answers, *commands()]
    finally:
        up.process.send_signal(signal.SIGTERM)
        up.process.wait(30)
        file.unlink()
    assert everything(place) == []


def until(is_true):
    """Wait for it."""
    deadline = monotonic() + 90
    while True:
        with suppress(OSError):
            if is_true():
                return
        assert monotonic() < deadline, "it takes too long"
        sleep(0.5)
