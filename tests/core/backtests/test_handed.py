import pandas as pd
import polars as pl
import pytest

from coinhts_core.backtests import run
from coinhts_core.errors import BadFrameError, RefusedError
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda of: of.drop("close"), "column close is missing"),
        (lambda of: of.drop("opened_at"), "column opened_at is missing"),
        (lambda of: of.with_columns(opened_at=pl.lit("2026")), "is String and no time"),
        (lambda of: of.with_columns(open=pl.lit("a")), "column open is String and no number"),
        (lambda of: of.with_columns(high=pl.lit(None, pl.Float64)), "high has empty values"),
        (lambda of: of.with_columns(close=pl.lit(float("nan"))), "column close is NaN or infinite in row 1"),
        (lambda of: of.reverse(), "opened_at is not after the bar before in row 2"),
        (lambda of: pl.concat([of, of[-1:]]), "is not after the bar before in row 31"),
        (lambda of: of.with_columns(low=pl.lit(0.0)), "low is not above 0 in row 1"),
        (lambda of: of.with_columns(high=pl.col("low") / 2), "high is below the low"),
        (lambda of: of.with_columns(open=pl.col("high") * 2), "open is not between low and high"),
        (lambda of: of.with_columns(close=pl.col("low") / 2), "close is not between low and high"),
        (lambda of: of.with_columns(volume=pl.lit(-1.0)), "volume is below 0"),
    ],
)
def test_bad_candles_are_refused_in_one_sentence(change, sentence):
    """The column, what is wrong, and where."""
    with pytest.raises(BadFrameError) as refusal:
        run(change(candles(walk(30))), load("sma_cross"))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_cannot_be_joined_is_refused():
    """Coarser candles cannot become finer ones, odd lengths no timeframe, and shared cash needs equal bars."""
    with pytest.raises(RefusedError, match="bars of 1h cannot make bars of 15m"):
        run(candles(walk(30)), load("sma_cross"), timeframe="15m")
    with pytest.raises(RefusedError, match="bars of 0:07:00 cannot make bars of 1h; leave the timeframe out"):
        run(candles(walk(30), minutes=7), load("sma_cross"), timeframe="1h")
    assert run(candles(walk(30), minutes=7), load("sma_cross")).timeframe == "0:07:00"
    with pytest.raises(RefusedError, match="must be equally long"):
        run({"KRW-BTC": candles(walk(30)), "KRW-ETH": candles(walk(30), minutes=5)}, load("sma_cross"))
    with pytest.raises(RefusedError, match="there are no candles"):
        run({}, load("sma_cross"))
    with pytest.raises(RefusedError, match="not a mode"):
        run(candles(walk(30)), load("sma_cross"), mode="guess")


def test_times_without_a_zone_are_utc():
    """Pandas frames without one, or with Korea's, are the same moments."""
    frame = candles(walk(50)).to_pandas()
    naive = frame.assign(opened_at=frame["opened_at"].dt.tz_localize(None))
    korean = frame.assign(timestamp=frame["opened_at"].dt.tz_convert("Asia/Seoul")).drop(columns="opened_at")
    assert isinstance(naive, pd.DataFrame)
    assert run(frame, load("sma_cross")).id == run(naive, load("sma_cross")).id == run(korean, load("sma_cross")).id
