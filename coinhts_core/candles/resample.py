"""Coarser bars out of finer ones.

What lives here: `resample`. What to add: nothing for a new timeframe; its length is enough. What stays out: which day
a bar belongs to (`bars`), and filling; a coarser bar exists only where something was traded. Whether all finer bars
are there is the caller's to know: half an hour's minutes make an hour's bar, too.

Sums are exact, so it does not matter in how many steps they are made: volume is summed in whole steps of 1e-8
of the coin (the venue's own resolution), turnover in steps of 0.0001 KRW. That holds while a bar's sum fits
the 53 bits of a double (90 million coins, 900 billion KRW). Beyond, the double itself is coarser than the
step: a bar made of minutes is still the same on every machine, one made in two steps may differ in the last
bits.
"""

import polars as pl

from coinhts_core.errors import RefusedError
from coinhts_core.markets import Timeframe

_STEPS = {"volume": 10**8, "turnover_krw": 10**4}


def resample(candles: pl.DataFrame, source: Timeframe, target: Timeframe) -> pl.DataFrame:
    """Bars of `target` out of bars of `source` that are in order; weeks open on Monday 00:00 UTC."""
    if target.minutes % source.minutes:
        choices = ", ".join(choice for choice in Timeframe if choice.minutes % source.minutes == 0)
        raise RefusedError(reason=f"bars of {source} cannot make bars of {target}; choose one of {choices}")
    if source == target:
        return candles
    coarser = candles.group_by_dynamic("opened_at", every=target.value).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        *(_in_steps(column, steps).sum() for column, steps in _STEPS.items()),
    )
    return coarser.with_columns(_out_of_steps(coarser[column], steps) for column, steps in _STEPS.items())


def _in_steps(column: str, steps: int) -> pl.Expr:
    """In 128 bits, because a day of a coin worth 0.0006 KRW overflows 64."""
    return (pl.col(column) * steps).round().cast(pl.Int128)


def _out_of_steps(sums: pl.Series, steps: int) -> pl.Series:
    """By numpy, because polars divides by multiplying with the inverse, which may miss the nearest double."""
    return pl.Series(sums.name, sums.cast(pl.Float64).to_numpy() / steps)
