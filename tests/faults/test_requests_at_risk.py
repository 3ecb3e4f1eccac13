"""Requests among strategies that misbehave, and in a house whose processes are killed: each ends, in one way, once."""

import json
import random
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from itertools import cycle, islice

import psutil
import pytest

from coinhts_core.clock import now
from coinhts_core.requests.desk import Desk
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.installation import PROJECT
from coinhts_pipeline.requests.pool import Limits, Pool
from coinhts_pipeline.requests.run import Answering
from tests.pipeline.asking import FIRST, POISON, ask, collect, misbehave, poison
from tests.pipeline.upheld import Up, free_port

pytestmark = pytest.mark.slow

_GOOD, _BAD = 1_000, 50
_KILLING_S = 300
_FINAL = {"completed", "failed", "cancelled", "dead"}
_DAYS = ("2026-11-02", "2026-11-06")


def test_a_thousand_good_requests_are_answered_while_fifty_bad_ones_die(open_house):
    """Beside endless loops, ten gigabytes, forks, floods, crashes and whatever else a strategy may do."""
    with open_house(symbols="KRW-BTC", start_date=str(FIRST)) as house:
        rooms = house.rooms
        collect(rooms)
        poison(rooms)
        bad = {misbehave(rooms, name, number).id for number, name in enumerate(islice(cycle(POISON), _BAD))}
        good = {ask(rooms, account={"cash": 1_000_000 + number}).id for number in range(_GOOD)}
        desk = Desk(rooms.ledger)
        with Pool(2, Limits(seconds=30, memory_mb=1_024)) as pool:
            ended = {of.claim.id: of for of in Answering(desk, pool, "w", lingers_s=0.0).settled()}
        assert {name: ended[name].reason for name in good if ended[name].state != "completed"} == {}
        assert {ended[name].state for name in bad} == {"failed"}
        assert all(ended[name].reason for name in bad)
        assert ended.keys() == good | bad


class Lived:
    """A house that answers requests, and whoever is in it."""

    def __init__(self, home):
        self.port = free_port()
        self.up = Up(home, self.port, web__password="geheim", web__token="tok")  # noqa: S106 - not secret
        self.up.arrive()

    def ask(self, method, path, body=None):
        """None while nobody answers."""
        heads = {"Authorization": "Bearer tok", "Content-Type": "application/json"}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        with suppress(OSError, HTTPException, ValueError):
            connection.request(method, path, body and json.dumps(body), heads)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        return None

    def submit(self, number):
        asked = {"strategy": "sma_cross", "start_date": _DAYS[0], "end_date": _DAYS[1], "symbols": ["KRW-BTC"]}
        return self.ask("POST", "/api/backtests", asked | {"account": {"cash": 1_000_000 + number}})

    def victims(self):
        """The daemon, the code server, runs, and processes that answer."""
        found = [self.up.children().get(name) for name in ("daemon", "code")]
        for process in psutil.Process(self.up.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                words = " ".join(process.cmdline())
                if "execute_run" in words or "requests.worker" in words:
                    found.append(process)
        return [process for process in found if process]


def test_whoever_is_killed_each_request_ends_once(tmp_path):
    """Daemon, code server, runs and workers, at random, for minutes."""
    home = tmp_path / "home"
    named = {"COINHTS_HOME": str(home), "COINHTS_SYMBOLS": "KRW-BTC", "COINHTS_START_DATE": "2026-11-01"}
    collecting = [
        sys.executable,
        "-m",
        "coinhts_pipeline.cli",
        "backfill",
        "--timerange",
        "20261101-20261106",
        "--json",
    ]
    subprocess.run(collecting, env=named, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    house, chance, asked, number = Lived(home), random.Random(7), {}, 0  # noqa: S311 - chance, no secret
    try:
        until = time.monotonic() + _KILLING_S
        while time.monotonic() < until:
            for _ in range(5):
                number += 1
                if taken := house.submit(number):
                    assert taken[0] == 202
                    asked[number] = taken[1]["id"]
            time.sleep(chance.uniform(3, 10))
            with suppress(psutil.Error, IndexError):
                chance.choice(house.victims()).kill()
        deadline = time.monotonic() + 300
        while True:
            standing = {name: house.ask("GET", f"/api/backtests/{name}") for name in asked.values()}
            open_ones = [name for name, of in standing.items() if not of or of[1]["state"] not in _FINAL]
            if not open_ones:
                break
            assert time.monotonic() < deadline, f"{len(open_ones)} of {len(asked)} do not end"
            time.sleep(2)
        states = {name: of[1]["state"] for name, of in standing.items()}
        assert "completed" in states.values()
        for name, state in states.items():
            status, _ = house.ask("GET", f"/api/backtests/{name}/result")
            assert status == (200 if state == "completed" else 409)
        assert {number: house.submit(number)[1]["id"] for number in asked} == asked
    finally:
        house.up.stop()


def test_two_who_answer_at_once_share_the_work(open_house):
    """Each request is computed by one of them, and kept once."""
    with open_house(symbols="KRW-BTC", start_date=str(FIRST)) as house:
        rooms = house.rooms
        collect(rooms)
        names = {ask(rooms, account={"cash": 1_000_000 + number}).id for number in range(12)}
        desk = Desk(rooms.ledger)
        with Pool(1, Limits()) as one, Pool(1, Limits()) as other:
            loops = [
                Answering(desk, pool, worker, lingers_s=0.5).settled() for pool, worker in ((one, "v"), (other, "w"))
            ]
            ended = []
            while loops:
                for loop in list(loops):
                    settled = next(loop, None)
                    if settled is None:
                        loops.remove(loop)
                    else:
                        ended.append(settled.claim.id)
        assert sorted(ended) == sorted(names)
        shelf = Shelf(rooms.ledger, rooms.lake)
        assert {of.id for of in shelf.listed()} == names
        assert desk.requeue_orphans(now()) == []
