import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from coinhts_core.errors import LedgerBusyError
from coinhts_core.ledger.connection import Ledger
from coinhts_pipeline.front.readings import AT_ONCE, Readings, busy, refused


@pytest.fixture
def readings(ledger, settings):
    with Ledger.open(ledger.url, AT_ONCE, AT_ONCE) as pooled:
        yield Readings(pooled, settings())


def test_sixteen_at_once_wait_for_no_connection(readings):
    """Each has one of its own while all of them read."""
    together = threading.Barrier(AT_ONCE)

    def read():
        with readings.ledger.transaction() as connection:
            together.wait(20)
            return connection.execute("SELECT pg_backend_pid()").fetchone()[0]

    async def at_once():
        return await asyncio.gather(*(readings.ask(read) for _ in range(AT_ONCE)))

    assert len(set(asyncio.run(at_once()))) == AT_ONCE == 16
    counts = readings.ledger.counts()
    assert counts["requests_num"] == AT_ONCE
    assert (counts.get("requests_queued", 0), counts["requests_waiting"], counts.get("requests_errors", 0)) == (0, 0, 0)


def test_a_hundred_at_once_wait_for_their_turn_not_for_a_connection(readings):
    """So no reader is turned away because others read."""

    def read():
        with readings.ledger.transaction() as connection:
            return connection.execute("SELECT pg_sleep(0.01)").fetchone()

    async def at_once():
        return await asyncio.gather(*(readings.ask(read) for _ in range(100)))

    assert len(asyncio.run(at_once())) == 100
    counts = readings.ledger.counts()
    assert (counts["requests_num"], counts.get("requests_queued", 0)) == (100, 0)


def test_the_same_question_of_many_is_asked_once_for_those_who_came_before(readings):
    """Whoever comes while it is being asked waits for the next: he is told what is true after he came."""
    asked, gate = [], threading.Event()

    def read():
        asked.append(len(asked))
        gate.wait(20)
        return asked[-1]

    async def many():
        first = [asyncio.ensure_future(readings.ask_together("x", read)) for _ in range(10)]
        while not asked:  # noqa: ASYNC110 - it is a thread that asks
            await asyncio.sleep(0.01)
        late = [asyncio.ensure_future(readings.ask_together("x", read)) for _ in range(10)]
        await asyncio.sleep(0.05)
        late[0].cancel()  # who leaves takes nobody with him
        gate.set()
        return await asyncio.gather(*first), await asyncio.gather(*late[1:])

    assert asyncio.run(many()) == ([0] * 10, [1] * 9)
    assert (readings._begun, readings._next) == ({}, {})


def test_an_error_is_told_to_all_who_asked(readings):
    """And to nobody who asks later."""
    answers = iter([LedgerBusyError(seconds=2), "there"])

    def read():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def many():
        readings._patience_s = 0.0
        errors = await asyncio.gather(*(readings.ask_together("x", read) for _ in range(3)), return_exceptions=True)
        return [type(error) for error in errors], await readings.ask_together("x", read)

    assert asyncio.run(many()) == ([LedgerBusyError] * 3, "there")


def test_what_is_away_for_a_moment_is_asked_again(readings):
    """Until it answers; who has no patience is told at once."""
    tries = iter([True, True, False])

    def read():
        if next(tries):
            raise LedgerBusyError(seconds=2)
        return "there"

    assert asyncio.run(readings.ask(read)) == "there"
    tries = iter([True])
    with pytest.raises(LedgerBusyError):
        asyncio.run(readings.ask(read, patience_s=0.0))


def test_waiting_holds_no_thread_up(readings):
    """However many wait for a ledger that is away, whoever asks for something else is served."""

    def away():
        raise LedgerBusyError(seconds=2)

    async def many():
        waiting = [asyncio.ensure_future(readings.ask(away, patience_s=1.0)) for _ in range(200)]
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        assert await readings.ask(lambda: "there") == "there"
        took = time.monotonic() - begun
        await asyncio.gather(*waiting, return_exceptions=True)
        return took

    assert asyncio.run(many()) < 0.5


def test_a_refusal_says_when_to_come_back():
    """And nobody keeps it."""
    answer = refused(busy("the ledger is busy"))
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["cache-control"]) == (
        503,
        "5",
        "no-store",
    )


def test_sixteen_programs_at_once_are_all_answered(serve, ledger):
    """Through the port, as they come."""
    with Ledger.open(ledger.url, AT_ONCE, AT_ONCE) as pooled:
        port = serve(pooled, password="geheim", token="tok")  # noqa: S106 - not secret
        with ThreadPoolExecutor(AT_ONCE) as programs:
            asked = [programs.submit(port.read, "/api/alerts", authorization="Bearer tok") for _ in range(AT_ONCE * 4)]
            assert {of.result().status for of in asked} == {200}
        counts = pooled.counts()
    assert counts.get("requests_queued", 0) == 0
