"""Days collected from a venue in trouble: what is stored is the venue's truth, and nobody calls during a block."""

import json
import time
from datetime import date, timedelta

import polars as pl
import pytest

from coinhts_core.candles.collection import answers
from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.clock import now
from coinhts_core.days import DayRange
from coinhts_core.errors import NotStoredError
from coinhts_core.exchanges.sample import SampleExchange

TRUTH = SampleExchange()
FIRST, NOW = date(2025, 1, 5), "2025-02-20T12:00:00+00:00"  # early, so that the stand-in has little past to make up
CANDLE = "/v1/candles"
FAULTS = [
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503}, {"kind": "hang", "seconds": 0.7},
    {"kind": "truncate"}, {"kind": "garbage"}, {"kind": "duplicate", "places": [0, 7, 199]}, {"kind": "permute"},
    {"kind": "late"}, {"kind": "late", "bars": 120}, {"kind": "reset"}, {"kind": "html"}, {"kind": "nan"},
]  # fmt: skip
BLOCKED = {"kind": "status", "status": 418, "body": json.dumps({"error": {"message": "blocked for 1 seconds"}})}
LIMITS = {"per_second": 1_000}
TOO_MANY = {"kind": "status", "status": 429}


def stored(house, symbol, days):
    try:
        return house.rooms.lake.read(MINUTES, symbol, days.first, days.last).select(CANDLES.names)
    except NotStoredError:
        return CANDLES.empty()


def is_complete(house, symbol, days):
    told = answers(house.rooms.ledger, symbol, days.first, days.last)
    return len(told) == len(list(days)) and all(of.kind == "complete" for of in told.values())


def rounds_of(house, symbols, days, most=20):
    """Ask as the sensor does, until every day is answered; not while the venue blocks us."""
    for _ in range(most):
        house.run(f"{days.first}|{symbols[0]}", f"{days.last}|{symbols[-1]}", only=[MINUTES])
        yield
        if all(is_complete(house, symbol, days) for symbol in symbols):
            return
        if until := house.rooms.exchange.blocked_until():
            time.sleep((until - now()).total_seconds())
    pytest.fail("never complete")


def blocks_heeded(calls):
    """After a block of a second nobody called until it was over; how many there were."""
    blocks = [place for place, call in enumerate(calls) if call["told"] == 418]
    for place in blocks:
        assert all(call["at"] >= calls[place]["at"] + 1.0 for call in calls[place + 1 :])
    return len(blocks)


@pytest.mark.parametrize("count", [2, pytest.param(31, marks=pytest.mark.slow)])
def test_under_faults_of_every_kind_every_stored_candle_is_true(open_upbit, stand_in, impatience, count):
    """Three coins, 30 % of all replies faulty: round by round more days are there, and never a bar that is not true."""
    days, rounds = DayRange(FIRST, FIRST + timedelta(days=count - 1)), 0
    stand_in.set_up(now=NOW, limits=LIMITS)
    with open_upbit(start_date=str(FIRST)) as house:
        symbols = list(house.rooms.symbols)
        truth = {symbol: pl.concat([TRUTH.minutes(symbol, day) for day in days]) for symbol in symbols}
        first_late = (1, {"kind": "late", "bars": 120})  # a day's newest bars are not there yet
        once = [
            {"route": CANDLE, "calls": [at], "faults": [of]} for at, of in (first_late, (5, TOO_MANY), (9, BLOCKED))
        ]
        often = {"route": CANDLE, "share": 0.3, "seed": 5, "faults": FAULTS}
        stand_in.set_up(*once, often, now=NOW, limits=LIMITS)
        impatience()
        for _ in rounds_of(house, symbols, days):
            rounds += 1
            for symbol in symbols:
                assert stored(house, symbol, days).join(truth[symbol], on=CANDLES.names, how="anti").is_empty()
        for symbol in symbols:
            assert stored(house, symbol, days).equals(truth[symbol])
    calls = stand_in.calls("candle")
    assert (rounds > 1, blocks_heeded(calls)) == (True, 1)
    assert sum(bool(call["fault"]) for call in calls) > 0.2 * len(calls)
    assert count < 10 or {call["fault"] for call in calls} >= {of["kind"] for of in FAULTS}
