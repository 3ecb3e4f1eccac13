import pytest

from coinhts_core.candles.columns import REQUIRED, recognised

UPBIT = [
    "market", "candle_date_time_utc", "candle_date_time_kst", "opening_price", "high_price", "low_price", "trade_price",
    "timestamp", "candle_acc_trade_price", "candle_acc_trade_volume", "unit",
]  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ["timestamp", "open", "high", "low", "close", "volume"],
        ["", "open", "high", "low", "close", "volume", "value"],
        [" Date Time ", "OPEN", "High", "Low", "Close", "Vol."],
        ["일시", "시가", "고가", "저가", "종가", "거래량", "거래대금"],
        ["open", "high", "low", "close", "volume", "__index_level_0__"],
    ],
)
def test_others_names_are_understood(names):
    """Whatever programs and people call them."""
    assert recognised(names).keys() >= REQUIRED


def test_what_says_more_exactly_is_preferred():
    """Upbit's `timestamp` is the last trade's, and its UTC column needs no zone."""
    found = recognised(UPBIT)
    assert {ours: UPBIT[place] for ours, place in found.items()} == {
        "symbol": "market",
        "opened_at": "candle_date_time_utc",
        "open": "opening_price",
        "high": "high_price",
        "low": "low_price",
        "close": "trade_price",
        "volume": "candle_acc_trade_volume",
        "turnover_krw": "candle_acc_trade_price",
    }


def test_strangers_are_left_alone():
    """Of two columns of one name the first is taken."""
    assert recognised(["colour", "close", "close"]) == {"close": 1}
