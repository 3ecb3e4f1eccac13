from datetime import date

import polars as pl
import pytest

from coinhts_core.candles.agreement import disagreements
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market

BTC, FIRST, LAST = Market("KRW-BTC"), date(2026, 1, 1), date(2026, 1, 3)
VENUE = SampleExchange()
DAYS = VENUE.days(BTC, FIRST, LAST)
MINUTES = pl.concat([VENUE.minutes(BTC, date(2026, 1, day)) for day in (1, 2)])


def test_an_honest_venue_agrees_with_itself():
    """Day by day, and a day without minutes is no difference."""
    assert disagreements(DAYS, MINUTES) == []
    assert disagreements(DAYS, MINUTES.clear()) == []


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_difference_is_named_with_its_day(column):
    """The least change of a price counts; the second day alone is told of."""
    second = pl.col("opened_at").dt.day() == 2
    changed = DAYS.with_columns(pl.when(second).then(pl.col(column) * (1 + 1e-8)).otherwise(column).alias(column))
    (told,) = disagreements(changed, MINUTES)
    assert told.startswith(f"2026-01-02: {column} is ")


def test_a_volume_may_differ_by_rounding():
    """A billionth part is nobody's mistake."""
    assert disagreements(DAYS.with_columns(pl.col("volume") * (1 + 1e-10)), MINUTES) == []


def test_lost_minutes_are_seen():
    """Minutes that a venue left out show in the day they belong to."""
    told = disagreements(DAYS, MINUTES.filter(pl.col("opened_at").dt.hour() != 12))
    assert {sentence[:18] for sentence in told} >= {"2026-01-01: volume", "2026-01-02: volume"}
