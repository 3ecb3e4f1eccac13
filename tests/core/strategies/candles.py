"""Bars for tests of strategies: what is not named follows the closes."""

from dataclasses import replace

import numpy as np
import polars as pl

from coinhts_core.candles.bars import Bars
from coinhts_core.candles.resample import resample
from coinhts_core.markets import Timeframe


def frame_of(closes, *, timeframe=Timeframe.H1, **columns):
    closes = np.asarray(closes, dtype=np.float64)
    opened_at = pl.Series([place * timeframe.minutes * 60_000_000 for place in range(len(closes))], dtype=pl.Int64)
    prices = {name: columns.get(name, closes) for name in ("open", "high", "low", "close")}
    volume = columns.get("volume", np.ones(len(closes)))
    return pl.DataFrame(
        {"opened_at": opened_at.cast(pl.Datetime("us", "UTC")), **prices, "volume": volume, "turnover_krw": volume},
        schema_overrides=dict.fromkeys((*prices, "volume", "turnover_krw"), pl.Float64),
    )


def bars_of(closes, *, timeframe=Timeframe.H1, beside=(), **columns):
    frame = frame_of(closes, timeframe=timeframe, **columns)
    longer = {of: Bars.from_frame(resample(frame, timeframe, of), of.length) for of in beside}
    return Bars.from_frame(frame, timeframe.length, longer)


def standing_still(count=60, price=100.0, **columns):
    return bars_of(np.full(count, price), **columns)


def published_bars(count):
    """The bars coin_hts measured itself on: numpy's old generator with seed 42, drawn in exactly this order."""
    random, price, rows = np.random.RandomState(42), 100.0, []
    every = max(count // 50, 1)
    for place in range(count):
        price += 2.0 * random.randn()
        opened, close = price, price + random.randn()
        if place and place % every == 0:
            volume = random.uniform(2_000, 3_000)
            close = opened * (1.02 if place % (2 * every) == 0 else 0.99)
        else:
            volume = random.uniform(100, 500)
        high = max(opened, close) + 0.5 * abs(random.randn())
        rows.append((opened, high, min(opened, close) - 0.5 * abs(random.randn()), close, volume))
    opened, high, low, close, volume = np.array(rows).T
    return bars_of(close, open=opened, high=high, low=low, volume=volume, timeframe=Timeframe.D1)


def noise(count, seed):
    """A walk of bars with wicks and volume, on no tick."""
    random = np.random.RandomState(seed)
    close = 100.0 * np.exp(np.cumsum(0.01 * random.standard_normal(count)))
    opened = np.append(100.0, close[:-1])
    wicks = 1.0 + np.abs(0.005 * random.standard_normal((2, count)))
    high, low = np.maximum(opened, close) * wicks[0], np.minimum(opened, close) / wicks[1]
    return bars_of(close, open=opened, high=high, low=low, volume=np.exp(random.standard_normal(count)))


def without_volume(bars):
    return replace(bars, volume=np.zeros(len(bars)))
