"""Many who ask for backtests, look how they stand and cancel them: `python -m tests.benchmarks.load_requests`.

What lives here: 500 connections, each of which submits, looks and cancels in turn, on a real house that answers
meanwhile. What stays out: routes that only read (`load`), from which this borrows the house and the clock.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coinhts_pipeline.installation import PROJECT
from tests.benchmarks.load import Told, lived_in, table
from tests.pipeline.upheld import Up

GOALS_S = {"submit": 1.0, "status": 0.3, "cancel": 0.5}
LONGEST_S = 2.0
_DEEDS = tuple(GOALS_S)
_COLLECTED_DAYS = 5


class Line:
    """One connection that is kept, with the method and the body of each request."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._heads = f"Host: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\n{self._heads}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        return int(lines[0].split(b" ")[1]), await reader.readexactly(length)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


@dataclass(frozen=True)
class Load:
    """How many ask, how often, for how long, and over which days."""

    port: int
    token: str
    connections: int
    think_s: float
    seconds: float
    first: str
    last: str

    async def run(self) -> dict[str, Told]:
        told = {deed: Told() for deed in _DEEDS}
        begin = time.monotonic() + 1.0
        await asyncio.gather(*(self._visitor(number, begin, told) for number in range(self.connections)))
        return told

    async def _visitor(self, number: int, begin: float, told: dict[str, Told]) -> None:
        """Submits a question of its own, looks how it stands, cancels it, at moments that are planned."""
        line, name = Line(self.port, self.token), ""
        # A third of all submit while another looks and the last cancels.
        first = begin + self.think_s * (number / self.connections + number % len(_DEEDS))
        for turn in range(int(self.seconds / self.think_s)):
            planned, deed = first + turn * self.think_s, _DEEDS[turn % len(_DEEDS)]
            await asyncio.sleep(max(0.0, planned - time.monotonic()))
            try:
                status, body = await asyncio.wait_for(self._done(line, deed, name, number, turn), 30)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                told[deed].errors.append(type(error).__name__)
                line.close()
                continue
            if deed == "submit" and status == 202:
                name = json.loads(body)["id"]
            # Cancelled too late is an answer like another: it was done already.
            if status in {200, 202, 409}:
                told[deed].seconds.append(time.monotonic() - planned)
            else:
                told[deed].errors.append(str(status))
        line.close()

    async def _done(self, line: Line, deed: str, name: str, number: int, turn: int) -> tuple[int, bytes]:
        if deed == "status":
            return await line.ask("GET", f"/api/backtests/{name}")
        if deed == "cancel":
            return await line.ask("DELETE", f"/api/backtests/{name}")
        asked = {
            "strategy": "sma_cross",
            "symbols": ["KRW-BTC"],
            "start_date": self.first,
            "end_date": self.last,
            "account": {"cash": 1_000_000 + number * 10_000 + turn},
        }
        return await line.ask("POST", "/api/backtests", json.dumps(asked).encode())


def collect(up: Up, first: str, last: str) -> None:
    """Some days to ask about."""
    span = f"{first}..{last}"
    environ = {"PATH": os.environ["PATH"], "COINHTS_HOME": str(up.home), "COINHTS_SYMBOLS": "KRW-BTC,KRW-ETH,KRW-XRP"}
    command = [sys.executable, "-m", "coinhts_pipeline.cli", "backfill", "--timerange", span, "--json"]
    subprocess.run(command, env=environ, cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--think", type=float, default=2.0, help="seconds between two requests of a connection")
    parser.add_argument("--seconds", type=float, default=300.0)
    chosen = parser.parse_args()
    last = datetime.now(UTC).date() - timedelta(days=1)
    span = str(last - timedelta(days=_COLLECTED_DAYS - 1)), str(last)
    with lived_in() as up:
        collect(up, *span)
        load = Load(up.port, up.token or "", chosen.connections, chosen.think, chosen.seconds, *span)
        told = asyncio.run(load.run())
    is_met = all(
        not of.errors and of.at(0.99) <= GOALS_S[deed] and of.at(1.0) <= LONGEST_S for deed, of in told.items()
    )
    say = sys.stdout.write
    say(f"{load.connections} connections, one request each {load.think_s:g} s, for {load.seconds:g} s\n")
    say(table(load, told) + "\n")
    for deed, of in told.items():
        say(f"{deed}: at worst {of.at(1.0):.2f} s{', ' + ', '.join(sorted(set(of.errors))) if of.errors else ''}\n")
    say(f"goal: p99 at most {GOALS_S}, none over {LONGEST_S} s, no error: {'met' if is_met else 'missed'}\n")
    return 0 if is_met else 2


if __name__ == "__main__":
    sys.exit(main())
