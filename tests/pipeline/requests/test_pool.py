import time

import psutil
import pytest

from coinhts_core.requests.desk import Claim
from coinhts_pipeline.requests.pool import Ended, Limits, Pool, Told
from tests.pipeline.asking import ask, misbehave


@pytest.fixture
def rooms(asked):
    return asked.rooms


def claim(standing):
    return Claim(standing.id, 1, standing.asked)


def ends(pool, count):
    """What ends, as many as there are to be."""
    deadline, ended = time.monotonic() + 60, []
    while len(ended) < count:
        assert time.monotonic() < deadline
        ended += [of for of in pool.heard(0.2) if isinstance(of, Ended)]
    return {of.claim.id: of.verdict for of in ended}


def workers_of_this_process():
    return [of for of in psutil.Process().children() if "coinhts_pipeline.requests.worker" in of.cmdline()]


def test_good_ones_are_answered_beside_one_that_is_stopped(rooms):
    """Each worker is free again when its request has ended."""
    slow, good = claim(misbehave(rooms, "sleeps")), claim(ask(rooms))
    with Pool(2, Limits(seconds=60)) as pool:
        assert pool.free == 2
        pool.begin(slow)
        pool.begin(good)
        assert pool.free == 0
        assert [of.end for of in ends(pool, 1).values()] == ["completed"]
        pool.stop(good)  # it has ended, and nothing happens
        pool.stop(slow)
        assert ends(pool, 1)[slow.id].reason == "it was stopped"
        assert pool.free == 2
    assert workers_of_this_process() == []


def test_a_worker_that_was_killed_is_replaced(rooms):
    """What it was at may be tried again, by another."""
    slow, good = claim(misbehave(rooms, "sleeps", 1)), claim(ask(rooms, params={"fast": 4, "slow": 9}))
    with Pool(1, Limits(seconds=60)) as pool:
        pool.begin(slow)
        while not any(isinstance(of, Told) for of in pool.heard(0.2)):
            pass
        (worker,) = workers_of_this_process()
        worker.kill()
        assert ends(pool, 1)[slow.id].end == "again"
        pool.begin(good)
        assert ends(pool, 1)[good.id].end == "completed"
