import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from jsonschema import Draft202012Validator
from schemathesis import openapi

from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.venue import mark_venue
from coinhts_core.ops.health import Component, Health, Overall, Status
from coinhts_pipeline.front.api import document
from coinhts_pipeline.front.health import PATH
from coinhts_pipeline.health.watch import Watch

PROGRAM = {"authorization": "Bearer tok"}


def described(status):
    (media,) = document()["paths"][PATH]["get"]["responses"][str(status)]["content"].values()
    return Draft202012Validator(media["schema"] | {"components": document()["components"]})


@pytest.fixture
def looks(monkeypatch):
    """Count the looks that are taken, each of which waits to be let go; what they see can be set."""

    class Looks:
        taken = 0
        go = Event()
        status = Status.HEALTHY

        @classmethod
        def look(cls, moment):
            cls.taken += 1
            assert cls.go.wait(20)
            return Health(moment, (Component("ledger", cls.status, 1.0, "it answers"),))

    monkeypatch.setattr(Watch, "look", staticmethod(Looks.look))
    yield Looks
    Looks.go.set()


def test_components_are_told_to_whoever_may_ask(locked_port, ledger):
    """As they are described, behind the login; a house that works is answered with 200."""
    mark_venue(ledger, "sample", "elsewhere")
    assert locked_port.read(PATH).status == 401
    answer = locked_port.read(PATH, **PROGRAM)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    described(200).validate(answer.document)
    told = {of["name"]: of for of in answer.document["components"]}
    assert answer.document["status"] == Overall.DEGRADED
    assert told["ledger"]["status"] == Status.HEALTHY
    assert "`coinhts up` was never started here" in told["scheduler"]["reason"]
    cookie = locked_port.login("anschauen").cookie
    assert locked_port.read(PATH, cookie=cookie).status == 200


def test_whatever_is_asked_the_answer_is_one_that_is_described(locked_port):
    """As a program reads the description, and tries it."""
    operation = openapi.from_dict(document())[PATH]["get"]
    for query in ({}, {"only": "ledger"}, {"only": "\x00"}):
        case = operation.Case(query=query)
        answered = case.call(base_url=locked_port.origin, headers={"Authorization": "Bearer tok"}, timeout=20)
        assert answered.status_code == 200
        operation.validate_response(answered)


def test_a_house_without_its_ledger_is_told_with_503(serve, postgres, monkeypatch):
    """The document is the same, and it comes in time."""
    ledger = Ledger.open(postgres.url("postgres"))
    monkeypatch.setattr(ledger, "_url", "postgresql://me:canary@127.0.0.1:1/x")
    port = serve(ledger)
    began = time.monotonic()
    answer = port.read(PATH)
    assert time.monotonic() - began < 5
    ledger.close()
    assert (answer.status, answer.document["status"]) == (503, Overall.UNHEALTHY)
    described(503).validate(answer.document)
    assert b"canary" not in answer.body


def test_many_who_ask_at_once_are_told_what_one_look_saw(serve, ledger, looks):
    """And so are those who come some seconds later."""
    port = serve(ledger)
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(port.read, PATH) for _ in range(50)]
        time.sleep(0.3)
        looks.go.set()
        moments = {of.result().document["looked_at"] for of in asked}
    assert (len(moments), looks.taken) == (1, 1)
    assert port.read(PATH).document["looked_at"] in moments


def test_what_was_seen_is_not_told_for_long(serve, ledger, looks, monkeypatch):
    """A house that fails is noticed by the next look."""
    monkeypatch.setattr("coinhts_pipeline.front.health._STAYS_S", 0.0)
    looks.go.set()
    port = serve(ledger)
    assert port.read(PATH).status == 200
    monkeypatch.setattr(looks, "status", Status.UNHEALTHY)
    assert (port.read(PATH).status, looks.taken) == (503, 2)


def test_it_is_only_read(open_port, locked_port):
    """No other method is known, nor another path below it; without a ledger it says when to come again."""
    assert locked_port.ask("POST", PATH, b"{}", content_type="application/json", **PROGRAM).status == 405
    assert locked_port.read(f"{PATH}/ledger", **PROGRAM).status == 404
    answer = open_port.read(PATH)
    assert (answer.status, answer.document["error"]["code"], answer.headers["retry-after"]) == (503, "busy", "5")
    described(503).validate(answer.document)
    assert open_port.read("/health").document == {"status": "alive"}
