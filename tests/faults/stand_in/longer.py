"""Longer bars out of shorter ones, in plain Python, so that ours are compared with another's.

What lives here: `longer_bars`. What stays out: coinhts' own way (`coinhts_core.candles.resample`).
"""

from itertools import pairwise

import polars as pl

from coinhts_core.markets import Timeframe

_MONDAY_S = 4 * 86_400  # after the first of January 1970, a Thursday
_STEPS = {"volume": 10**8, "turnover_krw": 10**4}


def longer_bars(bars: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """Bars of a length out of shorter ones in order; sums of decimals, which whole numbers make exact."""
    length = timeframe.minutes * 60
    columns = bars.to_dict(as_series=False) | {"opened_at": bars["opened_at"].dt.epoch("s").to_list()}
    numbers = [(second - _MONDAY_S) // length for second in columns["opened_at"]]
    first = [place for place, number in enumerate(numbers) if not place or number != numbers[place - 1]]
    spans = list(pairwise([*first, len(numbers)]))
    longer = {
        "opened_at": [(numbers[start] * length + _MONDAY_S) * 1_000_000 for start, _ in spans],
        "open": [columns["open"][start] for start, _ in spans],
        "high": [max(columns["high"][start:end]) for start, end in spans],
        "low": [min(columns["low"][start:end]) for start, end in spans],
        "close": [columns["close"][end - 1] for _, end in spans],
    }
    for name, steps in _STEPS.items():
        counts = [round(value * steps) for value in columns[name]]
        longer[name] = [float(sum(counts[start:end])) / steps for start, end in spans]
    return pl.DataFrame(longer, schema=bars.schema | {"opened_at": pl.Int64}).cast(dict(bars.schema))
