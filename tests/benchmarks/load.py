"""Many visitors at once while the house is at work: `make load`.

What lives here: a real `coinhts up` with a login, a backfill beside it, somebody who has the UI open, and connections
that ask at planned moments. A request is timed from the moment it was planned for, so an answer that came late cannot
hide those that had to wait behind it.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from websockets.asyncio.client import connect

from coinhts_core.alerts.alert import Alert
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import PROJECT
from tests.pipeline.upheld import Up, free_port

ROUTES = ("/health", "/api/alerts?limit=20")
MOST_S = 0.5
_ALERTS = 200
_UI_EVERY_S = 2.0
_COINS = ("BTC", "ETH", "XRP", "SOL", "DOGE", "ADA", "XLM", "BCH", "NEAR")
_SETTINGS = {"symbols": ",".join(f"KRW-{coin}" for coin in _COINS), "start_date": "2025-01-01"}
_PAGE = """{
  assetNodes { assetKey { path } partitionStats { numPartitions numMaterialized numFailed }
    assetMaterializations(limit: 1) { timestamp runId } }
  runsOrError(limit: 25) { ... on Runs { results { runId status stats { ... on RunStatsSnapshot { endTime } } } } }
}"""


@dataclass
class Told:
    """What one route answered: seconds from the planned moment, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        """The answer that this share of all was as quick as; an error was as slow as can be."""
        ordered = sorted(self.seconds) + [float("inf")] * len(self.errors)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True)
class Load:
    """How many ask, how often, for how long."""

    port: int
    token: str
    connections: int
    think_s: float
    seconds: float

    async def run(self) -> dict[str, Told]:
        told = {route: Told() for route in ROUTES}
        begin = time.monotonic() + 1.0
        await asyncio.gather(*(self._visitor(number, begin, told) for number in range(self.connections)))
        return told

    async def _visitor(self, number: int, begin: float, told: dict[str, Told]) -> None:
        """Asks each route in turn, at moments of its own; it is late only when an answer was."""
        talk = Talk(self.port, self.token)
        first = begin + self.think_s * number / self.connections
        for turn in range(int(self.seconds / self.think_s)):
            planned, route = first + turn * self.think_s, ROUTES[(number + turn) % len(ROUTES)]
            await asyncio.sleep(max(0.0, planned - time.monotonic()))
            try:
                status = await asyncio.wait_for(talk.ask(route), 30)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                told[route].errors.append(type(error).__name__)
                talk.close()
                continue
            if status == b"200":
                told[route].seconds.append(time.monotonic() - planned)
            else:
                told[route].errors.append(status.decode())
        talk.close()


class Talk:
    """One connection that is kept."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._heads = port, f"Host: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, route: str) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"GET {route} HTTP/1.1\r\n{self._heads}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        return head.split(b" ", 2)[1]

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def look_at_the_ui(up: Up, pages: list[float]) -> None:
    """As an open tab does: a websocket that is kept, and the page's questions every two seconds."""
    heads = {"Authorization": f"Bearer {up.token}"}
    address = f"ws://127.0.0.1:{up.port}/graphql"
    async with connect(address, subprotocols=["graphql-ws"], additional_headers=heads, proxy=None) as tab:
        await tab.send(json.dumps({"type": "connection_init"}))
        while True:
            begun = time.monotonic()
            await asyncio.to_thread(up.ask, _PAGE)
            pages.append(time.monotonic() - begun)
            await asyncio.sleep(max(0.0, _UI_EVERY_S - pages[-1]))


@contextmanager
def lived_in() -> Iterator[Up]:
    """A house with alerts to read, up in a home of its own, which is gone afterwards."""
    with TemporaryDirectory(prefix="coinhts-load-") as folder:
        home = Path(folder) / "home"
        up = Up(home, free_port(), web__password="load", web__token="load", **_SETTINGS)  # noqa: S106 - not secret
        try:
            up.arrive()
            write_alerts(home)
            yield up
            up.stop()
        finally:
            if up.process.poll() is None:
                up.process.kill()
            files = place_of(home).files
            with EmbeddedServer.share(home):
                pass  # the last one out stops what was left
            shutil.rmtree(files, ignore_errors=True)


def write_alerts(home: Path) -> None:
    begun = datetime.now(UTC) - timedelta(days=1)
    url = EmbeddedServer(place_of(home)).url("coinhts")
    with Ledger.open(url) as ledger:
        outbox = Outbox.open(ledger, read_settings({"COINHTS_HOME": str(home)}))
        for number in range(_ALERTS):
            alert = Alert(f"load {number}", "info", f"alert {number}", "one line\nand another")
            outbox.raise_alert(alert, begun + timedelta(minutes=number), to=["file"])


@contextmanager
def backfill_beside(up: Up) -> Iterator[subprocess.Popen[bytes]]:
    """All days until yesterday; one that ends early is seen by its return code."""
    named = {f"COINHTS_{name.upper()}": value for name, value in _SETTINGS.items()}
    environ = {"PATH": os.environ["PATH"], "COINHTS_HOME": str(up.home), **named}
    command = [sys.executable, "-m", "coinhts_pipeline.cli", "backfill", "--json"]
    process = subprocess.Popen(
        command, env=environ, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            for member in psutil.Process(process.pid).children(recursive=True):
                member.kill()
        process.kill()
        process.wait()


async def measured(up: Up, load: Load, pages: list[float]) -> dict[str, Told]:
    tab = asyncio.create_task(look_at_the_ui(up, pages))
    try:
        return await load.run()
    finally:
        tab.cancel()
        with suppress(asyncio.CancelledError):
            await tab


def table(load: Load, told: dict[str, Told]) -> str:
    lines = [f"{'route':<22}{'offered/s':>10}{'served/s':>10}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'errors':>8}"]
    for route, of in told.items():
        offered = (len(of.seconds) + len(of.errors)) / load.seconds
        served, waits = len(of.seconds) / load.seconds, [of.at(share) * 1_000 for share in (0.5, 0.95, 0.99)]
        shown = "".join(f"{wait:>9.1f}" for wait in waits)
        lines.append(f"{route:<22}{offered:>10.1f}{served:>10.1f}{shown}{len(of.errors):>8}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--think", type=float, default=0.5, help="seconds between two requests of a connection")
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    pages: list[float] = []
    with ExitStack() as stack:
        up = stack.enter_context(lived_in())
        backfill = stack.enter_context(backfill_beside(up))
        time.sleep(5)  # until it is past its start
        load = Load(up.port, up.token or "", chosen.connections, chosen.think, chosen.seconds)
        told = asyncio.run(measured(up, load, pages))
        at_work = backfill.poll() is None
    is_met = at_work and all(not of.errors and of.at(0.99) <= MOST_S for of in told.values())
    say = sys.stdout.write
    say(f"{load.connections} connections, one request each {load.think_s:g} s, for {load.seconds:g} s\n")
    say(table(load, told) + "\n")
    for route, of in told.items():
        if of.errors:
            say(f"{route}: {', '.join(sorted(set(of.errors)))}\n")
    say(f"the UI's page meanwhile: {len(pages)} times, at worst {max(pages, default=0.0):.1f} s\n")
    say(f"the backfill {'was at work all the time' if at_work else 'ended early: the figures are too good'}\n")
    say(f"goal: p99 at most {MOST_S * 1_000:.0f} ms and no error: {'met' if is_met else 'missed'}\n")
    return 0 if is_met else 2


if __name__ == "__main__":
    sys.exit(main())
