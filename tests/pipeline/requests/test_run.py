import threading
from datetime import timedelta

import psutil
import pytest

from coinhts_core.clock import now
from coinhts_core.errors import LedgerBusyError
from coinhts_core.requests.desk import Desk
from coinhts_pipeline.requests.pool import Limits, Pool
from coinhts_pipeline.requests.run import Answering
from tests.pipeline.asking import ask, misbehave


@pytest.fixture
def rooms(asked):
    return asked.rooms


@pytest.fixture(scope="module")
def _pool(asked_house):
    with pytest.MonkeyPatch.context() as patched:
        for name, value in asked_house.environ.items():
            patched.setenv(name, value)
        with Pool(2, Limits(seconds=60)) as pool:
            yield pool


@pytest.fixture
def answering(rooms, _pool):
    """Answer in the processes of this module, as one worker or another."""

    def begin(worker="w", desk=None, **kept):
        return Answering(desk or Desk(rooms.ledger), _pool, worker, **{"lingers_s": 0.0, **kept})

    return begin


def test_what_waits_is_answered_and_settled(rooms, answering):
    """The good and the bad beside one another, each in its own way."""
    good = [ask(rooms, params={"fast": fast, "slow": 20}).id for fast in (2, 3, 4)]
    bad = [misbehave(rooms, name).id for name in ("leaves", "raises")]
    ended = {of.claim.id: of for of in answering(lingers_s=0.1).settled()}
    assert {name: of.state for name, of in ended.items()} == dict.fromkeys(good, "completed") | dict.fromkeys(
        bad, "failed"
    )
    assert all(ended[name].figures["page"].endswith(f"{name}.html") for name in good)
    desk = Desk(rooms.ledger)
    assert desk.counts()["completed"] == 3
    assert "KeyError" in desk.find(bad[1]).error


def test_claims_that_were_made_for_it_are_taken_over(rooms, answering):
    """And nobody else's."""
    mine, others = ask(rooms).id, ask(rooms, params={"fast": 3, "slow": 9}).id
    desk = Desk(rooms.ledger)
    desk.claim(1, "w", now())
    desk.claim(1, "v", now())
    assert [of.claim.id for of in answering("w").settled()] == [mine]
    assert desk.find(others).state == "running"


def test_cancelling_stops_the_work(rooms, answering):
    """Its process is gone within a moment, and nothing completes it any more."""
    slow = misbehave(rooms, "sleeps").id
    desk = Desk(rooms.ledger)
    ended = []
    at_work = threading.Thread(target=lambda: ended.extend(answering(lingers_s=0.3).settled()))
    at_work.start()
    while desk.find(slow).progress == 0:
        pass
    (worker,) = [of for of in psutil.Process().children() if of.children()]
    (child,) = worker.children()
    desk.cancel(slow, now())
    at_work.join(10)
    assert not at_work.is_alive()
    assert not child.is_running()
    assert (ended, desk.find(slow).state) == ([], "cancelled")


def test_a_claim_that_is_lost_settles_nothing(rooms, answering):
    """Somebody else answers by then."""
    standing = ask(rooms)

    class Slow(Desk):
        """Is taken for dead while it works."""

        def settle(self, claim, verdict, moment):
            self.requeue_orphans(now() + timedelta(minutes=5))
            self.claim(1, "somebody else", now() + timedelta(minutes=5))
            return super().settle(claim, verdict, moment)

    assert list(answering("w", Slow(rooms.ledger)).settled()) == []
    assert [of.id for of in Desk(rooms.ledger).claims("somebody else")] == [standing.id]


def test_a_ledger_that_is_away_is_waited_for(rooms, answering):
    """What ended meanwhile is settled when it is back, once."""
    standing = ask(rooms)

    class Away(Desk):
        """Does not answer the first times."""

        silences = 3

        def settle(self, claim, verdict, moment):
            if self.silences:
                self.silences -= 1
                raise LedgerBusyError(seconds=2)
            return super().settle(claim, verdict, moment)

    (settled,) = answering("w", Away(rooms.ledger), lingers_s=0.1).settled()
    assert (settled.claim.id, settled.state) == (standing.id, "completed")
