"""Candles for tests of backtests, made of closes."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

START = datetime(2026, 1, 1, tzinfo=UTC)


def candles(closes, *, minutes=60, start=START, spread=0.001, volume=10.0):
    """Candles that open where the one before closed."""
    closes = np.asarray(closes, dtype=float)
    opens = np.concatenate([closes[:1], closes[:-1]])
    count = len(closes)
    return pl.DataFrame(
        {
            "opened_at": pl.Series(
                [start + timedelta(minutes=minutes * at) for at in range(count)], dtype=pl.Datetime("us", "UTC")
            ),
            "open": opens,
            "high": np.maximum(opens, closes) * (1 + spread),
            "low": np.minimum(opens, closes) * (1 - spread),
            "close": closes,
            "volume": np.full(count, volume),
        }
    )


def walk(count, seed=7):
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count)))
