"""A whole process of ours: candles from a file, one run, its figures."""

import sys
from pathlib import Path

import numpy as np
import polars as pl

from coinhts_core.backtests import Account, run
from coinhts_core.strategies import load

columns = {
    name: np.load(Path(sys.argv[1]) / f"{name}.npy") for name in ("opened_at", "open", "high", "low", "close", "volume")
}
candles = pl.DataFrame(columns).with_columns(pl.col("opened_at").cast(pl.Datetime("us", "UTC")))
result = run(candles, load("sma_cross", fast=10, slow=50), Account(cash=1e12, fee_rate=0.0005, rules=None))
shown = [result.metrics[name] for name in ("total_return", "max_drawdown", "win_rate", "sharpe")]
sys.stdout.write(f"{len(result.trades)} {1e12 * (1 + shown[0])}\n")
