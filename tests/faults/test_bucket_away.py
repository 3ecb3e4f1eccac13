"""A bucket that answers 503 for minutes: a backfill waits, goes on by itself, and comes to the same."""

import time
from datetime import date
from functools import partial
from threading import Event, Thread

import pytest

from coinhts_core.lake import s3 as of_s3
from coinhts_core.lake.s3 import Patience, S3Store
from coinhts_pipeline import backfill, verdicts
from coinhts_pipeline.backfill import Runner, execute, plan
from coinhts_pipeline.definitions import defs
from tests.conftest import Bucket
from tests.core.lake.conftest import Network

_DAYS = (date(2026, 1, 1), date(2026, 1, 3))
_QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=0.05)
_IN_THE_SUITE_S, _IN_EARNEST_S = 3.0, 600.0


def outcome_of(house):
    """Fill it, and tell everything that must not depend on what happened meanwhile."""
    rooms = house.rooms
    execute(Runner(house.installation, defs()), plan(house.installation, rooms.active, *_DAYS))
    assert not plan(house.installation, rooms.active, *_DAYS).blocks
    return {**house.outcome(), "leaderboard": rooms.lake.read_whole("leaderboard").rows()}


@pytest.fixture
def impatient(monkeypatch):
    """Wait no longer than a suite has time for: the same code, other figures."""
    monkeypatch.setattr(of_s3, "S3Store", partial(S3Store, patience=_QUICK))
    monkeypatch.setattr(verdicts, "_SECONDS_BETWEEN", 0)
    monkeypatch.setattr(backfill, "_PAUSES_S", (0.5, 1, 1, 2, 2, 4, 4))


class Outage(Thread):
    """The bucket is away from its n-th put on, for so many seconds; an answer once it is over."""

    def __init__(self, network: Network, put: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._network, self._put, self._seconds = network, put, seconds
        self._is_away, self.refused, self.is_over = Event(), 0, Event()
        network.fault = self._fault

    def _fault(self, method: str, path: str) -> str | None:
        del path
        self._put -= method == "PUT"
        if self._put < 0 and not self._is_away.is_set() and not self.is_over.is_set():
            self._is_away.set()
        if self._is_away.is_set():
            self.refused += 1
            return "503"
        return None

    def run(self) -> None:
        self._is_away.wait()
        time.sleep(self._seconds)
        self.is_over.set()
        self._is_away.clear()


def go_through(open_house, s3: Bucket, network: Network, seconds: float) -> Outage:
    with open_house(symbols="KRW-BTC") as calm:
        expected = outcome_of(calm)
    with open_house(symbols="KRW-BTC", lake=s3.url, s3__endpoint=network.endpoint) as house:
        outage = Outage(network, put=4, seconds=seconds)
        outage.start()
        found = outcome_of(house)
        assert outage.is_over.is_set()
        assert found["positions"] == expected["positions"]
        assert found == expected
    return outage


def test_a_backfill_outlives_a_bucket_that_is_away_for_a_while(open_house, s3, impatient):
    """Nothing is lost, nothing is stored twice, and nobody has to begin it again."""
    assert impatient is None
    with Network(s3.endpoint) as network:
        assert go_through(open_house, s3, network, _IN_THE_SUITE_S).refused > 5


@pytest.mark.slow
def test_a_backfill_outlives_ten_minutes_without_its_bucket(open_house, s3, aloud):
    """With the waits that everybody has."""
    begun = time.monotonic()
    with Network(s3.endpoint) as network:
        outage = go_through(open_house, s3, network, _IN_EARNEST_S)
    aloud(f"ten minutes of 503: {outage.refused} refusals, and done {time.monotonic() - begun - 600:.0f} s after them")
