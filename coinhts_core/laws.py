"""The laws every strategy must keep, and series of bars on which a breach shows.

What lives here: `breaches` and `check`, over made-up bars: trends, ties on ticks, standstills without volume, gaps in
time, prices on no tick. What to add: a law, as one function and its place in the list. What stays out: what is done
about a breach; that is the caller's.

    one decision a bar      whatever the bars, it says 1, -1 or 0 of each, and is between 0 and 1 confident
    nothing after the bar   what it says over a prefix of the bars is the prefix of what it says over all of them
    enough warm-up          behind twice as many bars, a bar decides the same
    the same again          asked twice, or another one of the same knobs, it decides the same
    one pass, day by day    if it `is_windowed`: decided at once or each day alone, it says the same to the last bit
    its lines say it, too   if a sweep may decide it by the lines that cross, they decide what it does

A law is tried where it is most likely to break, at bars that decide something, and in between at regular distances.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core import signals
from coinhts_core.candles.bars import Bars
from coinhts_core.candles.resample import resample
from coinhts_core.errors import StrategyBreaksLawError
from coinhts_core.hashes import canonical
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import Decisions, Strategy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KST = timezone(timedelta(hours=9), "KST")
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_BARS = 400  # beyond three warm-ups, so that something is decided
_BARS_BESIDE = 1_500  # where longer ones have a warm-up, too
_LONGER_BARS = 30  # beyond their two warm-ups
_TRIES, _FEWEST_TRIES, _BARS_TRIED = 24, 6, 30_000
_DAY = 24  # bars decided behind a warm-up


@dataclass(frozen=True)
class Breach:
    """A law that does not hold, and the first bar that shows it."""

    law: str
    sentence: str
    bar: int
    opened_at: datetime


@dataclass(frozen=True)
class _Kind:
    """A character of prices: where they begin, and in how many parts a won is traded; in any, where none is named."""

    begins_at: float
    parts: float | None
    stands_still: bool = False
    has_gaps: bool = False


_KINDS = (
    _Kind(5_000.0, 10.0),
    _Kind(100.0, 1.0),
    _Kind(20_000.0, 1.0, stands_still=True),
    _Kind(0.0007, 1e8, has_gaps=True),
    _Kind(100.0, None),
)

_Shown = Iterator[tuple[int, str]]


def check(strategy: Strategy) -> None:
    for breach in breaches(strategy):
        name = type(strategy).__module__.rpartition(".")[2]
        raise StrategyBreaksLawError(strategy=name, law=breach.law, reason=breach.sentence)


def breaches(strategy: Strategy) -> list[Breach]:
    """The first breach of each law; who does not decide is asked nothing else."""
    found: list[Breach] = []
    for name, law in _LAWS.items():
        if not any(breach.law == _DECIDES for breach in found):
            found += _first_breach(name, law, strategy)
    return found


def series_for(strategy: Strategy) -> tuple[Bars, ...]:
    """Bars of each kind, of three warm-ups and more, with the longer ones beside them that the strategy looks at."""
    facts = strategy.timeframe, strategy.warmup, tuple(strategy.looks_at.items())
    return tuple(_series(place, *facts) for place in range(len(_KINDS)))


def _first_breach(name: str, law: Callable[[Strategy, Bars], _Shown], strategy: Strategy) -> list[Breach]:
    for bars in series_for(strategy):
        try:
            shown = next(law(strategy, bars), None)
        except Exception as error:  # noqa: BLE001 - a strategy may be anybody's code
            name, shown = _DECIDES, (len(bars) - 1, f"with bars up to {{at}} it raises {type(error).__name__}: {error}")
        if shown:
            bar, sentence = shown
            opened_at = _EPOCH + timedelta(microseconds=int(bars.opened_at[bar]))
            at = f"{opened_at:%Y-%m-%d %H:%M} UTC ({opened_at.astimezone(_KST):%H:%M} KST)"
            return [Breach(name, sentence.replace("{at}", at), bar, opened_at)]
    return []


def _decides(strategy: Strategy, bars: Bars) -> _Shown:
    for end in sorted({1, strategy.warmup + 1, len(bars)}):
        decisions = signals.decide(strategy, bars[:end], 0, end)
        frame = signals.decisions_frame(strategy, bars[:end], 0, end, decisions)
        beyond = frame.with_row_index().filter(~pl.col("confidence").is_between(0.0, 1.0))
        for bar, confidence in beyond.select("index", "confidence").rows():
            yield bar, f"of the bar at {{at}} it is {confidence} confident; let that be between 0 and 1"


def _looks_at_nothing_after(strategy: Strategy, bars: Bars) -> _Shown:
    whole = _sides(strategy, bars)
    remedy = "let a bar look at itself and those before it"
    for end in _tried(np.flatnonzero(whole) + 1, 1, len(bars)):
        prefix = _sides(strategy, bars[:end])
        for bar in np.flatnonzero(prefix != whole[:end])[:1].tolist():
            yield bar, f"the bar at {{at}} decides {prefix[bar]}, and {whole[bar]} once later ones are known; {remedy}"
        rows = np.flatnonzero(whole[end - 1 : end]) + end - 1
        if _said(strategy, bars, rows) != _said(strategy, bars[:end], rows):
            yield end - 1, f"what it says of the bar at {{at}} changes once later ones are known; {remedy}"


def _warms_up_enough(strategy: Strategy, bars: Bars) -> _Shown:
    warmup, more = strategy.warmup, _more_warmup(strategy)
    for first in _tried(np.flatnonzero(_sides(strategy, bars)), _first_warm(strategy, bars), len(bars)):
        end = min(first + _DAY, len(bars))
        once = signals.decide(strategy, bars, first, end)
        again = _sides(strategy, bars[first - more : end])[more:]
        for place in np.flatnonzero(once != again)[:1].tolist():
            behind = f"decides {once[place]} behind {warmup} bars of warm-up, and {again[place]} behind {more}"
            yield first + place, f"the bar at {{at}} {behind}; let warmup be longer"


def _says_the_same_again(strategy: Strategy, bars: Bars) -> _Shown:
    first = _sides(strategy, bars)
    _sides(strategy, bars[: len(bars) // 2])
    for other in (strategy, type(strategy).model_validate(strategy.parameters())):
        for bar in np.flatnonzero(_sides(other, bars) != first)[:1].tolist():
            yield bar, "asked again, it decides otherwise at the bar at {at}; let it keep no state and use no chance"


def _says_the_same_in_one_pass(strategy: Strategy, bars: Bars) -> _Shown:
    if not strategy.is_windowed:
        return
    whole = _frame(strategy, bars, 0, len(bars))
    for first in _tried(np.flatnonzero(whole["side"].to_numpy()), 0, len(bars)):
        alone = _frame(strategy, bars, first, min(first + _DAY, len(bars))).rows()
        for place in [place for place, row in enumerate(whole[first : first + _DAY].rows()) if row != alone[place]][:1]:
            found = "decided in one pass, it says otherwise of the bar at {at} than when its day is decided alone"
            yield first + place, f"{found}; let it look back over its warmup alone, or not be is_windowed"


def _says_the_same_by_its_lines(strategy: Strategy, bars: Bars) -> _Shown:
    if not signals.can_decide_together(strategy):
        return
    by_lines = signals.Together([strategy])
    for first in _tried(np.flatnonzero(_sides(strategy, bars)), 0, len(bars)):
        end = min(first + _DAY, len(bars))
        once, crossed = signals.decide(strategy, bars, first, end), np.zeros(end - first, dtype=np.int8)
        turned = by_lines.decide(bars, first, end)
        turns = turned.bars[0, : turned.counts[0]]
        crossed[np.abs(turns) - 1] = np.sign(turns)
        for place in np.flatnonzero(crossed != once)[:1].tolist():
            found = f"by its lines the bar at {{at}} decides {crossed[place]}, and {once[place]} by itself"
            yield first + place, f"{found}; let `draw` tell the error of its lines, or `crossing` name none"


_DECIDES = "one decision a bar"
_LAWS = {
    _DECIDES: _decides,
    "nothing after the bar": _looks_at_nothing_after,
    "enough warm-up": _warms_up_enough,
    "the same again": _says_the_same_again,
    "one pass, day by day": _says_the_same_in_one_pass,
    "its lines say it, too": _says_the_same_by_its_lines,
}


def _tried(likely: NDArray[np.int64], first: int, end: int) -> list[int]:
    """Some of the likely places and some at regular distances; the fewer, the more bars each of them asks of."""
    count = min(max(_BARS_TRIED // max(end, 1), _FEWEST_TRIES), _TRIES)
    likely = likely[(likely >= first) & (likely < end)]
    chosen = likely[np.linspace(0, len(likely) - 1, min(count, len(likely))).astype(np.int64)]
    return sorted({*chosen.tolist(), *np.linspace(first, end - 1, count).astype(np.int64).tolist()})


def _more_warmup(strategy: Strategy) -> int:
    """Twice as much, and a day more at least."""
    return strategy.warmup + max(strategy.warmup, _DAY)


def _first_warm(strategy: Strategy, bars: Bars) -> int:
    """The first bar with so much before it; twice as much in every longer timeframe."""
    known = [int(np.searchsorted(bars.beside(longer)[1], 2 * warm)) + 1 for longer, warm in strategy.looks_at.items()]
    return max(_more_warmup(strategy), *known, 0)


def _frame(strategy: Strategy, bars: Bars, first: int, end: int) -> pl.DataFrame:
    return signals.decisions_frame(strategy, bars, first, end, signals.decide(strategy, bars, first, end))


def _sides(strategy: Strategy, bars: Bars) -> Decisions:
    return np.array(strategy.decide(bars)).astype(np.int8)


def _said(strategy: Strategy, bars: Bars, rows: NDArray[np.int64]) -> list[str]:
    notes = strategy.explain(bars, rows) if len(rows) else {}
    return [canonical({name: _plain(of[place]) for name, of in notes.items()}) for place in range(len(rows))]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@lru_cache(maxsize=32)
def _series(place: int, timeframe: Timeframe, warmup: int, beside: tuple[tuple[Timeframe, int], ...]) -> Bars:
    """Longer bars need a long time. That it stays short in bars, the market is quiet: three bars to a longer one."""
    kind, random = _KINDS[place], np.random.RandomState(place)
    wanted = {longer: 2 * warm * 5 // 4 + _LONGER_BARS for longer, warm in beside}
    count = max(3 * warmup + _BARS, 3 * max(wanted.values(), default=0), _BARS_BESIDE if beside else 0)
    reach = max((bars * longer.minutes // timeframe.minutes for longer, bars in wanted.items()), default=0)
    moments = np.arange(count)
    if reach > count or kind.has_gaps:
        moments = np.sort(random.choice(max(reach, count * 5 // 4), count, replace=False))
    frame = _candles(kind, random, [_MONDAY + int(moment) * timeframe.length for moment in moments])
    longer = {other: Bars.from_frame(resample(frame, timeframe, other), other.length) for other in wanted}
    return Bars.from_frame(frame, timeframe.length, longer)


def _candles(kind: _Kind, random: np.random.RandomState, opened_at: list[datetime]) -> pl.DataFrame:
    """Waves, noise, and now and then a long bar of much volume."""
    count = len(opened_at)
    place = np.arange(count)
    is_long = random.random_sample(count) < 0.06  # noqa: PLR2004 - now and then
    is_still = (place // 40 % 3 == 1) & kind.stands_still
    size = np.where(is_long, random.uniform(0.025, 0.06, count) * np.where(place % 2, 1.0, -1.0), 0.0)
    moves = 0.004 * np.sin(place / 25.0) + np.where(is_long, size, 0.008 * random.standard_normal(count))
    close = kind.begins_at * np.exp(np.cumsum(np.where(is_still, 0.0, moves)))
    opened = np.append(kind.begins_at, close[:-1]) * np.where(is_still, 1.0, 1.0 + random.uniform(-0.001, 0.001, count))
    wicks = np.where(is_still, 0.0, np.abs(0.004 * random.standard_normal((2, count))))
    volume = np.exp(random.standard_normal(count)) * np.where(is_long, 40.0, 8.0)
    prices = {
        "open": opened,
        "high": np.maximum(opened, close) * (1.0 + wicks[0]),
        "low": np.minimum(opened, close) * (1.0 - wicks[1]),
        "close": close,
    }
    traded = np.where(is_still, 0.0, np.ceil(volume) if kind.parts else volume)
    columns = {name: _on_ticks(kind, price) for name, price in prices.items()}
    return pl.DataFrame(
        {"opened_at": opened_at, **columns, "volume": traded, "turnover_krw": traded * close},
        schema_overrides={"opened_at": pl.Datetime("us", "UTC")},
    )


def _on_ticks(kind: _Kind, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    return prices if kind.parts is None else np.maximum(np.rint(prices * kind.parts), 1.0) / kind.parts
