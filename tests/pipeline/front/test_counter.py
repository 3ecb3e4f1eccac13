"""The counter itself; what is asked there is in the tests of those who ask."""

import asyncio
from http import HTTPStatus

import pytest

from coinhts_core.errors import (
    BadRequestError,
    LedgerBusyError,
    QueueFullError,
    RequestStateError,
    UnknownRequestError,
    UnknownResultError,
)
from coinhts_pipeline.front.counter import ONCE, Counter
from coinhts_pipeline.front.readings import Readings


@pytest.fixture
def ask(ledger, settings):
    """Ask at the counter of a house; `error` is what comes of it."""
    counter = Counter(Readings(ledger, settings(), patience_s=0.3))

    def asked(error=None, patience_s=ONCE):
        tries = []

        def question(reception):
            tries.append(reception)
            if error:
                raise error
            return reception.desk.counts()["queued"]

        return asyncio.run(counter.asked(question, patience_s)), len(tries)

    return asked


def test_who_asks_is_answered(ask):
    """By the house's own reception."""
    assert ask() == (0, 1)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequestError(field="fast", reason="x"), HTTPStatus.BAD_REQUEST, "bad_request"),
        (UnknownRequestError(name="x"), HTTPStatus.NOT_FOUND, "unknown_request"),
        (UnknownResultError(name="x"), HTTPStatus.NOT_FOUND, "unknown_result"),
        (RequestStateError(id="x", state="dead", deed="y"), HTTPStatus.CONFLICT, "bad_state"),
    ],
)
def test_a_refusal_is_told_and_not_tried_again(ask, error, status, code):
    """With the sentence of the error, and its field."""
    refusal, tries = ask(error, patience_s=None)
    assert (refusal.status, refusal.code, refusal.message, tries) == (status, code, str(error), 1)
    assert refusal.field == getattr(error, "field", None)


def test_a_full_queue_is_not_waited_for(ask):
    """It says when to come again."""
    refusal, tries = ask(QueueFullError(queued=5, seconds=30), patience_s=None)
    assert (refusal.status, refusal.retry_after_s, tries) == (HTTPStatus.TOO_MANY_REQUESTS, 30, 1)


def test_a_ledger_that_is_away_is_waited_for_unless_it_may_be_asked_once(ask):
    """What changes something nobody repeats without looking."""
    away = LedgerBusyError(seconds=1)
    assert ask(away, patience_s=ONCE)[1] == 1
    refusal, tries = ask(away, patience_s=None)
    assert (refusal.status, tries > 1) == (HTTPStatus.SERVICE_UNAVAILABLE, True)


def test_without_a_ledger_nobody_is_answered():
    """It says when to come again."""
    refusal = asyncio.run(Counter(None).asked(lambda _: 1))
    assert (refusal.status, refusal.retry_after_s) == (HTTPStatus.SERVICE_UNAVAILABLE, 5)
