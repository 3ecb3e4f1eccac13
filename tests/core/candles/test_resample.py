from datetime import UTC, date, datetime, timedelta

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.candles.frame import CANDLES
from coinhts_core.candles.resample import resample
from coinhts_core.errors import RefusedError
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe

M1 = Timeframe.M1
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
_PANDAS = {"m": "min", "h": "h", "d": "D"}


def candles(rows):
    """Minute bars from (minute, price, wick, volume in 1e-8, turnover in 0.0001 KRW)."""
    built = [
        (
            MONDAY + timedelta(minutes=at),
            price,
            price + wick,
            price - wick,
            price + wick / 2,
            volume / 1e8,
            turnover / 1e4,
        )
        for at, price, wick, volume, turnover in sorted(rows)
    ]
    return CANDLES.judge(pl.DataFrame(built, schema=CANDLES.names, orient="row")) if built else CANDLES.empty()


minutes = st.lists(
    st.tuples(
        st.integers(0, 3 * 10_080),
        st.integers(10, 10**9).map(float),
        st.integers(0, 9).map(float),
        st.integers(0, 10**13),
        st.integers(0, 10**13),
    ),
    max_size=60,
    unique_by=lambda row: row[0],
).map(candles)


@given(minutes, st.lists(st.sampled_from(list(Timeframe)), max_size=4, unique=True))
def test_steps_between_change_nothing(frame, steps):
    """1m to 5m to 15m is 1m to 15m to the last bit, sums included, and so is every other way up."""
    stepwise, at = frame, M1
    for step in sorted(steps, key=lambda timeframe: timeframe.minutes):
        if step.minutes % at.minutes == 0:
            stepwise, at = resample(stepwise, at, step), step
    assert stepwise.equals(resample(frame, M1, at))


@pytest.mark.parametrize("target", list(Timeframe)[1:])
def test_pandas_agrees(target):
    """An independent second opinion on three weeks of a thinly traded coin, every timeframe."""
    days = [date(2026, 1, 7) + timedelta(days=offset) for offset in range(21)]
    frame = pl.concat(open_exchange("sample").minutes(Market("KRW-STMX"), day) for day in days)
    rule = "W-MON" if target == Timeframe.W1 else f"{target[:-1]}{_PANDAS[target[-1]]}"
    windows = (
        pd.DataFrame(frame.to_dict(as_series=False)).set_index("opened_at").resample(rule, closed="left", label="left")
    )
    expected = windows.agg(
        {
            "open": "first",
            "high": "max",
            "low": "min",
            "close": "last",
            "volume": "sum",
            "turnover_krw": "sum",
        }
    ).dropna()
    ours = pd.DataFrame(resample(frame, M1, target).to_dict(as_series=False)).set_index("opened_at")
    prices = ["open", "high", "low", "close"]
    pd.testing.assert_frame_equal(ours[prices], expected[prices], check_freq=False, check_exact=True)
    pd.testing.assert_frame_equal(ours, expected, check_freq=False, rtol=1e-12)


def test_bars_exist_only_where_something_was_traded():
    """An hour without a trade stays absent."""
    frame = candles([(0, 10.0, 1.0, 1, 1), (130, 20.0, 1.0, 1, 1)])
    hours = resample(frame, M1, Timeframe.H1)["opened_at"].to_list()
    assert hours == [MONDAY, MONDAY + timedelta(hours=2)]
    assert resample(CANDLES.empty(), M1, Timeframe.H1).equals(CANDLES.empty())


def test_weeks_open_on_monday():
    """Sunday's last minute and Monday's first are two weeks."""
    frame = candles([(0, 10.0, 1.0, 1, 1), (10_079, 10.0, 1.0, 1, 1), (10_080, 10.0, 1.0, 1, 1)])
    assert resample(frame, M1, Timeframe.W1)["opened_at"].to_list() == [MONDAY, MONDAY + timedelta(days=7)]


def test_a_sum_is_the_decimal_one_would_write():
    """Correctly rounded from the whole steps: 0.1 + 0.2 is 0.3."""
    rows = [(at, 10.0, 1.0, 10_000_000 + at, 163_651_404_676_612 - at) for at in range(120)]
    hours = resample(candles(rows), M1, Timeframe.H1)
    exact = [[sum(row[kind] for row in rows[hour : hour + 60]) for hour in (0, 60)] for kind in (3, 4)]
    assert hours["volume"].to_list() == [total / 10**8 for total in exact[0]]
    assert hours["turnover_krw"].to_list() == [total / 10**4 for total in exact[1]]


def test_the_cheapest_coins_do_not_overflow():
    """A day of 10^15 coins has more steps than 64 bits."""
    frame = candles([(at, 10.0, 1.0, 10**20, 1) for at in range(1_000)])
    assert resample(frame, M1, Timeframe.D1)["volume"].item() == pytest.approx(1e15, rel=1e-15)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Timeframe.M3, Timeframe.M5),
        (Timeframe.M10, Timeframe.M15),
        (Timeframe.H1, Timeframe.M30),
        (Timeframe.W1, Timeframe.D1),
    ],
)
def test_what_does_not_fit_is_refused(source, target):
    """Finer bars cannot be invented, and uneven ones would cut bars in two."""
    with pytest.raises(RefusedError, match=f"bars of {source} cannot make bars of {target}; choose one of {source}"):
        resample(CANDLES.empty(), source, target)
