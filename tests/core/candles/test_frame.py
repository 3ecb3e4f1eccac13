from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from coinhts_core.candles.frame import CANDLES, Bars, judge_day, row_rules
from coinhts_core.candles.resample import day_of, resample
from coinhts_core.errors import BadCandlesError
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe

BTC, DAY = Market("KRW-BTC"), date(2026, 1, 2)
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
LATER = MIDNIGHT + timedelta(days=2)
SAMPLE = open_exchange("sample")


def frame(**changed):
    """Three good minutes, with one column's middle value changed."""
    columns = {
        "opened_at": [MIDNIGHT + timedelta(minutes=at) for at in (0, 1, 3)],
        "open": [10.0, 11.0, 12.0],
        "high": [11.0, 12.0, 13.0],
        "low": [9.0, 10.0, 11.0],
        "close": [11.0, 11.0, 11.5],
        "volume": [1.0, 0.5, 2.0],
        "turnover_krw": [10.0, 5.5, 24.0],
    }
    for name, value in changed.items():
        columns[name][1] = value
    return pl.DataFrame(columns)


def judged(candles, timeframe=Timeframe.M1, asked_at=LATER):
    return judge_day(candles, BTC, DAY, timeframe, asked_at=asked_at)


def test_a_good_day_passes_as_the_schema_wants_it():
    """Extra columns fall away, columns come in order, a quiet day is good, too."""
    assert judged(frame().select(pl.all().reverse(), extra=1).reverse()).columns == CANDLES.names
    assert judged(CANDLES.empty()).equals(CANDLES.empty())


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("prices_are_positive", {"low": 0.0}),
        ("prices_are_positive", {"open": -1.0}),
        ("high_is_not_below_low", {"high": 9.5}),
        ("open_and_close_are_between_low_and_high", {"open": 12.5}),
        ("open_and_close_are_between_low_and_high", {"close": 9.5}),
        ("volumes_are_not_negative", {"volume": -0.1}),
        ("volumes_are_not_negative", {"turnover_krw": -0.1}),
        ("bars_are_in_order", {"opened_at": MIDNIGHT + timedelta(minutes=5)}),
        ("bars_are_unique", {"opened_at": MIDNIGHT}),
        ("bars_open_on_the_grid", {"opened_at": MIDNIGHT + timedelta(seconds=61)}),
    ],
)
def test_each_rule_is_named_when_it_is_broken(rule, changed):
    """The refusal says which sentence is not true, of which bar."""
    with pytest.raises(
        BadCandlesError, match=rf"KRW-BTC on 2026-01-02.*{rule} does not hold for the bar of 2026-01-02"
    ):
        judged(frame(**changed))


@pytest.mark.parametrize("shift", [timedelta(days=-1), timedelta(days=1), timedelta(minutes=1_437)])
def test_bars_of_another_day_are_refused(shift):
    """Yesterday's, tomorrow's, and a day that runs over its end."""
    with pytest.raises(BadCandlesError, match="bars_belong_to_the_day"):
        judged(frame().with_columns(pl.col("opened_at") + shift))


def test_an_unfinished_bar_is_refused():
    """The last bar closes at 00:04; asked a second earlier it was not finished."""
    closed_at = MIDNIGHT + timedelta(minutes=4)
    assert judged(frame(), asked_at=closed_at).height == 3
    with pytest.raises(BadCandlesError, match="bars_are_closed"):
        judged(frame(), asked_at=closed_at - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (frame().drop("turnover_krw"), "turnover_krw is missing"),
        (frame(volume=None), "volume has empty values"),
        (frame(open=float("nan")), "open holds NaN or an infinity"),
        (frame(high=float("inf")), "high holds NaN or an infinity"),
        (frame().with_columns(close=pl.lit("dear")), "close is String and cannot become float"),
    ],
)
def test_what_is_no_candle_at_all_is_refused(broken, reason):
    """Missing columns and values that are no numbers name the symbol and the day, too."""
    with pytest.raises(BadCandlesError, match=f"KRW-BTC on 2026-01-02 are refused: {reason}"):
        judged(broken)


def test_a_day_bar_is_judged_by_the_same_rules():
    """It opens at midnight and closes at the next."""
    bar = SAMPLE.days(BTC, DAY, DAY)
    assert judged(bar, Timeframe.D1).equals(bar)
    with pytest.raises(BadCandlesError, match="bars_open_on_the_grid"):
        judged(frame(), Timeframe.D1)


def test_rules_are_true_sentences_with_a_verdict_for_every_row():
    """Checks of stored candles count the rows that break each."""
    verdicts = frame(low=-1.0).select(**row_rules(DAY, Timeframe.M1, LATER))
    assert verdicts.select((~pl.all()).sum()).row(0, named=True) == {
        rule: int(rule == "prices_are_positive") for rule in verdicts.columns
    }


def test_bars_are_the_frame_in_columns():
    """Times in microseconds, prices as they were, each contiguous and read-only."""
    bars = Bars.from_frame(frame(), Timeframe.M1)
    assert len(bars) == 3
    assert bars.opened_at.dtype == bars.closed_at.dtype == np.int64
    assert (bars.closed_at - bars.opened_at).tolist() == [60_000_000] * 3
    assert bars.opened_at[0] == int(MIDNIGHT.timestamp()) * 1_000_000
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(bars, name).tolist() == frame()[name].to_list()
    for column in vars(bars).values():
        assert column.flags.c_contiguous
        assert not column.flags.writeable


def test_chunked_frames_make_the_same_bars():
    """A frame put together from days is read like one piece."""
    halves = pl.concat([frame()[:2], frame()[2:]], rechunk=False)
    whole = Bars.from_frame(frame(), Timeframe.M1)
    for ours, expected in zip(vars(Bars.from_frame(halves, Timeframe.M1)).values(), vars(whole).values(), strict=True):
        assert np.array_equal(ours, expected)
        assert not ours.flags.writeable


def test_a_slice_of_bars_is_bars():
    """Every column is cut alike."""
    tail = Bars.from_frame(frame(), Timeframe.M1)[1:]
    assert (len(tail), tail.open.tolist(), tail.closed_at[0] - tail.opened_at[0]) == (
        2,
        [11.0, 12.0],
        60_000_000,
    )


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H4, Timeframe.D1, Timeframe.W1])
def test_rows_of_a_day_are_those_that_close_in_it(timeframe):
    """The same rule as `day_of`, on arrays: days divide the bars without gap or overlap."""
    days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(18)]
    candles = resample(pl.concat(SAMPLE.minutes(BTC, day) for day in days), Timeframe.M1, timeframe)
    bars = Bars.from_frame(candles, timeframe)
    closed_at = [moment + timedelta(minutes=timeframe.minutes) for moment in candles["opened_at"]]
    by_day = [bars.rows_of(day) for day in [*days, date(2026, 1, 19)]]
    assert [row for rows in by_day for row in range(len(bars))[rows]] == list(range(len(bars)))
    for day, rows in zip(days, by_day, strict=False):
        assert all(day_of(moment) == day for moment in closed_at[rows])
