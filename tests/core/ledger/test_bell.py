import os
import threading
import time

import psycopg
import pytest
from psycopg.errors import DivisionByZero

from coinhts_core.ledger.bell import Bell


@pytest.fixture
def bell(ledger):
    return Bell(ledger.url, "LISTEN testing")


def ring(ledger):
    with ledger.transaction() as connection:
        connection.execute("NOTIFY testing")


def heard(bell):
    """Give its number once it listens, or fail within two seconds."""
    return until(bell.rung)


def until(found):
    deadline = time.monotonic() + 2
    while not (answer := found()):
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)
    return answer


def test_a_ring_is_heard_once_it_is_committed(ledger, bell):
    """The number moves, soon; before anybody listens there is none, and a ring that is taken back is none."""
    assert bell.rung() is None
    bell.listen()
    before = heard(bell)
    with pytest.raises(DivisionByZero), ledger.transaction() as connection:
        connection.execute("NOTIFY testing; SELECT 1 / 0")
    ring(ledger)
    until(lambda: bell.rung() == before + 1)
    ring(ledger)
    until(lambda: bell.rung() == before + 2)


def test_one_that_is_lost_is_known_to_be_and_begins_anew(ledger, bell):
    """Whoever listens again finds the number moved, for a ring may have been missed."""
    bell.listen()
    before = heard(bell)
    with ledger.transaction() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN testing'")
    until(lambda: bell.rung() is None)
    bell.listen()
    assert heard(bell) > before


def test_asking_twice_listens_once(ledger, bell):
    """One thread and one connection, however many ask at once."""
    askers = [threading.Thread(target=bell.listen) for _ in range(8)]
    for asker in askers:
        asker.start()
    heard(bell)
    with psycopg.connect(ledger.url) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN testing'"
        assert connection.execute(query).fetchone() == (1,)


def test_nobody_hears_where_nobody_answers():
    """It says nothing, and is no error of whoever asked."""
    silent = Bell("postgresql://127.0.0.1:1/nowhere", "LISTEN testing")
    silent.listen()
    silent._listener.join(10)
    assert silent.rung() is None


def test_a_forked_process_does_not_believe_that_it_hears(bell):
    """Threads stay behind in a fork, and what they knew would be believed for ever."""
    bell.listen()
    heard(bell)
    child = os.fork()
    if not child:
        os._exit(0 if bell.rung() is None else 1)
    assert os.waitpid(child, 0)[1] == 0
