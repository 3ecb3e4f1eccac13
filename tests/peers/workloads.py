"""What engines are compared on: minutes of a random walk, two rules, and an account that costs 0.05 % a side.

What lives here: the candles and knobs that all engines are given. What stays out: how an engine is run.

The walk: returns of a minute are normal with a deviation of 0.1 %, a minute opens a normal 0.005 % beside the close
before, its high and low lie a normal 0.04 % (without sign) outside both, and its volume is log-normal and grows with
the size of its return.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

FEE_RATE = 0.0005
CASH = 1e12

CROSSING = (10, 50)
CROSSINGS = [(fast, slow) for fast in range(4, 54, 2) for slow in range(60, 260, 5)]

BREAKOUT = {"window": 20, "vol_window": 20, "vol_multiplier": 2.0, "hold_period_bars": 60}
LEVELS = {"stop_loss": 0.01, "take_profit": 0.02}

_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_FIRST_OPEN = 100.0


def minutes(count, seed=7):
    """Give minutes of the walk; their prices lie on no ticks, so that averages never tie."""
    normal = np.random.default_rng(seed).standard_normal
    returns, gaps, above, below, crowd = (deviation * normal(count) for deviation in (1e-3, 5e-5, 4e-4, 4e-4, 0.6))
    close = _FIRST_OPEN * np.exp(returns.cumsum())
    opens = np.append(_FIRST_OPEN, close[:-1]) * np.exp(gaps)
    span = timedelta(minutes=count - 1)
    return pl.DataFrame(
        {
            "opened_at": pl.datetime_range(_BEGINNING, _BEGINNING + span, "1m", time_unit="us", eager=True),
            "open": opens,
            "high": np.maximum(opens, close) * (1 + np.abs(above)),
            "low": np.minimum(opens, close) * (1 - np.abs(below)),
            "close": close,
            "volume": 100 * np.exp(crowd) * (1 + 800 * np.abs(returns)),
        }
    )
