from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from coinhts_core.backtests.undefined import Undefined
from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.holdings.prices import Prices
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from tests.core.holdings.kept import held

_MINUTE = timedelta(minutes=1)
_LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def minutes(desk):
    """Store four days of the sample market's bitcoin, and give their rows."""
    desk.collect(desk.days[:4])
    return desk.lake.read(MINUTES, Market("KRW-BTC"), desk.days[0], desk.days[3])


def at(day, hour=0, minute=0, second=0):
    return datetime(2026, 1, day, hour, minute, second, tzinfo=UTC)


def extremes(minutes, since, until, *known):
    """The long way round: bar by bar."""
    bars = [bar for bar in minutes.iter_rows(named=True) if bar["opened_at"] >= since]
    bars = [bar for bar in bars if bar["opened_at"] + _MINUTE <= until]
    return min(*known, *(bar["low"] for bar in bars)), max(*known, *(bar["high"] for bar in bars))


def test_a_position_is_marked_at_the_last_stored_close(desk, minutes):
    """When that minute ended is told beside it; a day without a trade has none."""
    last = minutes.sort("opened_at").row(-1, named=True)
    nothing = DayRows.of(CANDLES, minutes.select(CANDLES.names).clear(), asked_at=_LATER)
    desk.lake.publish(MINUTES, Market("KRW-BTC"), {desk.days[4]: nothing})
    mark = Prices(desk.lake).mark("KRW-BTC")
    assert (mark.price_krw, mark.at) == (Decimal(str(last["close"])), last["opened_at"] + _MINUTE)


@pytest.mark.parametrize(
    ("opened_at", "closed_at"),
    [
        (at(1, 12), at(1, 12, 30)),
        (at(1, 23, 59, 30), at(3, 0, 0)),
        (at(2, 3, 4, 5), at(4, 23, 59, 59)),
        (at(2), at(2, 0, 2, 59)),
        (at(4, 12), at(5)),
    ],
)
def test_the_worst_and_best_moment_are_of_the_whole_minutes_between(desk, minutes, opened_at, closed_at):
    """And of what was paid and got; fractions of the entry's price."""
    entry = float(minutes.filter(pl.col("opened_at") <= opened_at)["close"][-1])
    holding = held(opened_at=opened_at, closed_at=closed_at, entry_price_krw=entry, exit_price_krw=entry * 1.001)
    worst, best = extremes(minutes, opened_at, closed_at, entry, entry * 1.001)
    course = Prices(desk.lake).course(holding)
    assert (course.mae, course.mfe) == pytest.approx((worst / entry - 1, best / entry - 1), abs=1e-12)
    assert course.mae <= 0 <= course.mfe
    assert course.until == closed_at


def test_an_open_position_is_looked_at_until_the_last_stored_minute(desk, minutes):
    """However long that is ago."""
    course = Prices(desk.lake).course(held(opened_at=at(2, 12), entry_price_krw="1"))
    worst, best = extremes(minutes, at(2, 12), at(9), 1.0)
    assert (course.mae, course.mfe) == (worst - 1, pytest.approx(best - 1))
    assert course.until == minutes["opened_at"].max() + _MINUTE


def test_what_is_held_for_no_whole_minute_has_its_own_prices(desk, minutes):
    """Also from one day into the next."""
    assert not minutes.is_empty()
    for opened_at, closed_at in ((at(2, 3, 4, 5), at(2, 3, 4, 50)), (at(3), at(3)), (at(1, 23, 59, 30), at(2))):
        holding = held(opened_at=opened_at, closed_at=closed_at, entry_price_krw="100", exit_price_krw="99")
        course = Prices(desk.lake).course(holding)
        assert (course.mae, course.mfe) == (-0.01, 0)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"opened_at": at(5)}, "no minutes of KRW-BTC are stored since its entry"),
        ({"opened_at": at(4, 23, 59, 59)}, "no whole minute since its entry is stored"),
        ({"opened_at": at(1) - _MINUTE}, "the minutes of KRW-BTC on 2025-12-31 are not stored (1 such days)"),
        (
            {"opened_at": at(4), "closed_at": at(6, 1), "exit_price_krw": "1"},
            "the minutes of KRW-BTC on 2026-01-05 are not stored (2 such days)",
        ),
        ({"opened_at": at(1), "symbol": "KRW-ETH"}, "no minutes of KRW-ETH are stored since its entry"),
    ],
)
def test_what_cannot_be_measured_has_a_reason(desk, minutes, facts, told):
    """Never a figure of a part."""
    assert not minutes.is_empty()
    course = Prices(desk.lake).course(held(**facts))
    assert isinstance(course, Undefined)
    assert str(course) == told


def test_a_coin_of_which_nothing_is_stored_has_no_price(desk):
    """But a reason."""
    assert Prices(desk.lake).mark("KRW-DOGE") == Undefined("no minutes of KRW-DOGE are stored")


def test_a_damaged_lake_is_a_reason_too(desk, minutes, tmp_path):
    """What people wrote themselves is still told."""
    assert not minutes.is_empty()
    for file in (tmp_path / "lake").rglob("*.parquet"):
        file.write_bytes(b"not what was published")
    holding = held(opened_at=at(1), entry_price_krw="1")
    for answer in (Prices(desk.lake).mark("KRW-BTC"), Prices(desk.lake).course(holding)):
        assert isinstance(answer, Undefined)
        assert "cannot be read: " in answer
        assert "is damaged" in answer
    assert date(2026, 1, 1) in desk.lake.heads(MINUTES, Market("KRW-BTC"))
