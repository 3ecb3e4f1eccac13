import gzip
import time

import pytest

from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.upbit.http import Bounds, Http

MARKETS = "/v1/market/all"
QUICK = Bounds(reply_s=0.5, connect_s=0.5, body_bytes=2**20)


@pytest.fixture
def http(stand_in):
    http = Http("upbit", stand_in.url, QUICK)
    yield http
    http.close()


def rule(kind, **facts):
    return {"route": "/v1", "faults": [{"kind": kind, **facts}]}


def test_a_reply_is_its_status_headers_and_body(http, stand_in):
    """The query arrives as it was meant, in one connection after the other call's."""
    reply = http.get("/v1/candles/days", {"market": "KRW-BTC", "to": "2026-01-02T00:00:00+09:00"})
    assert (reply.status, reply.is_json, reply.body[:1]) == (200, True, b"[")
    assert reply.headers["remaining-req"].startswith("group=candle; min=")
    (call,) = stand_in.calls()
    assert call["query"] == "market=KRW-BTC&to=2026-01-02T00%3A00%3A00%2B09%3A00"


def test_no_origin_is_ever_sent(http, stand_in):
    """Nor a cookie; the sender says who it is."""
    stand_in.set_up(rule("status", status=500, headers={"Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*"}))
    for _ in range(3):
        http.get(MARKETS, {})
    for call in stand_in.calls():
        assert {name.lower() for name in call["headers"]} == {"host", "accept", "accept-encoding", "user-agent"}
        assert call["headers"]["User-Agent"].startswith("coinhts")


def test_a_redirect_is_not_followed(http, stand_in):
    """It is a reply like any other."""
    stand_in.set_up(rule("status", status=302, headers={"Location": "/v1/candles/days?market=KRW-BTC"}))
    assert http.get(MARKETS, {}).status == 302
    assert len(stand_in.calls()) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (rule("hang", seconds=2), "no whole reply within 0.5 s"),
        (rule("drip", seconds=0.1), "no whole reply within 0.5 s"),
        (rule("drip_head", seconds=0.1), "no whole reply within 0.5 s"),
        (rule("reset"), "disconnected"),
        (rule("truncate"), "without sending complete message body"),
        (rule("huge"), "a body of more than 1048576 bytes"),
        (rule("bomb", mebibytes=8), "a body of more than 1048576 bytes"),
        (rule("body", body="[]", headers={"Content-Encoding": "gzip"}), "Error -3 while decompressing"),
        (rule("body", body="[]", headers={"Content-Encoding": "br"}), "unknown encoding br"),
        (rule("body", body=gzip.compress(b"[]" * 99)[:-4].decode("latin-1"), headers={"Content-Encoding": "gzip"}),
         "a packed body that is not one whole"),
        (rule("body", body=(gzip.compress(b"[]") * 2).decode("latin-1"), headers={"Content-Encoding": "gzip"}),
         "a packed body that is not one whole"),
        (rule("body", body="[]", headers={"Bad Name": "x"}), "header"),
    ],
)  # fmt: skip
def test_a_reply_that_breaks_off_drags_on_or_grows_is_given_up(http, stand_in, fault, reason):
    """In time, with the reason; and the next call is served as if nothing had been."""
    stand_in.set_up(fault | {"calls": [1]})
    began = time.monotonic()
    with pytest.raises(ExchangeUnavailableError, match=f"upbit did not answer .*{reason}"):
        http.get(MARKETS, {})
    assert time.monotonic() - began < 1.5
    assert http.get(MARKETS, {}).status == 200


def test_a_server_that_is_not_there_is_unavailable():
    """The port nobody listens on answers at once, with our error."""
    with pytest.raises(ExchangeUnavailableError, match="refused"):
        Http("upbit", "http://127.0.0.1:9", QUICK).get(MARKETS, {})


def test_a_packed_body_is_unpacked(http, stand_in):
    """As the venue sends its answers."""
    packed = gzip.compress(b"[1]").decode("latin-1")
    stand_in.set_up(rule("body", body=packed, headers={"Content-Encoding": "gzip"}))
    assert http.get(MARKETS, {}).body == b"[1]"
