from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.candles.collection import collect, record
from coinhts_core.candles.coverage import State
from coinhts_core.candles.registry import register
from coinhts_core.days import DayRange
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.inventory import quiet_stretches, take_inventory
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market
from coinhts_core.rehearsal import MINUTES

STMX = Market("KRW-STMX")  # a coin with whole days without a trade, delisted in March
DAYS = DayRange(date(2026, 1, 5), date(2026, 1, 12))
MOMENT = datetime(2026, 2, 1, tzinfo=UTC)


class Moody(SampleExchange):
    """The sample market, down on one day."""

    def minutes(self, symbol, day):
        if day.day == 10:
            raise ExchangeUnavailableError(venue="sample", reason="maintenance")
        return super().minutes(symbol, day)


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
    """Not listed, no trade, exchange down and not fetched are four things, in stretches."""
    holes = take_inventory(*stocked, DAYS).holes()
    assert [(hole.first.day, hole.last.day, hole.state) for hole in holes] == [
        (5, 6, State.NOT_LISTED),
        (8, 8, State.NO_TRADE),
        (10, 10, State.UNAVAILABLE),
        (12, 12, State.NOT_FETCHED),
    ]
    assert holes[2].reason.startswith("sample did not answer (maintenance)")


def test_days_are_counted_by_state(stocked):
    """Each day has one state, and the bars are those of the days asked about."""
    lake, _, _ = stocked
    found = take_inventory(*stocked, DAYS)
    assert sum(found.count(state) for state in State) == len(DAYS)
    assert found.days(State.TRADED) == [date(2026, 1, day) for day in (7, 9, 11)]
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
