"""What tests of tearsheets may ask for: a result of any length, and a page as a tree of elements."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest

from coinhts_core.backtests.figures import measure
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.backtests.tearsheet.sheet import NO_CANDLES, Sheet

START = datetime(2026, 1, 1, tzinfo=UTC)
_PRICES = ("entry_price", "exit_price", "quantity", "fees_krw", "profit_krw", "return")
_TRADES = {
    "opened_at": pl.Datetime("us", "UTC"),
    "closed_at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(_PRICES, pl.Float64),
    "reason": pl.String,
}


@pytest.fixture
def make_sheet():
    return _sheet


@pytest.fixture
def tree():
    """A page, or a part of one, as elements: everything is closed and quoted, as in XML."""
    return _tree


def _sheet(days=120, trades=5, **changes):
    hours = np.arange(days * 24)
    closes = 1e8 + 1e6 * np.sin(hours / 50)
    opens = np.concatenate((closes[:1], closes[:-1]))
    candles = pl.DataFrame(
        {
            "opened_at": [START + timedelta(hours=int(hour)) for hour in hours],
            "open": opens,
            "high": np.maximum(opens, closes) + 1e4,
            "low": np.minimum(opens, closes) - 1e4,
            "close": closes,
        },
        schema=NO_CANDLES.schema,
    )
    rows = [_trade(place, len(hours), trades, opens) for place in range(trades)]
    table = pl.DataFrame(rows, schema=_TRADES, orient="row")
    equity = 1e7 * (1.0 + np.sin(np.arange(days + 1) / 9) / 10)
    held = 1e7 * (1.0 + np.arange(days + 1) / 1_000)
    sheet = Sheet(
        title="sma_cross on KRW-BTC",
        strategy="sma_cross",
        symbols=["KRW-BTC"],
        timeframe="1h",
        parameters={"fast": 10, "slow": 50},
        account={"cash": 1e7, "fee_rate": None},
        days=[date(2026, 1, 1) + timedelta(days=day) for day in range(days)],
        equity=equity,
        trades=table,
        figures=measure(equity, RoundTrips.from_frame(table), benchmark=held),
        candles=candles,
        benchmarks={"KRW-BTC held": held},
        facts={"code": "58ac3f5d1c0e"},
    )
    return replace(sheet, **changes)


def _trade(place, hours, trades, opens):
    entered = place * hours // trades
    left = entered + max(hours // trades // 2, 1)
    entry, gone = float(opens[entered]), float(opens[min(left, hours - 1)])
    profit = (gone - entry) * 0.1 - 1e4
    moments = [START + timedelta(hours=entered), START + timedelta(hours=left)]
    return [*moments, entry, gone, 0.1, 1e4, profit, profit / 1e7, "decision"]


def _tree(page):
    return ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own text
