"""Holes of every kind, planted at the venue: each is named with its reason, and what can be mended is."""

import json
from contextlib import contextmanager
from datetime import date, timedelta

import polars as pl
import pytest

from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.candles.registry import note_delistings
from coinhts_core.days import DayRange
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.markets import Market

TRUTH = SampleExchange()
BTC, XRP, SC = (Market(code) for code in ("KRW-BTC", "KRW-XRP", "KRW-SC"))
# SC's first bar is of the tenth.
FIRST, LISTED, GONE = date(2025, 3, 8), TRUTH.first_day(SC), date(2025, 3, 12)
LEFT = {XRP: str(GONE)}
QUIET_DAY, DOWN, BAD = date(2025, 3, 10), date(2025, 3, 11), date(2025, 3, 13)
MINUTES_OF, REFRESH = "/v1/candles/minutes", {"ops": {"candles__minute": {"config": {"refresh": True}}}}
QUIET = [
    [BTC, "2025-03-09T02:00:00+00:00", "2025-03-09T08:00:00+00:00"],
    [BTC, f"{QUIET_DAY}T00:00:00+00:00", f"{QUIET_DAY + timedelta(days=1)}T00:00:00+00:00"],
]
# A moment at which a bar is to be spoilt, what is told instead, and the rule that it breaks.
SPOILT = {
    f"{BAD}T03:00:00": ({"opening_price": None}, "values_are_finite"),
    f"{BAD}T04:00:00": ({"trade_price": "dear"}, "values_are_finite"),
    f"{BAD}T05:00:00": ({"low_price": -1}, "prices_are_positive"),
    f"{BAD}T06:00:00": ({"high_price": 1}, "high_is_not_below_low"),
    f"{BAD}T07:00:00": ({"candle_acc_trade_volume": 1e25}, "amounts_are_below_a_quintillion"),
}
CONTRADICTED = {f"{BAD}T08:00:00": {"candle_acc_trade_volume": 0.5}}


class Venue:
    """The stand-in with what is planted: quiet stretches and delistings always, the rest as told."""

    def __init__(self, stand_in):
        self.stand_in = stand_in

    def tell(self, *rules, delisted=None):
        self.stand_in.set_up(
            *rules, now="2025-05-01T12:00:00+00:00", quiet=QUIET, delisted=delisted or {}, limits={"per_second": 1_000}
        )

    def trouble(self):
        """A day for which it is down, and one with bad bars; of two faults that meet a call, the first is done."""
        told = {at: fields for at, (fields, _) in SPOILT.items()}
        bad = [
            {"kind": "change", "market": BTC, "bars": told},
            {"kind": "contradict", "market": BTC, "bars": CONTRADICTED},
        ]
        down = {
            "route": MINUTES_OF,
            "asked": f"market={BTC}&count=200&to={DOWN + timedelta(days=1)}T00%3A00%3A00",
            "faults": [{"kind": "status", "status": 503}],
        }
        return [down, {"route": MINUTES_OF, "faults": [{"kind": "all", "faults": bad}]}]


@pytest.fixture
def asked(answer):
    """Run a data command, which is to end well, or with what is told; its document."""

    def run(*arguments, ends=(0, "")):
        code, out, err = answer(*arguments, "--json")
        assert code == ends[0]
        assert ends[1] in err if ends[1] else not err
        return json.loads(out)

    return run


def named(holes):
    """Tell where holes are and of what kind; not the quiet hours that SC has by nature."""
    found = [(hole["symbol"], hole["first"][:16], hole["last"][:16], hole["state"]) for hole in holes]
    return [hole for hole in found if hole[0] != SC or len(hole[1]) == len("2025-03-08")]


def planted(days):
    """Every hole there is after a download of all days but the last two, as `gaps` orders them."""
    bad = [at.replace("T", " ")[:16] for at in sorted([*SPOILT, *CONTRADICTED, *CONTRADICTED])]
    unasked = str(days.last - timedelta(days=1)), str(days.last)
    return [
        (BTC, str(QUIET_DAY), str(QUIET_DAY), "no trade"),
        (BTC, str(DOWN), str(DOWN), "exchange down"),
        *((BTC, at, at, "bad bars") for at in bad),
        (BTC, *unasked, "not fetched"),
        (BTC, "2025-03-09 02:00", "2025-03-09 07:59", "no trade"),
        (SC, str(FIRST), str(LISTED - timedelta(days=1)), "not listed"),
        (SC, *unasked, "not fetched"),
        (XRP, str(GONE + timedelta(days=1)), str(days.last), "not listed"),
    ]


def check_reasons(holes):
    """Check that the venue's words and the broken rules are told."""
    reasons = {hole["first"][:19].replace(" ", "T"): hole["reason"] for hole in holes if hole["symbol"] == BTC}
    assert "503" in reasons[str(DOWN)]
    assert {at: reasons[at] for at in SPOILT} == {at: rule for at, (_, rule) in SPOILT.items()}
    assert {reasons[at] for at in CONTRADICTED} == {"bars_are_unique"}


@contextmanager
def house_with_holes(open_upbit, venue):
    """Open a house that has registered three coins of which one then left, and a venue in trouble."""
    venue.tell()
    with open_upbit(start_date=str(FIRST), symbols=f"{BTC},{XRP},{SC}") as house:
        venue.tell(*venue.trouble(), delisted=LEFT)
        exchange = UpbitExchange(venue.stand_in.url, house.installation.settings.home / "upbit")
        assert note_delistings(house.rooms.ledger, exchange, [XRP]) == {XRP: GONE}
        exchange.close()
        yield house


@pytest.mark.parametrize("count", [8, pytest.param(31, marks=pytest.mark.slow)])
def test_every_hole_is_named_and_what_can_be_is_mended(open_upbit, stand_in, answer, asked, count):
    """Quiet minutes and days, bad bars, days not fetched, not answered, before a listing, after a delisting."""
    venue, days = Venue(stand_in), DayRange(FIRST, FIRST + timedelta(days=count - 1))
    scope = ("--timerange", f"{days.first:%Y%m%d}-{days.last:%Y%m%d}")
    gaps = ("data", "gaps", "--quiet", "300", *scope)
    with house_with_holes(open_upbit, venue) as house:
        but_two = f"{days.first:%Y%m%d}-{days.last - timedelta(days=2):%Y%m%d}"
        asked("data", "download", "--timerange", but_two, ends=(3, "1 symbol-days were not answered"))
        holes = asked(*gaps)
        assert named(holes) == planted(days)
        check_reasons(holes)
        code, table, _ = answer(*gaps)
        assert code == 0
        for _, *words in planted(days):
            assert any(all(word in line for word in words) for line in table.splitlines())

        left = f"{BAD}T03:00:00"
        still = {"kind": "change", "market": BTC, "bars": {left: SPOILT[left][0]}}
        venue.tell({"route": MINUTES_OF, "faults": [still]}, delisted=LEFT)
        code, _, told = answer("data", "repair", *scope)
        assert (code, "1 symbol-days hold bars that are not believed" in told) == (2, True)
        mended = [hole for hole in planted(days) if hole[3] in {"exchange down", "not fetched", "bad bars"}]
        kept = [
            hole
            for hole in planted(days)
            if hole not in mended or hole[1:4:2] == (left[:16].replace("T", " "), "bad bars")
        ]
        assert named(asked(*gaps)) == kept

        venue.tell(delisted=LEFT)
        assert asked("data", "repair", *scope)["partitions"] == 1
        statuses = {of["symbol"]: of for of in asked("data", "status", *scope)["symbols"]}
        assert [statuses[BTC][state] for state in ("traded", "no trade", "bad bars")] == [count - 1, 1, 0]
        for symbol, first, last in ((XRP, days.first, GONE), (SC, LISTED, days.last)):
            stored = house.rooms.lake.read(MINUTES, symbol, days.first, days.last).select(CANDLES.names)
            assert stored.equals(pl.concat([TRUTH.minutes(symbol, day) for day in DayRange(first, last)]))


def test_a_late_revision_is_counted_and_what_stood_on_it_is_folded_again(open_upbit, stand_in, answer, asked):
    """From the day on whose bar the venue changed its mind; the days before it stay as they are."""
    venue, days = Venue(stand_in), DayRange(FIRST, FIRST + timedelta(days=3))
    scope = ("--timerange", f"{days.first:%Y%m%d}-{days.last:%Y%m%d}")
    revised = date(2025, 3, 9)
    venue.tell()
    with open_upbit(start_date=str(FIRST), symbols=BTC) as house:
        asked("backfill", *scope)
        before = {event.partition: event.tags["dagster/data_version"] for event in house.events("backtests/sma_cross")}
        told = len(house.events("backtests/sma_cross"))
        moment = f"{revised}T12:00:00"
        later = {"kind": "change", "market": BTC, "bars": {moment: {"candle_acc_trade_volume": 123.5}}}
        venue.tell({"route": MINUTES_OF, "faults": [later]})
        house.run(f"{days.first}|{BTC}", f"{days.last}|{BTC}", only=[MINUTES], config=REFRESH)
        (status,) = asked("data", "status", *scope)["symbols"]
        assert (status["traded"], status["no trade"], status["revised"]) == (3, 1, 1)
        assert "revised" in answer("data", "status", *scope)[1]
        asked("backfill", "--stale")
        again = house.events("backtests/sma_cross")[told:]
        assert sorted(event.partition for event in again) == [f"{day}|{BTC}" for day in days if day >= revised]
        assert all(event.tags["dagster/data_version"] != before[event.partition] for event in again)
        assert asked("backfill", "--stale")["partitions"] == 0
