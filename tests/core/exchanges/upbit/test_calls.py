import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coinhts_core.errors import CallsUncountedError, ExchangeUnavailableError
from coinhts_core.exchanges.upbit.breaker import block_stated_in
from coinhts_core.exchanges.upbit.calls import Calls, Pace
from coinhts_core.exchanges.upbit.http import Bounds, Http
from tests.core.exchanges.upbit.conftest import QUICK

MARKETS = ("market", "/v1/market/all", {})
DAYS = ("candle", "/v1/candles/days", {"market": "KRW-BTC"})
_SECOND_PROCESS = """
import sys, time
from pathlib import Path
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.upbit.breaker import block_stated_in
from coinhts_core.exchanges.upbit.calls import Calls, Pace
from coinhts_core.exchanges.upbit.http import Bounds, Http

began = time.monotonic()
try:
    Calls(sys.argv[1], Path(sys.argv[2]), Pace()).get("candle", "/v1/candles/days", {"market": "KRW-BTC"})
except ExchangeUnavailableError as error:
    print(time.monotonic() - began < 0.5, error)
"""


def rule(*kinds, **facts):
    return {"route": "/v1", "faults": [kind if isinstance(kind, dict) else {"kind": kind} for kind in kinds]} | facts


def status(code, **facts):
    return {"kind": "status", "status": code} | facts


@pytest.mark.parametrize("trouble", [status(500), status(503), "reset", "garbage", "html", "truncate"])
def test_a_stumble_is_tried_again(stand_in, calls_with, trouble, caplog):
    """Three more times, and the fourth answer is as good as the first; each time it is said why."""
    stand_in.set_up(rule(trouble, calls=[1, 2, 3]))
    assert len(calls_with().get(*MARKETS)) == 12
    assert len(stand_in.calls()) == 4
    assert [(of.msg, of.facts["path"]) for of in caplog.records] == [("asked again", MARKETS[1])] * 3
    assert all(of.facts["reason"].startswith("upbit did not answer (") for of in caplog.records)


def test_a_venue_that_stays_down_is_unavailable(stand_in, calls_with):
    """After the fourth attempt the last reason is told."""
    stand_in.set_up(rule(status(503)))
    with pytest.raises(ExchangeUnavailableError, match=r"upbit did not answer \(status 503: .*in_trouble"):
        calls_with().get(*MARKETS)
    assert len(stand_in.calls()) == 4


def test_attempts_are_spread_out(stand_in, calls_with):
    """Each waits about as long as told, between half of it and all."""
    stand_in.set_up(rule(status(500)))
    with pytest.raises(ExchangeUnavailableError):
        calls_with(replace(QUICK, delays_s=(0.2, 0.4))).get(*MARKETS)
    first, second, third = (call["at"] for call in stand_in.calls())
    assert 0.1 <= second - first < 0.4
    assert 0.2 <= third - second < 0.6
    assert Pace().delays_s == (1.0, 2.0, 4.0)


def test_too_many_calls_wait_for_the_next_second(stand_in, calls_with):
    """The same call is made again, not sooner, and nobody else's either."""
    stand_in.set_up(rule(status(429), calls=[1]))
    assert calls_with(Pace()).get(*DAYS)
    first, second = (call["at"] for call in stand_in.calls())
    assert 1.0 <= second - first < 2.0


def test_a_crowd_that_does_not_end_is_unavailable(stand_in, calls_with):
    """Others use this address, too; we do not push until it is blocked."""
    stand_in.set_up(rule(status(429)))
    with pytest.raises(ExchangeUnavailableError, match="too many calls from us"):
        calls_with(Pace(refusals=2, delays_s=())).get(*DAYS)
    assert len(stand_in.calls()) == 2


def test_no_call_is_made_during_a_block(stand_in, calls_with, tmp_path, caplog):
    """Not in any group, not by another process; each is refused at once, and when the block is over all is well.

    One line says that there is one.
    """
    sentence = '{"error": {"name": "too_many_requests", "message": "blocked for 2 seconds"}}'
    stand_in.set_up(rule(status(418, body=sentence), calls=[3]))
    calls = calls_with(Pace())
    calls.get(*DAYS)
    calls.get(*DAYS)
    refused, until = 0, time.monotonic() + 1.4
    while time.monotonic() < until:
        with pytest.raises(ExchangeUnavailableError, match="it blocked us; no call is made until 20"):
            calls.get(*(MARKETS if refused % 2 else DAYS))
        refused += 1
    second = [sys.executable, "-c", _SECOND_PROCESS, stand_in.url, str(tmp_path / "upbit")]
    assert refused > 100
    assert [(of.msg, of.facts["until"][:2]) for of in caplog.records] == [("blocked", "20")]
    assert len(stand_in.calls()) == 3
    calls_with(Pace())
    blocked_at = stand_in.calls()[-1]["at"]
    stand_in.set_up(rule(status(418, body=sentence.replace("2 s", "30 s")), calls=[1]))
    time.sleep(max(blocked_at + 2.0 - time.clock_gettime(time.CLOCK_BOOTTIME), 0.0) + 0.1)
    with pytest.raises(ExchangeUnavailableError, match="it blocked us"):
        calls.get(*MARKETS)
    printed = subprocess.run(second, capture_output=True, text=True, check=True).stdout
    assert printed.startswith("True upbit did not answer (it blocked us; no call is made until 20")
    assert len(stand_in.calls()) == 1


def test_who_waits_while_others_are_blocked_does_not_call(stand_in, tmp_path):
    """A permit that comes free during a block is not used."""
    waiting, other = Calls(stand_in.url, tmp_path, Pace(per_second=1)), Calls(stand_in.url, tmp_path, Pace())
    waiting.get(*DAYS)
    stand_in.set_up(rule(status(418), calls=[1]))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(waiting.get, *DAYS)
        time.sleep(0.2)
        with pytest.raises(ExchangeUnavailableError):
            other.get(*MARKETS)
        with pytest.raises(ExchangeUnavailableError, match="it blocked us"):
            answer.result()
    assert [call["group"] for call in stand_in.calls()] == ["market"]


def test_who_pushes_on_is_blocked(stand_in):
    """The stand-in does what the documentation says; one that keeps to its limits never learns of it."""
    stand_in.set_up(limits={"per_second": 5, "refusals_before_block": 3, "block_s": 0.5})
    http = Http("upbit", stand_in.url, Bounds())
    replies = [http.get("/v1/market/all", {}) for _ in range(9)]
    assert [reply.status for reply in replies] == [200] * 5 + [429] * 2 + [418] * 2
    assert block_stated_in(replies[-1]).total_seconds() == 1.0
    assert [reply.headers["remaining-req"][-1] for reply in replies[:5]] == ["4", "3", "2", "1", "0"]
    http.close()


def test_what_is_left_of_a_second_is_read(stand_in, calls_with):
    """Somebody else at this address used the second up: everyone rests."""
    stand_in.set_up(limits={"per_second": 1})
    calls = calls_with(Pace())
    for _ in range(3):
        assert calls.get(*DAYS)
    assert {call["status"] for call in stand_in.calls()} == {200}


@pytest.mark.parametrize(
    "trouble", [status(400), status(301), *(status(404, body=body) for body in ("<html>", "[]", "{}"))]
)
def test_any_other_status_is_no_answer(stand_in, calls_with, trouble):
    """Least of all one that says a market is unknown without saying so."""
    stand_in.set_up(rule(trouble))
    with pytest.raises(ExchangeUnavailableError, match=r"status [34]"):
        calls_with(replace(QUICK, delays_s=())).get(*DAYS)


def test_an_unknown_market_is_told_apart(calls_with):
    """None is no rows; an empty list is rows that are not there."""
    calls = calls_with()
    assert calls.get("candle", "/v1/candles/days", {"market": "KRW-NONE"}) is None
    assert calls.get("candle", "/v1/candles/days", {"market": "KRW-BTC", "to": "2020-01-01T00:00:00"}) == []


def test_a_folder_that_cannot_be_written_is_named(stand_in, tmp_path):
    """Without it the calls of this machine cannot be counted, so none is made."""
    (tmp_path / "file").touch()
    with pytest.raises(CallsUncountedError, match=r"cannot be counted in .*file/upbit \(Not a directory\)"):
        Calls(stand_in.url, tmp_path / "file" / "upbit", QUICK).get(*DAYS)
    assert stand_in.calls() == []


@pytest.mark.parametrize(
    ("headers", "moment"),
    [
        ({"Date": "Tue, 10 Mar 2026 12:00:00 GMT"}, datetime(2026, 3, 10, 12, tzinfo=UTC)),
        ({"Date": "Tue, 10 Mar 2026 21:00:00 +0900"}, datetime(2026, 3, 10, 12, tzinfo=UTC)),
        ({"Date": "Tue, 10 Mar 2026 12:00:00 -0000"}, None),
        ({"Date": "yesterday"}, None),
        ({"Date": "Tue, 99 Mar 99999 12:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_when_an_answer_was_sent_is_told_by_its_heading(stand_in, calls_with, headers, moment):
    """To the second; a heading that names no moment of the world's tells none."""
    stand_in.set_up(rule(status(200, body="[]", headers=headers)))
    assert calls_with().clock(*MARKETS) == moment


def test_a_clock_is_asked_for_once(stand_in, calls_with):
    """Who wants to know how the venue does asks again later; while it blocks us it is not asked at all."""
    stand_in.set_up(rule(status(503)))
    with pytest.raises(ExchangeUnavailableError, match="status 503"):
        calls_with().clock(*MARKETS)
    assert len(stand_in.calls()) == 1
    stand_in.set_up(rule(status(418, body="blocked for 30 seconds")))
    for _ in range(2):
        with pytest.raises(ExchangeUnavailableError):
            calls_with().clock(*MARKETS)
    assert len(stand_in.calls()) == 1
