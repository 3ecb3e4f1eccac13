import asyncio

import pytest
from starlette.responses import PlainTextResponse

from coinhts_core.ledger.connection import Ledger
from coinhts_pipeline.front.patient import Patient
from coinhts_pipeline.front.readings import Readings


class Moody:
    """A UI that answers with one status after the other, the last one for ever."""

    def __init__(self, *statuses):
        self.statuses, self.asked = list(statuses), 0

    async def __call__(self, scope, receive, send):
        status = self.statuses[min(self.asked, len(self.statuses) - 1)]
        self.asked += 1
        await PlainTextResponse(f"answer {self.asked}", status)(scope, receive, send)


@pytest.fixture
def ask(ledger, settings):
    """Give the status and the body of one request, and how often the UI was asked."""

    def one(ui, method="GET", on=ledger, patience_s=10.0):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": method, "path": "/", "headers": []}
        asyncio.run(Patient(ui, Readings(on, settings(), patience_s))(scope, None, send))
        starts = [of["status"] for of in sent if of["type"] == "http.response.start"]
        assert len(starts) == 1
        return starts[0], b"".join(of.get("body", b"") for of in sent), ui.asked

    return one


def test_a_look_that_failed_is_asked_for_once_more(ask):
    """Only then, and only once: an error that stays is shown."""
    assert ask(Moody(200)) == (200, b"answer 1", 1)
    assert ask(Moody(500, 200)) == (200, b"answer 2", 2)
    assert ask(Moody(500)) == (500, b"answer 2", 2)
    assert ask(Moody(404, 200)) == (404, b"answer 1", 1)


def test_what_changes_something_is_never_done_twice(ask):
    """Nobody knows what was done before it failed."""
    assert ask(Moody(500, 200), "POST") == (500, b"answer 1", 1)


def test_while_the_ledger_is_away_it_says_when_to_come_back(ask, ledger):
    """And does not ask the UI in vain."""
    with Ledger.open(ledger.url, most_connections=1) as busy, busy.transaction():
        status, body, asked = ask(Moody(500, 200), on=busy, patience_s=0.0)
    assert (status, asked) == (503, 1)
    assert b"busy" in body
