from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.candles.collection import answers, collect, record
from coinhts_core.candles.coverage import State
from coinhts_core.candles.frame import MINUTES
from coinhts_core.candles.registry import register
from coinhts_core.candles.revisions import find_revisions
from coinhts_core.days import DayRange
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.inventory import quiet_stretches, take_inventory
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market

STMX = Market("KRW-STMX")  # a coin with whole days without a trade, delisted in March
DAYS = DayRange(date(2026, 1, 5), date(2026, 1, 12))
MOMENT = datetime(2026, 2, 1, tzinfo=UTC)


class Moody(SampleExchange):
    """The sample market, down on one day, and with two bad bars on another."""

    def minutes(self, symbol, day):
        if day.day == 10:
            raise ExchangeUnavailableError(venue="sample", reason="maintenance")
        candles = super().minutes(symbol, day)
        if day.day != 9:
            return candles
        opened_at = pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise("opened_at").alias("opened_at")
        low = pl.when(pl.int_range(pl.len()) == 5).then(0.0).otherwise("low").alias("low")
        return candles.with_columns(opened_at, low)


@pytest.fixture
def stocked(tmp_path, ledger):
    """A lake and a ledger with every kind of hole: days before the anchor, quiet, unanswered, and never asked for."""
    lake = Lake.open(str(tmp_path / "lake"))
    (registered,) = register(ledger, Moody(), [STMX], date(2026, 1, 7))
    collection = collect(Moody(), registered, DayRange(DAYS.first, date(2026, 1, 11)), (), MOMENT)
    lake.publish(MINUTES, STMX, collection.answered)
    record(ledger, collection, MOMENT)
    return lake, ledger, registered


def test_every_hole_is_named_with_its_reason(stocked):
    """Not listed, no trade, exchange down and not fetched are four things, in stretches; bad bars are told apart."""
    bars = Moody().minutes(STMX, date(2026, 1, 9))
    holes = take_inventory(*stocked, DAYS).holes()
    assert [(hole.first.day, hole.last.day, hole.state) for hole in holes] == [
        (5, 6, State.NOT_LISTED),
        (8, 8, State.NO_TRADE),
        (9, 9, State.BAD_BARS),
        (9, 9, State.BAD_BARS),
        (10, 10, State.UNAVAILABLE),
        (12, 12, State.NOT_FETCHED),
    ]
    assert [(hole.first, hole.reason) for hole in holes[2:4]] == [
        (bars["opened_at"][5], "prices_are_positive"),
        (date(2026, 1, 9), "values_are_finite"),
    ]
    assert holes[4].reason.startswith("sample did not answer (maintenance)")


def test_days_are_counted_by_state(stocked):
    """Each day has one state, and the bars are those of the days asked about."""
    lake, _, _ = stocked
    found = take_inventory(*stocked, DAYS)
    assert sum(found.count(state) for state in State) == len(DAYS)
    assert found.days(State.TRADED) == [date(2026, 1, day) for day in (7, 11)]
    assert found.days(State.BAD_BARS) == [date(2026, 1, 9)]
    assert found.rows == lake.read(MINUTES, STMX, DAYS.first, DAYS.last).height > 0


def test_quiet_minutes_are_found_inside_a_day():
    """A stretch begins after the last bar before it and ends before the next; midnight ends every day's."""
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = [0, 1, 61, 122, 1_439, 1_440 + 200]
    opened = [midnight + timedelta(minutes=minute) for minute in minutes]
    candles = pl.DataFrame({"day": [at.date() for at in opened], "opened_at": opened})
    found = list(quiet_stretches("KRW-BTC", candles, timedelta(minutes=60)))
    spans = [((hole.first - midnight).seconds // 60, (hole.last - midnight).seconds // 60) for hole in found]
    assert spans == [(62, 121), (123, 1_438)]


def test_revised_days_are_counted(stocked):
    """A day that was told differently counts once, however often it was."""
    lake, ledger, registered = stocked
    assert take_inventory(*stocked, DAYS).revised == 0
    day = date(2026, 1, 7)
    for hours in (1, 2):
        asked_at = MOMENT + timedelta(hours=hours)
        collection = collect(Moody(), registered, [day], (), asked_at)
        with ledger.transaction() as connection:
            connection.execute("UPDATE coverage SET content_hash = %s WHERE day = %s", [f"hash {hours}", day])
        told = answers(ledger, STMX, day, day)
        revisions = find_revisions(lake, STMX, told, lake.heads(MINUTES, STMX), collection.complete)
        record(ledger, collection, asked_at, revisions)
    assert take_inventory(*stocked, DAYS).revised == 1
