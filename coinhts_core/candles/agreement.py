"""Two accounts of the same time: the exchange's own longer bar, and the one its minutes make.

What lives here: where they differ. What stays out: what is done about it; a difference warns and blocks nothing.
"""

from datetime import datetime

import polars as pl

from coinhts_core.candles.resample import resample
from coinhts_core.markets import Timeframe

_PRICES = ("open", "high", "low", "close")
_VOLUME_TOLERANCE = 1e-9


def disagreements(bars: pl.DataFrame, minutes: pl.DataFrame, timeframe: Timeframe) -> list[tuple[datetime, str]]:
    """When and how the bars that both have differ: in prices at all, in volume by more than rounding."""
    made = resample(minutes, Timeframe.M1, timeframe)
    both = bars.join(made, on="opened_at", suffix=" by minutes").sort("opened_at")
    differs = {column: pl.col(column) != pl.col(_made(column)) for column in _PRICES}
    tolerance = _VOLUME_TOLERANCE * pl.col("volume")
    differs["volume"] = (pl.col("volume") - pl.col(_made("volume"))).abs() > tolerance
    return [
        (row["opened_at"], f"{column} is {row[column]:.10g} by the exchange, {row[_made(column)]:.10g} by minutes")
        for column, differing in differs.items()
        for row in both.filter(differing).iter_rows(named=True)
    ]


def _made(column: str) -> str:
    return f"{column} by minutes"
