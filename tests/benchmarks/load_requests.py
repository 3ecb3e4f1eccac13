"""Many who ask for backtests, look how they stand and cancel them, while the house answers: `make load-requests`.

What lives here: what each of them does, what became of all they were promised, and a queue that is full. What stays
out: who asks (`visitors`), and routes that only read (`load`), from which this borrows the house.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.requests.desk import MOST_QUEUED
from coinhts_pipeline.installation import PROJECT
from tests.benchmarks.load import lived_in
from tests.benchmarks.visitors import Line, Visitor, crowd_asked, table
from tests.pipeline.upheld import Up

GOALS_S = {"submit": 1.0, "status": 0.3, "cancel": 0.5}
LONGEST_S, REFUSED_S = 2.0, 0.1
TAKEN, DISTINCT = 0.95, 0.90
_COLLECTED_DAYS = 5
_REFUSALS = 200
_COUNT = "SELECT count(*), count(DISTINCT identity), count(*) FILTER (WHERE identity = ANY(%s)) FROM requests"


class Askers:
    """Each submits a question of its own, looks how it stands, and cancels it."""

    def __init__(self, first: str, last: str) -> None:
        self._span = {"start_date": first, "end_date": last}
        self.submitted: Counter[int] = Counter()
        self.promised: list[str] = []

    def arriving(self, number: int) -> Visitor:
        name = ""

        async def visit(line: Line, deed: str, turn: int) -> int:
            nonlocal name
            if deed == "status":
                return (await line.ask("GET", f"/api/backtests/{name}"))[0]
            if deed == "cancel":
                return (await line.ask("DELETE", f"/api/backtests/{name}"))[0]
            status, name = await self.submit(line, number * 10_000 + turn)
            return status

        return visit

    async def submit(self, line: Line, number: int) -> tuple[int, str]:
        """A question that no other number asks; its id, if it is taken."""
        account = {"cash": 1_000_000 + number}
        asked = {"strategy": "sma_cross", "symbols": ["KRW-BTC"], "account": account, **self._span}
        status, body = await line.ask("POST", "/api/backtests", json.dumps(asked).encode())
        self.submitted[status] += 1
        if status != 202:
            return status, ""
        self.promised.append(json.loads(body)["id"])
        return status, self.promised[-1]


async def fill(up: Up, askers: Askers) -> list[float]:
    """Submit until the queue is full, and for how long each of those waits who come then."""
    line, waits, number = Line(up.port, up.token or ""), [], 100_000_000
    while len(waits) < _REFUSALS and number < 100_000_000 + 3 * MOST_QUEUED:
        number, begun = number + 1, time.monotonic()
        status, _ = await askers.submit(line, number)
        if status == 429:
            waits.append(time.monotonic() - begun)
    line.close()
    return sorted(waits)


def collect(up: Up, first: str, last: str) -> None:
    """Some days to ask about."""
    span = f"{first}..{last}"
    environ = {"PATH": os.environ["PATH"], "COINHTS_HOME": str(up.home), "COINHTS_SYMBOLS": "KRW-BTC,KRW-ETH,KRW-XRP"}
    command = [sys.executable, "-m", "coinhts_pipeline.cli", "backfill", "--timerange", span, "--json"]
    subprocess.run(command, env=environ, cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)


def count(up: Up, promised: list[str]) -> tuple[int, int, int]:
    """How many rows there are, how many identities, and how many of those that were promised."""
    with Ledger.open(EmbeddedServer(place_of(up.home)).url("coinhts")) as ledger, ledger.transaction() as connection:
        (found,) = connection.execute(_COUNT, [list(set(promised))]).fetchall()
    return found


def main() -> int:
    crowd_at = crowd_asked(__doc__, connections=500, think=2.0, seconds=300.0)
    last = datetime.now(UTC).date() - timedelta(days=1)
    askers = Askers(str(last - timedelta(days=_COLLECTED_DAYS - 1)), str(last))
    with lived_in() as up:
        collect(up, str(last - timedelta(days=_COLLECTED_DAYS - 1)), str(last))
        crowd = crowd_at(up.port, up.token or "")
        told = asyncio.run(crowd.ask(list(GOALS_S), askers.arriving))
        submitted, promised = Counter(askers.submitted), list(askers.promised)
        rows, identities, kept = count(up, promised)
        refused = asyncio.run(fill(up, askers))
    taken, distinct = submitted[202] / submitted.total(), len(set(promised)) / max(1, len(promised))
    lost, doubled = len(set(promised)) - kept, rows - identities
    slowest = refused[int(0.99 * len(refused))] if refused else float("inf")
    is_met = (
        all(not of.errors and of.at(0.99) <= GOALS_S[deed] and of.at(1.0) <= LONGEST_S for deed, of in told.items())
        and (lost, doubled) == (0, 0)
        and taken >= TAKEN
        and distinct >= DISTINCT
        and slowest <= REFUSED_S
    )
    say = sys.stdout.write
    say(f"{crowd}\n{table(crowd, told)}\n")
    say(f"{submitted.total()} submitted: {taken:.1%} taken, {distinct:.1%} distinct, {lost} lost, {doubled} doubled\n")
    say(f"over the bound of {MOST_QUEUED}: {len(refused)} refused, p99 {slowest * 1_000:.1f} ms\n")
    say(f"goal: p99 at most {GOALS_S}, none over {LONGEST_S} s, no error, nothing lost or doubled, {TAKEN:.0%} taken, ")
    say(f"{DISTINCT:.0%} distinct, refused in {REFUSED_S * 1_000:.0f} ms: {'met' if is_met else 'missed'}\n")
    return 0 if is_met else 2


if __name__ == "__main__":
    sys.exit(main())
