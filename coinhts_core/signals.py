"""Signals: a strategy's decisions as columns, one row a bar.

What lives here: the schema, which days a day's decisions may look at, and deciding one day. What stays out: the
decisions themselves (`strategies`), reading and writing (`rehearsal`).

For a day a strategy sees exactly the bars from `warmup` bars before its first one to its last one: whether decided in
a backfill, a run, a sweep or on paper, the same window gives the same decisions.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from coinhts_core.candles.frame import Bars
from coinhts_core.frames import Column, Schema
from coinhts_core.hashes import digest
from coinhts_core.strategies import Decisions, Strategy

SIGNALS = Schema(
    "signals",
    1,
    (
        Column("opened_at", "time"),
        Column("decided_at", "time"),
        Column("side", "int"),
        Column("price_krw", "float"),
        Column("confidence", "float", nullable=True),
    ),
)


def decide(strategy: Strategy, bars: Bars, first: int, end: int) -> Decisions:
    """Decisions of bars[first:end], seen through their window; `bars` begins at the anchor."""
    start = max(0, first - strategy.warmup)
    decisions = strategy.decide(bars[start:end])[first - start :]
    unready = max(0, strategy.ready_after - (first - start))
    decisions[:unready] = 0
    return decisions


def window_start(starts: Sequence[int], warmup: int) -> int:
    """The position of the first day that the last day of `starts` may look at; each entry is a day's first bar."""
    oldest = starts[-1] - warmup
    if oldest < 0:
        return 0
    return int(np.searchsorted(starts, oldest, side="right")) - 1


def made_from(candle_hashes: Sequence[str], strategy: Strategy, code: str) -> str:
    """What a stored day of decisions stands on: every day of its window, the knobs and the code."""
    return digest(list(candle_hashes), strategy.parameters(), code)


def decisions_frame(bars: Bars, decisions: Decisions) -> pl.DataFrame:
    columns = {
        "opened_at": _times(bars.opened_at),
        "decided_at": _times(bars.closed_at),
        "side": decisions,
        "price_krw": bars.close,
        "confidence": pl.Series([None] * len(bars), dtype=pl.Float64),
    }
    return SIGNALS.judge(pl.DataFrame(columns))


def _times(microseconds: np.ndarray) -> pl.Series:  # type: ignore[type-arg]
    return pl.Series(microseconds).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
