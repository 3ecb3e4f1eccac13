"""Signals: a strategy's decisions as columns, one row a bar.

What lives here: the schema, what a day's decisions may look at, and deciding: one set of knobs, or many `Together`.
What stays out: the decisions themselves (`strategies`), reading and writing (`rehearsal`).

For a day a strategy sees exactly the bars from `warmup` bars before its first one to its last one: whether
decided in a backfill, a run, a sweep or on paper, the same window gives the same decisions.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.candles.bars import Bars, read_only
from coinhts_core.compiled import borrowing, compiled
from coinhts_core.errors import BadFrameError
from coinhts_core.frames import Column, Schema
from coinhts_core.hashes import canonical, digest
from coinhts_core.marked import A_WORD, put_marked
from coinhts_core.strategies import ENTER, LEAVE, NOTHING, Decisions, Strategy

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Turned = NDArray[np.int32]

_ABREAST = 2_048  # bars of two lines stay in the processor's first caches
_MICROSECONDS_A_DAY = 86_400 * 10**6
_SEEN = tuple(f"candles.{name}" for name in ("open", "high", "low", "close", "volume"))  # by a strategy
SIGNALS = Schema(
    "signals",
    2,
    (
        Column("opened_at", "time", meaning="when the bar begins, UTC", made_of=("candles.opened_at",)),
        Column(
            "decided_at",
            "time",
            meaning="when the bar closes and the decision stands, UTC",
            made_of=("candles.opened_at",),
        ),
        Column("side", "int", meaning="1 enter, -1 leave, 0 nothing", made_of=_SEEN),
        Column("price_krw", "float", meaning="the bar's close", made_of=("candles.close",)),
        Column("confidence", "float", nullable=True, meaning="0 to 1, where a strategy says so", made_of=_SEEN),
        Column("note", "text", nullable=True, meaning="what the strategy says of a decision, as JSON", made_of=_SEEN),
    ),
)


def decide(strategy: Strategy, bars: Bars, first: int, end: int) -> Decisions:
    """Decisions of bars[first:end], seen through their window; `bars` begins at the anchor."""
    if first >= end:
        return np.empty(0, np.int8)
    seen, before = window(strategy, bars, first, end)
    decisions = _judged(strategy.decide(seen), len(seen))[before:]
    decisions[: max(0, strategy.ready_after - before)] = NOTHING
    for timeframe, warmup in strategy.looks_at.items():
        decisions[seen.beside(timeframe)[1][before:] < warmup] = NOTHING
    return decisions


def decide_all(strategy: Strategy, bars: Bars) -> Decisions:
    """Decisions of every bar: in one pass where that is the same, else each day through its own window."""
    days = [decide(strategy, bars, first, end) for first, end in passes(strategy, bars)]
    if len(days) == 1:
        return days[0]
    return np.concatenate(days) if days else np.empty(0, np.int8)


class Turns(NamedTuple):
    """Of some bars those that decide something, a row a set of knobs, and how many there are in each row.

    They are counted from 1, and those that leave stand below 0.
    """

    bars: Turned
    counts: Places

    @classmethod
    def room(cls, rows: int, bars: int) -> Self:
        """Not written to yet, so that rows hold no more memory than what is put into them."""
        return cls(np.empty((rows, bars + 1), dtype=np.int32), np.zeros(rows, dtype=np.int64))

    @classmethod
    def of(cls, rows: Sequence[Turned]) -> Self:
        turns = cls.room(len(rows), max(map(len, rows)))
        for place, row in enumerate(rows):
            turns.bars[place, : len(row)], turns.counts[place] = row, len(row)
        return turns


class Together:
    """Sets of knobs of one strategy that decides by crossing lines: each line is drawn once for all that look at it."""

    def __init__(self, strategies: Sequence[Strategy]) -> None:
        self._strategies = strategies
        pairs = [strategy.crossing or () for strategy in strategies]
        self._lines = list(dict.fromkeys(name for pair in pairs for name in pair))
        places = {name: place for place, name in enumerate(self._lines)}
        self._pairs = np.array([[places[name] for name in pair] for pair in pairs], dtype=np.int64)
        self._ready_after = np.array([strategy.ready_after for strategy in strategies], dtype=np.int64)
        self._warmup = max(strategy.warmup for strategy in strategies)
        self._rows, self._turns = np.empty((0, 0)), Turns.room(0, 0)

    def decide(self, bars: Bars, first: int, end: int) -> Turns:
        """Decisions of bars[first:end], a row each; a set whose lines come too close decides by itself.

        They are written where those before were: fresh memory would cost more than deciding.
        """
        seen = bars[max(0, first - self._warmup) : end]
        before = len(seen) - (end - first)
        if self._rows.shape[1] != len(seen):
            self._rows = np.empty((len(self._lines), len(seen)))
        if self._turns.bars.shape[1] <= end - first:
            self._turns = Turns.room(len(self._strategies), end - first)
        error = float(type(self._strategies[0]).draw(seen, self._lines, self._rows))
        since = np.maximum(np.maximum(self._ready_after, first) - 1, 0) - (first - before)
        is_clear = _crossed(self._rows, self._pairs, error, since, before, self._turns)
        for place in np.flatnonzero(~is_clear).tolist():
            turns = turns_of(decide(self._strategies[place], bars, first, end))
            self._turns.counts[place] = len(turns)
            self._turns.bars[place, : len(turns)] = turns
        return self._turns


@compiled
def _crossed(  # noqa: PLR0917 - compiled, so handed numbers and arrays one by one
    rows: Floats, pairs: Places, error: float, since: Places, before: int, turns: Turns
) -> NDArray[np.bool_]:
    """Crossings of pairs of rows, behind the bars before; each pair from a bar on of its own, and nothing up to it.

    Whether the error that rows may have leaves none of a pair in doubt.
    """
    is_clear = np.ones(len(pairs), dtype=np.bool_)
    signs, crossed = np.empty(_ABREAST + 1, dtype=np.int8), np.empty(_ABREAST, dtype=np.int8)
    busy = np.empty(_ABREAST // A_WORD, dtype=np.int64)
    turns.counts[:] = 0
    for begin in range(before, rows.shape[1], _ABREAST):
        end = min(begin + _ABREAST, rows.shape[1])
        for pair in range(len(pairs)):
            first = max(begin, since[pair] + 1)
            if first < end:
                one, other = rows[pairs[pair, 0], first - 1 : end], rows[pairs[pair, 1], first - 1 : end]
                told = crossed[: end - first]
                is_clear[pair] &= _cross(one, other, error, signs, told) or error == 0.0
                turns.counts[pair] = put_marked(told, first - before, busy, turns.bars[pair], turns.counts[pair])
    return is_clear


@borrowing
def _cross(one: Floats, other: Floats, error: float, signs: Decisions, crossed: Decisions) -> bool:
    """Crossings behind the first bar; whether the error that lines may have leaves none in doubt."""
    doubt, in_doubt = 2.0 * error, np.int8(0)
    for bar in range(len(one)):
        gap = one[bar] - other[bar]
        signs[bar] = np.int8(gap > doubt) - np.int8(gap < -doubt)
    for bar in range(len(one)):
        in_doubt |= np.int8(signs[bar] == 0)
    for bar in range(len(crossed)):
        was, now = signs[bar], signs[bar + 1]
        crossed[bar] = np.int8((was <= 0) & (now > 0)) - np.int8((was >= 0) & (now < 0))
    return bool(in_doubt == 0)


@compiled
def turns_of(decisions: Decisions) -> Turned:
    """The bars that decide something, counted from 1; below 0 those that leave."""
    count = 0
    for decision in decisions:
        count += decision != NOTHING
    turns, busy, put = np.empty(count, dtype=np.int32), np.empty(_ABREAST // A_WORD, dtype=np.int64), 0
    for begin in range(0, len(decisions), _ABREAST):
        put = put_marked(decisions[begin : begin + _ABREAST], begin, busy, turns, put)
    return turns


def can_decide_together(strategy: Strategy) -> bool:
    return strategy.is_windowed and strategy.crossing is not None and not strategy.looks_at


def passes(strategy: Strategy, bars: Bars) -> list[tuple[int, int]]:
    """The stretches of bars that a strategy decides in one go: all of them, or a day's."""
    if strategy.is_windowed:
        return [(0, len(bars))]
    edges = (np.flatnonzero(np.diff((bars.closed_at - 1) // _MICROSECONDS_A_DAY)) + 1).tolist()
    return [(first, end) for first, end in pairwise([0, *edges, len(bars)]) if first < end]


def decisions_made(strategy: Strategy, bars: Bars, decisions: Decisions) -> pl.DataFrame:
    """Only the bars in which something was decided, and their places among the bars."""
    made = [
        decisions_frame(strategy, bars, first, end, decisions[first:end])
        .with_row_index("bar", first)
        .filter(pl.col("side") != NOTHING)
        for first, end in passes(strategy, bars)
        if decisions[first:end].any()
    ]
    return pl.concat(made) if made else SIGNALS.empty().with_row_index("bar")


def window(strategy: Strategy, bars: Bars, first: int, end: int) -> tuple[Bars, int]:
    """All that bars[first:end] may look at, and how many of its bars come before the first of them."""
    start = max(0, first - strategy.warmup)
    begins_at = bars.opened_at[first] if first < len(bars) else 0
    seen = bars[start:end]
    longer = {
        timeframe: others[max(0, others.count_closed_by(begins_at) - strategy.looks_at[timeframe]) :]
        for timeframe, others in seen.longer.items()
    }
    return replace(seen, longer=longer) if longer else seen, first - start


def _judged(decisions: Decisions, count: int) -> Decisions:
    """A copy of what the strategy said, which may be anybody's code."""
    said = np.asarray(decisions)
    if said.shape == (count,) and (said.dtype == np.int8 or np.isin(said, (ENTER, LEAVE, NOTHING)).all()):
        sides, are_known = _copied(read_only(said.astype(np.int8, copy=False)))
        if are_known:
            return sides
    raise BadFrameError(schema=SIGNALS.name, column="side", reason=f"is not one of 1, -1, 0 for {count} bars")


@compiled
def _copied(said: Decisions) -> tuple[Decisions, bool]:
    """With whether all of them are sides."""
    sides, unknown = np.empty(len(said), dtype=np.int8), np.int8(0)
    for bar in range(len(said)):
        sides[bar] = said[bar]
        unknown |= np.int8((said[bar] > ENTER) | (said[bar] < LEAVE))
    return sides, unknown == 0


def made_from(candle_hashes: Sequence[str], strategy: Strategy, code: str) -> str:
    """What a stored day of decisions stands on: every day of its window, the knobs and the code."""
    return digest(list(candle_hashes), strategy.parameters(), code)


def decisions_frame(strategy: Strategy, bars: Bars, first: int, end: int, decisions: Decisions) -> pl.DataFrame:
    """The decisions of bars[first:end] as rows, with what the strategy says of those that are any."""
    rows = bars[first:end]
    confidence, note = _explained(strategy, bars, first, end, decisions)
    columns = {
        "opened_at": _times(rows.opened_at),
        "decided_at": _times(rows.closed_at),
        "side": decisions,
        "price_krw": rows.close,
        "confidence": pl.Series(confidence, dtype=pl.Float64),
        "note": pl.Series(note, dtype=pl.String),
    }
    return SIGNALS.judge(pl.DataFrame(columns))


def _explained(
    strategy: Strategy, bars: Bars, first: int, end: int, decisions: Decisions
) -> tuple[list[float | None], list[str | None]]:
    confidence: list[float | None] = [None] * len(decisions)
    note: list[str | None] = [None] * len(decisions)
    seen, before = window(strategy, bars, first, end)
    decided = np.flatnonzero(decisions)
    said = strategy.explain(seen, decided + before) if len(decided) else {}
    others = [name for name in said if name != "confidence"]
    for place, row in enumerate(decided.tolist()):
        if "confidence" in said:
            confidence[row] = _plain(said["confidence"][place])
        if others:
            note[row] = canonical({name: _plain(said[name][place]) for name in others})
    return confidence, note


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _times(microseconds: NDArray[np.int64]) -> pl.Series:
    return pl.Series(microseconds).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
