import asyncio
import json
import threading
from http.client import HTTPConnection
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect, WebSocketState
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from coinhts_pipeline.front.proxy import _both_ways


def test_a_request_arrives_as_it_was_sent(open_port):
    """Method, path to the letter, query, body and headers."""
    told = open_port.post("/a%2Fb/%EA%B0%80//c?q=1%202&q", b"x" * 300_000, content_type="text/x", x_own="1").document
    assert (told["method"], told["path"], told["query"]) == ("POST", "/a%2Fb/%EA%B0%80//c", "q=1%202&q")
    assert told["body"] == 300_000
    assert ["x-own", "1"] in told["headers"]
    assert ["host", f"127.0.0.1:{open_port.number}"] in told["headers"]


def test_a_body_without_a_length_arrives(open_port):
    """In pieces, as it came."""
    connection = HTTPConnection("127.0.0.1", open_port.number, timeout=20)
    heads = {"Origin": open_port.origin, "Transfer-Encoding": "chunked"}
    connection.request("POST", "/x", iter([b"a" * 1_000, b"b" * 1_000]), heads, encode_chunked=True)
    assert json.load(connection.getresponse())["body"] == 2_000
    connection.close()


def test_nobody_but_the_front_says_who_asks(locked_port):
    """What a client says of his role, his address or another hop is not handed on, nor are his secrets."""
    cookie = locked_port.login("anschauen").cookie
    told = locked_port.read(
        "/x",
        cookie=cookie,
        x_coinhts_role="owner",
        x_forwarded_for="192.0.2.1",
        forwarded="for=192.0.2.1",
        connection="x-secret, host",
        x_secret="1",  # noqa: S106 - not secret
        te="trailers",
    ).document["headers"]
    named = dict(told)
    assert [value for name, value in told if name == "x-coinhts-role"] == ["viewer"]
    assert not named.keys() & {
        "cookie",
        "authorization",
        "x-forwarded-for",
        "forwarded",
        "x-secret",
        "te",
        "connection",
    }
    assert named["host"].startswith("127.0.0.1")
    owners = locked_port.read("/x", authorization="Bearer tok").document["headers"]
    assert ["x-coinhts-role", "owner"] in owners
    assert "authorization" not in dict(owners)


def test_the_answer_is_the_uis(open_port):
    """Its bytes as they are, its headers but those of one hop."""
    answer = open_port.read("/gzip")
    assert (answer.headers["content-encoding"], answer.body) == ("gzip", b"not really packed")
    told = open_port.read("/x").headers
    assert (told["x-frame-options"], told["keep-alive"]) == ("SAMEORIGIN", None)


def test_an_answer_is_handed_on_as_it_comes(open_port, ui):
    """The first part is here before the second is made."""
    ui.gate.clear()
    connection = HTTPConnection("127.0.0.1", open_port.number, timeout=20)
    connection.request("GET", "/slow")
    answer = connection.getresponse()
    assert answer.read1() == b"first"
    ui.gate.set()
    assert answer.read() == b"second"
    connection.close()


def test_many_ask_at_once(open_port):
    """Nobody waits for another's answer."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(open_port.read("/x").status)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 40


def test_a_socket_speaks_both_ways(locked_port, ui):
    """Text, bytes and more than one frame holds; the UI learns who it is, and when he leaves."""
    ui.left.clear()
    cookie = locked_port.login("anschauen").cookie
    with locked_port.socket(cookie=cookie, x_coinhts_role="owner") as browser:
        heads = json.loads(browser.recv(timeout=20))
        assert (browser.subprotocol, heads["x-coinhts-role"]) == ("graphql-ws", "viewer")
        assert "cookie" not in heads
        for message in ("암호", b"\0\xff", "x" * 2_000_000):
            browser.send(message)
            assert browser.recv(timeout=20) == message
    assert ui.left.wait(20)


def test_a_socket_ends_as_the_ui_ends_it(open_port):
    """With its code and its reason."""
    with open_port.socket() as browser:
        browser.recv(timeout=20)
        browser.send("leave")
        with pytest.raises(ConnectionClosedError) as ended:
            browser.recv(timeout=20)
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (4321, "as you wish")


def test_a_logout_closes_the_sockets_of_the_session(locked_port, ui):
    """And of no other."""
    first, second = (locked_port.login("geheim").cookie for _ in range(2))
    with locked_port.socket(cookie=first) as ending, locked_port.socket(cookie=second) as staying:
        for browser in (ending, staying):
            browser.recv(timeout=20)
        ui.left.clear()
        locked_port.post("/logout", cookie=first)
        with pytest.raises(ConnectionClosedError) as ended:
            ending.recv(timeout=20)
        assert ended.value.rcvd.code == 1008
        assert ui.left.wait(20)
        staying.send("still here")
        assert staying.recv(timeout=20) == "still here"


def test_while_there_is_no_ui_it_is_said(serve, tmp_path, caplog):
    """A page that looks again by itself, a status for programs, and for sockets; a line for each."""
    caplog.set_level("INFO")
    port = serve(place=Path(tmp_path) / "nobody")
    told = port.page("/runs")
    assert (told.status, told.headers["retry-after"]) == (503, "1")
    assert b'http-equiv="refresh"' in told.body
    assert port.query().document["error"]["code"] == "starting"
    assert port.read("/health").status == 200
    with pytest.raises(InvalidStatus) as refused:
        port.socket()
    assert refused.value.response.status_code == 503
    lines = [of.facts["reason"] for of in caplog.records if of.msg == "the UI does not answer"]
    assert [line.partition(":")[0] for line in lines] == ["ConnectError", "ConnectError", "FileNotFoundError"]


class _Waiting:
    """A side of a socket from which nothing comes, or not what anybody expected."""

    client_state = WebSocketState.DISCONNECTED

    def __init__(self, error=None):
        self._error = error

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.Event().wait()

    async def receive(self):
        raise self._error


@pytest.mark.parametrize(("error", "lines"), [(ZeroDivisionError(), 1), (WebSocketDisconnect(), 0)])
def test_a_socket_that_breaks_is_a_line(caplog, error, lines):
    """One that ends is none."""
    asyncio.run(_both_ways(_Waiting(error), _Waiting()))
    assert [of.exc_info[1] for of in caplog.records if of.msg == "a websocket broke"] == [error] * lines
