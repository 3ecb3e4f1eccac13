from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from coinhts_core.candles.bars import Bars
from coinhts_core.candles.resample import resample
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe

BTC = Market("KRW-BTC")
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
SAMPLE = open_exchange("sample")
ARRAYS = ("opened_at", "closed_at", "open", "high", "low", "close", "volume")


def frame():
    """Three minutes, the third a while later."""
    return pl.DataFrame(
        {
            "opened_at": [MIDNIGHT + timedelta(minutes=at) for at in (0, 1, 3)],
            "open": [10.0, 11.0, 12.0],
            "high": [11.0, 12.0, 13.0],
            "low": [9.0, 10.0, 11.0],
            "close": [11.0, 11.0, 11.5],
            "volume": [1.0, 0.5, 2.0],
        }
    )


def test_bars_are_the_frame_in_columns():
    """Times in microseconds, prices as they were, each contiguous and read-only."""
    bars = Bars.from_frame(frame(), Timeframe.M1.length)
    assert len(bars) == 3
    assert bars.opened_at.dtype == bars.closed_at.dtype == np.int64
    assert (bars.closed_at - bars.opened_at).tolist() == [60_000_000] * 3
    assert bars.opened_at[0] == int(MIDNIGHT.timestamp()) * 1_000_000
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(bars, name).tolist() == frame()[name].to_list()
    for column in map(vars(bars).get, ARRAYS):
        assert column.flags.c_contiguous
        assert not column.flags.writeable


def test_chunked_frames_make_the_same_bars():
    """A frame put together from days is read like one piece."""
    halves = pl.concat([frame()[:2], frame()[2:]], rechunk=False)
    whole = Bars.from_frame(frame(), Timeframe.M1.length)
    joined = Bars.from_frame(halves, Timeframe.M1.length)
    for name in ARRAYS:
        assert np.array_equal(getattr(joined, name), getattr(whole, name))
        assert not getattr(joined, name).flags.writeable


def test_a_slice_of_bars_is_bars():
    """Every column is cut alike."""
    tail = Bars.from_frame(frame(), Timeframe.M1.length)[1:]
    assert (len(tail), tail.open.tolist(), tail.closed_at[0] - tail.opened_at[0]) == (
        2,
        [11.0, 12.0],
        60_000_000,
    )


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H4, Timeframe.D1, Timeframe.W1])
def test_rows_of_a_day_are_those_that_close_in_it(timeframe):
    """00:00 < closed_at ≤ 24:00, midnight closing the day that ends: days divide the bars without gap or overlap."""
    days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(18)]
    candles = resample(pl.concat(SAMPLE.minutes(BTC, day) for day in days), Timeframe.M1, timeframe)
    bars = Bars.from_frame(candles, timeframe.length)
    closed_at = [moment + timedelta(minutes=timeframe.minutes) for moment in candles["opened_at"]]
    by_day = [bars.rows_of(day) for day in [*days, date(2026, 1, 19)]]
    assert [row for rows in by_day for row in range(len(bars))[rows]] == list(range(len(bars)))
    for day, rows in zip(days, by_day, strict=False):
        assert all((moment - timedelta(microseconds=1)).date() == day for moment in closed_at[rows])


def test_a_bar_knows_only_the_longer_ones_that_had_closed():
    """Beside every minute stand the quarters that were over by its close, and a slice takes no later one along."""
    minutes = pl.concat(SAMPLE.minutes(BTC, date(2026, 1, day)) for day in (1, 2))
    quarters = Bars.from_frame(resample(minutes, Timeframe.M1, Timeframe.M15), Timeframe.M15.length)
    bars = Bars.from_frame(minutes, Timeframe.M1.length, {Timeframe.M15: quarters})
    longer, known = bars.beside(Timeframe.M15)
    expected = [
        sum(closed <= moment for closed in longer.closed_at.tolist()) for moment in bars.closed_at[:200].tolist()
    ]
    assert known[:200].tolist() == expected
    for end in (0, 1, 14, 15, 16, 700):
        cut = bars[:end].longer[Timeframe.M15]
        assert len(cut) == (known[end - 1] if end else 0)
