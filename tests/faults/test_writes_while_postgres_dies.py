"""PostgreSQL killed again and again while people write: what was acknowledged is there, and what was not can be asked.

The kernel lives on, so this is about the server's journal and its recovery; a machine without power is not tried here.
"""

import time
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread

import psutil
import pytest

from coinhts_core.errors import RetryableError
from coinhts_core.ledger.connection import Ledger, ensure_database
from coinhts_core.ledger.migrate import migrate
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import read_settings
from coinhts_pipeline.up import Postgres
from tests.faults.test_postgres_killed import kill_all_of

_WRITERS = 4
# An effect that is told apart by a key of its own, as everything in the ledger is.
_WRITE = """
    INSERT INTO trials (identity, strategy, symbols, first_day, last_day)
    VALUES (%s, %s, '{KRW-BTC}', '2026-01-01', '2026-01-02')
"""


@dataclass
class Told:
    """What writers were told about what they wrote, by its key."""

    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def write(self, ledger: Ledger, name: str, stop: Event) -> None:
        for number in count():
            if stop.is_set():
                return
            key = sha256(f"{name} {number}".encode()).hexdigest()
            try:
                with ledger.transaction() as connection:
                    connection.execute(_WRITE, (key, name))
            except RetryableError:
                with self.lock:
                    self.unknown.add(key)
                time.sleep(0.01)
            else:
                with self.lock:
                    self.acknowledged.add(key)


def kill(server: EmbeddedServer, chance: Random) -> None:
    """All processes at once; or the postmaster alone, or one that serves somebody."""
    postmaster = psutil.Process(int((server.data_directory / "postmaster.pid").read_text().split("\n")[0]))
    way = chance.randrange(3)
    if way == 0:
        kill_all_of(server)
    elif way == 1:
        postmaster.kill()
    else:
        serving = [of for of in postmaster.children() if "[local]" in " ".join(of.cmdline())]
        chance.choice(serving or [postmaster]).kill()


def revived(home: Path, url: str) -> float:
    """As `coinhts up` does it, until it lets people in; the seconds that took."""
    kept, begun = Postgres(read_settings({"COINHTS_HOME": str(home)})), time.monotonic()
    while True:
        kept.keep_alive()
        try:
            Ledger.open(url, most_connections=1).close()
        except RetryableError:
            assert time.monotonic() - begun < 60
            time.sleep(0.1)
        else:
            return time.monotonic() - begun


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_whatever_was_acknowledged_is_there(server_home, kills, aloud):
    """Nothing of it is lost; what ended in an error is there or not, its key tells, and writing it again makes one."""
    chance, told, stop = Random(kills), Told(), Event()  # noqa: S311 - chance, no secret
    with EmbeddedServer.share(server_home) as server:
        url = server.url("coinhts_under_fire")
        ensure_database(url)
        with Ledger.open(url) as ledger:
            migrate(ledger)
            writers = [Thread(target=told.write, args=(ledger, f"writer {n}", stop)) for n in range(_WRITERS)]
            for writer in writers:
                writer.start()
            away = []
            for _ in range(kills):
                before = len(told.acknowledged)
                while len(told.acknowledged) < before + 100:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.1))
                kill(server, chance)
                away.append(revived(server_home, url))
            stop.set()
            for writer in writers:
                writer.join(60)
        with Ledger.open(url) as ledger:
            with ledger.transaction() as connection:
                there = {key for (key,) in connection.execute("SELECT identity FROM trials")}
            for key in told.unknown:
                with ledger.transaction() as connection:
                    connection.execute(f"{_WRITE} ON CONFLICT (identity) DO NOTHING", (key, "again"))
            with ledger.transaction() as connection:
                (rows,) = connection.execute("SELECT count(*) FROM trials").fetchone()
    committed = told.unknown & there
    aloud(
        f"{kills} kills: {len(told.acknowledged):,} acknowledged, {len(told.acknowledged - there)} lost, "
        f"{len(told.unknown)} ended in an error, {len(committed)} of those were committed all the same; "
        f"away {max(away):.2f} s at most"
    )
    assert told.acknowledged <= there
    assert there == told.acknowledged | committed
    assert rows == len(told.acknowledged | told.unknown)
