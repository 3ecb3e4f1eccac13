import asyncio
import logging

import pytest
from structlog.contextvars import bind_contextvars, get_contextvars

from coinhts_pipeline.front.access import Access

CALLER = (b"x-request-id", b"caller-0815")


@pytest.fixture
def ask(caplog):
    """Ask an application something: what was sent, and the lines about it."""

    def asked(app, *heads, path="/x", kind="http"):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": kind, "path": path, "headers": list(heads)} | ({"method": "GET"} if kind == "http" else {})
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="coinhts.test"):
            asyncio.run(Access(app, "coinhts.test")(scope, None, send))
        return sent, [of for of in caplog.records if of.name == "coinhts.test"]

    return asked


async def fine(scope, receive, send):
    del scope, receive
    await send({"type": "http.response.start", "status": 204, "headers": [(b"X-Request-ID", b"of-another")]})
    await send({"type": "http.response.body"})


def ids_of(message):
    return [value for name, value in message["headers"] if name.lower() == b"x-request-id"]


def test_a_request_is_known_by_the_id_it_came_with(ask):
    """In the answer, behind us and in lines; what was asked for stands there without its query."""
    known = []

    async def app(scope, receive, send):
        bind_contextvars(role="owner")
        known.append((ids_of(scope), get_contextvars()["request_id"]))
        await fine(scope, receive, send)

    (start, _), (line,) = ask(app, (b"cookie", b"x"), CALLER, path="/a\nb")
    assert ids_of(start) == [b"caller-0815"]
    assert known == [([b"caller-0815"], "caller-0815")]
    assert line.levelno == logging.INFO
    assert line.facts.pop("milliseconds") >= 0
    assert line.facts == {"method": "GET", "path": "/a?b", "status": 204}


@pytest.mark.parametrize(
    "ill", [b"", b"short", b"x" * 65, b"a b c d e f", b"forged=1\tline", b"caf\xe9-0815", b"../../etc"]
)
def test_an_ill_formed_id_is_not_taken(ask, ill):
    """Nor two of them: it gets one of ours."""
    for heads in ([(b"x-request-id", ill)], [CALLER, CALLER], []):
        (start, _), _ = ask(fine, *heads)
        (given,) = ids_of(start)
        assert given not in {ill, b"caller-0815"}
        assert len(given) == 16


def test_what_is_known_of_one_request_is_not_said_of_the_next(ask):
    """On one connection they follow each other in one context."""
    seen = []

    async def app(scope, receive, send):
        seen.append(get_contextvars())
        bind_contextvars(role="owner")
        await fine(scope, receive, send)

    async def twice():
        async def send(_):
            pass

        for _ in range(2):
            await Access(app, "coinhts.test")({"type": "http", "path": "/", "headers": []}, None, send)

    asyncio.run(twice())
    assert [sorted(of) for of in seen] == [["request_id"], ["request_id"]]
    assert ask(fine)


def test_probes_are_not_worth_a_line_of_everybodys(ask):
    """Somebody asks every few seconds."""
    _, (line,) = ask(fine, path="/health")
    assert line.levelno == logging.DEBUG


def test_what_broke_is_said_to_have(ask, caplog):
    """The error goes on to whoever answers for it."""

    async def app(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(app)
    (line,) = [of for of in caplog.records if of.name == "coinhts.test"]
    assert line.facts["status"] == 500


@pytest.mark.parametrize(
    ("messages", "status", "event"),
    [
        ([{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1000}], 101, "answered"),
        ([{"type": "websocket.close", "code": 1000}], 403, "answered"),
        ([{"type": "websocket.http.response.start", "status": 401, "headers": []}], 401, "answered"),
        ([], None, "left unanswered"),
    ],
)
def test_a_socket_is_a_line_when_it_ends(ask, messages, status, event):
    """Opened, refused, or neither."""

    async def app(scope, receive, send):
        del scope, receive
        for message in messages:
            await send(message)

    sent, (line,) = ask(app, CALLER, kind="websocket")
    assert (line.facts["method"], line.facts["status"], line.msg) == ("WEBSOCKET", status, event)
    assert all(ids_of(of) == [b"caller-0815"] for of in sent if not of["type"].endswith("close"))


def test_nobody_asked_when_the_process_begins(ask):
    """Its own beginning and end are no requests."""
    reached = []

    async def app(scope, *_):
        reached.append(scope["type"])

    assert ask(app, kind="lifespan") == ([], [])
    assert reached == ["lifespan"]
