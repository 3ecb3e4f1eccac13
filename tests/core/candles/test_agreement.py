from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.candles.agreement import disagreements
from coinhts_core.candles.resample import resample
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.markets import Market, Timeframe
from tests.core.exchanges.upbit.conftest import QUICK
from tests.faults.stand_in.process import StandIn

D1 = Timeframe.D1
BTC, FIRST, LAST = Market("KRW-BTC"), date(2026, 1, 1), date(2026, 1, 3)
VENUE = SampleExchange()
DAYS = VENUE.days(BTC, FIRST, LAST)
MINUTES = pl.concat([VENUE.minutes(BTC, date(2026, 1, day)) for day in (1, 2)])


def test_an_honest_venue_agrees_with_itself():
    """Day by day, and a day without minutes is no difference."""
    assert disagreements(DAYS, MINUTES, D1) == []
    assert disagreements(DAYS, MINUTES.clear(), D1) == []


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_difference_is_named_with_its_day(column):
    """The least change of a price counts; the second day alone is told of."""
    second = pl.col("opened_at").dt.day() == 2
    changed = DAYS.with_columns(pl.when(second).then(pl.col(column) * (1 + 1e-8)).otherwise(column).alias(column))
    ((moment, told),) = disagreements(changed, MINUTES, D1)
    assert moment == datetime(2026, 1, 2, tzinfo=UTC)
    assert told.startswith(f"{column} is ")


def test_a_volume_may_differ_by_rounding():
    """A billionth part is nobody's mistake."""
    assert disagreements(DAYS.with_columns(pl.col("volume") * (1 + 1e-10)), MINUTES, D1) == []


def test_lost_minutes_are_seen():
    """Minutes that a venue left out show in the day they belong to."""
    told = disagreements(DAYS, MINUTES.filter(pl.col("opened_at").dt.hour() != 12), D1)
    assert [moment.day for moment, sentence in told if sentence.startswith("volume is ")] == [1, 2]


@pytest.fixture(scope="module")
def upbit(tmp_path_factory):
    """Give Upbit as the stand-in tells it, which makes its longer bars by code of its own."""
    folder = tmp_path_factory.mktemp("stand-in")
    with StandIn.start(folder) as stand_in:
        stand_in.set_up(limits={"per_second": 1_000})
        exchange = UpbitExchange(stand_in.url, folder / "upbit", QUICK)
        yield exchange
        exchange.close()


@pytest.mark.parametrize("symbol", [BTC, Market("KRW-SC"), Market("KRW-STMX")])
@pytest.mark.parametrize("timeframe", Timeframe)
def test_our_longer_bars_are_the_exchanges_own(upbit, symbol, timeframe):
    """Every length, out of minutes, over weeks of busy and of thin trading: the same bars, the same prices."""
    first, days = date(2026, 1, 5), 14
    since = datetime(2026, 1, 5, tzinfo=UTC)
    minutes = pl.concat([VENUE.minutes(symbol, first + timedelta(days=place)) for place in range(days)])
    theirs = upbit.candles(symbol, timeframe, since, since + timedelta(days=days))
    ours = resample(minutes, Timeframe.M1, timeframe)
    assert ours["opened_at"].equals(theirs["opened_at"])
    assert disagreements(theirs, minutes, timeframe) == []
    assert ((ours["turnover_krw"] / theirs["turnover_krw"] - 1).abs() < 1e-9).all()
    assert ours.height > 1
