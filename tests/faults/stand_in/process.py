"""The stand-in as a test holds it: started, told what to do, and its log read.

What lives here: `StandIn`. What stays out: everything that happens inside the other process.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.request import Request, urlopen

from coinhts_core.exchanges.upbit.meeting_place import meeting_place

_ROOT = Path(__file__).parents[3]


class StandIn:
    """A running stand-in and the log it judges by."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._seen = 0

    @classmethod
    @contextmanager
    def start(cls, folder: Path) -> Iterator[Self]:
        log = folder / "calls.jsonl"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stand_in", str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            text=True,
        )
        with process:
            stand_in = cls(int(process.stdout.readline()), log)
            try:
                yield stand_in
            finally:
                process.stdin.close()
                shutil.rmtree(meeting_place(stand_in.url), ignore_errors=True)

    def set_up(self, *rules: dict, **wanted: object) -> None:
        """Begin anew; calls before this are forgotten."""
        body = json.dumps({"rules": rules, **wanted}).encode()
        with urlopen(Request(f"{self.url}/control", body), timeout=30) as reply:  # noqa: S310 - our own server
            reply.read()
        self._seen = len(self._log.read_text().splitlines())

    def calls(self, group: str = "") -> list[dict]:
        """Every call since the last `set_up`, as it arrived."""
        calls = map(json.loads, self._log.read_text().splitlines()[self._seen :])
        return [call for call in calls if call["group"].startswith(group)]
