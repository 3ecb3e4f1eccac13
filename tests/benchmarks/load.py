"""Many visitors at once while the house is at work: `make load`.

What lives here: a real `coinhts up` with a login, a backfill beside it, and somebody who has the UI open. What stays
out: who asks (`visitors`), and those who ask for backtests (`load_requests`).
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
from tests.benchmarks.visitors import Crowd, Line, Told, Visitor, crowd_asked, table
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


def reader(number: int) -> Visitor:
    """Asks for one page after the other."""
    del number

    async def visit(line: Line, route: str, turn: int) -> int:
        del turn
        status, _ = await line.ask("GET", route)
        return status

    return visit


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


async def measured(up: Up, crowd: Crowd, pages: list[float]) -> dict[str, Told]:
    tab = asyncio.create_task(look_at_the_ui(up, pages))
    try:
        return await crowd.ask(ROUTES, reader)
    finally:
        tab.cancel()
        with suppress(asyncio.CancelledError):
            await tab


def main() -> int:
    crowd_at = crowd_asked(__doc__, connections=200, think=0.5, seconds=60.0)
    pages: list[float] = []
    with ExitStack() as stack:
        up = stack.enter_context(lived_in())
        backfill = stack.enter_context(backfill_beside(up))
        time.sleep(5)  # until it is past its start
        crowd = crowd_at(up.port, up.token or "")
        told = asyncio.run(measured(up, crowd, pages))
        at_work = backfill.poll() is None
    is_met = at_work and all(not of.errors and of.at(0.99) <= MOST_S for of in told.values())
    say = sys.stdout.write
    say(f"{crowd}\n{table(crowd, told)}\n")
    say(f"the UI's page meanwhile: {len(pages)} times, at worst {max(pages, default=0.0):.1f} s\n")
    say(f"the backfill {'was at work all the time' if at_work else 'ended early: the figures are too good'}\n")
    say(f"goal: p99 at most {MOST_S * 1_000:.0f} ms and no error: {'met' if is_met else 'missed'}\n")
    return 0 if is_met else 2


if __name__ == "__main__":
    sys.exit(main())
