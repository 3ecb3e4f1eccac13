import asyncio

import pytest

from coinhts_core.errors import (
    BadPositionError,
    BadRequestError,
    DamagedResultError,
    LedgerUnreachableError,
    PositionConflictError,
    QueueFullError,
    RefusedError,
    RequestStateError,
    UnknownPositionError,
    UnknownRequestError,
    UnknownResultError,
)
from coinhts_pipeline.front.answers import answer_of, refusal_of
from coinhts_pipeline.front.readings import Readings
from tests.pipeline.front.pages.tags import EVIL


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequestError(field=EVIL, reason="no"), 400, "bad_request"),
        (BadPositionError(field="price", reason="no"), 400, "bad_position"),
        (UnknownResultError(name="abcdef"), 404, "unknown_result"),
        (UnknownRequestError(name="abcdef"), 404, "unknown_request"),
        (UnknownPositionError(number=7), 404, "unknown_position"),
        (RequestStateError(id="abcdef", state="dead", deed="cancelled"), 409, "bad_state"),
        (PositionConflictError(number=7, reason="changed"), 409, "conflict"),
        (DamagedResultError(frame="trades", name="abcdef", reason="torn"), 409, "damaged"),
        (RefusedError(reason="no"), 409, "refused"),
        (QueueFullError(queued=2_000, seconds=5), 429, "queue_full"),
        (LedgerUnreachableError(address="here", reason="away"), 503, "busy"),
    ],
)
def test_each_error_has_its_status_and_its_word(error, status, code):
    """And its own sentence; who is to wait is told how long, who is to mend a field, which."""
    refusal = refusal_of(error)
    assert (refusal.status, refusal.code, refusal.message) == (status, code, str(error))
    assert (refusal.retry_after_s is not None) == (status in {429, 503})
    assert (refusal.field is not None) == (status == 400)


def test_an_answer_is_handed_on_and_an_error_is_a_refusal(ledger, settings):
    """Where there is no ledger, nothing is asked."""
    readings = Readings(ledger, settings())

    def refuse(of):
        raise UnknownResultError(name=str(of is readings))

    assert asyncio.run(answer_of(readings, lambda of: of is readings))
    assert (
        asyncio.run(answer_of(readings, refuse)).message
        == "no result begins with True; `coinhts backtest list` shows them all"
    )
    assert asyncio.run(answer_of(None, refuse)).code == "busy"
