"""Who takes part in the bench: a process each, in an environment of its own, asked one question at a time.

What lives here: `Contestant`, and where peers live. What to add: a peer, as its requirements, pinned, and its script.
What stays out: what is asked (`rows`), and the other side of the conversation (`at_work`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.environment import python_with

BUILD = Path(__file__).parents[2] / "build"
_HERE = Path(__file__).parent
_REQUIREMENTS = {
    "vectorbt": ("vectorbt==1.2.0", "vectorbt-rust==1.2.0"),
    "raptorbt": ("raptorbt==0.13.4", "numpy==2.4.6"),
}
PINNED = {peer: requirements[0].partition("==")[2] for peer, requirements in _REQUIREMENTS.items()}


def python_of(name: str) -> Path:
    """Whose Python: a peer's, made when it is first asked for, or ours."""
    return python_with(BUILD / "peers", *_REQUIREMENTS[name]) if name in _REQUIREMENTS else Path(sys.executable)


def script_of(name: str, kind: str = "in") -> Path:
    return _HERE / f"{kind}_{name}.py"


class Contestant:
    """A process at work; its answers are dictionaries."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def begin(cls, name: str) -> Iterator["Contestant"]:
        command = [python_of(name), "-W", "ignore", script_of(name)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, env=without_settings(), **pipes) as process:
            try:
                yield cls(process)
            finally:
                process.kill()

    def ask(self, **question):
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            msg = f"{self._process.args[-1].name} ended at {question}; it says why above"
            raise RuntimeError(msg)
        return json.loads(answer)


def without_settings() -> dict[str, str]:
    """What a contestant's environment is: nothing of a house that is being used."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COINHTS_", "PYTHON"))}
