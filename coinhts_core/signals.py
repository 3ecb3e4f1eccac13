"""Signals: a strategy's decisions as columns, one row a bar.

What lives here: the schema, which days a day's decisions may look at, and deciding one day. What stays out:
the decisions themselves (`strategies`), reading and writing (`rehearsal`).

For a day a strategy sees exactly the bars from `warmup` bars before its first one to its last one: whether
decided in a backfill, a run, a sweep or on paper, the same window gives the same decisions.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.candles.frame import Bars
from coinhts_core.errors import BadFrameError
from coinhts_core.frames import Column, Schema
from coinhts_core.hashes import digest
from coinhts_core.strategies import ENTER, LEAVE, NOTHING, Decisions, Strategy

SIGNALS = Schema(
    "signals",
    1,
    (
        Column("opened_at", "time", meaning="when the bar begins, UTC"),
        Column("decided_at", "time", meaning="when the bar closes and the decision stands, UTC"),
        Column("side", "int", meaning="1 enter, -1 leave, 0 nothing"),
        Column("price_krw", "float", meaning="the bar's close"),
        Column("confidence", "float", nullable=True, meaning="0 to 1, where a strategy says so"),
    ),
)


def decide(strategy: Strategy, bars: Bars, first: int, end: int) -> Decisions:
    """Decisions of bars[first:end], seen through their window; `bars` begins at the anchor."""
    start = max(0, first - strategy.warmup)
    decisions = _judged(strategy.decide(bars[start:end]), end - start)[first - start :]
    unready = max(0, strategy.ready_after - (first - start))
    decisions[:unready] = NOTHING
    return decisions


def _judged(decisions: Decisions, count: int) -> Decisions:
    """A copy of what the strategy said, which may be anybody's code."""
    sides = np.asarray(decisions)
    if sides.shape != (count,) or not np.isin(sides, (ENTER, LEAVE, NOTHING)).all():
        raise BadFrameError(schema=SIGNALS.name, column="side", reason=f"is not one of 1, -1, 0 for {count} bars")
    return sides.astype(np.int8)


def window_start(starts: Sequence[int], warmup: int) -> int:
    """The position of the first day the last one may look at; `starts` holds each day's first bar."""
    return max(bisect_right(starts, starts[-1] - warmup) - 1, 0)


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


def _times(microseconds: NDArray[np.int64]) -> pl.Series:
    return pl.Series(microseconds).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
