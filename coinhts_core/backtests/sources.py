"""Sources: what somebody hands over of coins, and what a strategy sees of it.

What lives here: `Source` and `Seen`, and the identity of bars. What stays out: judging candles (`handed`), deciding and
trading (`runs`, `sweeps`).

Candles are taken as they come, or joined to the timeframe that is asked for; the finer ones then order what happens
inside a bar.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Union

import numpy as np

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.engine import Floats
from coinhts_core.backtests.handed import Handed, read_candles
from coinhts_core.candles.bars import Bars
from coinhts_core.errors import RefusedError
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import Strategy

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Candles = Union["pl.DataFrame", "pd.DataFrame"]
ONE_COIN = ""


@dataclass(frozen=True, eq=False)
class Seen:
    """All that is seen of a coin; of `bars`, those from `first` on are traded."""

    timeframe: str
    bars: Bars
    minutes: Bars | None
    first: int

    @cached_property
    def traded(self) -> Bars:
        return self.bars[self.first :]

    def parts(self, account: Account, rows: slice) -> Floats:
        """What part of the account an entry decided at each of some traded bars spends; a single one stands for all."""
        even = account.even_fraction
        return account.fractions(self.bars)[self.first :][rows] if even is None else np.array([even])

    def identities(self) -> list[str]:
        """All bars that have a say, by value."""
        minutes = [] if self.minutes is None else [self.minutes]
        return [identity(bars) for bars in (self.bars, *self.bars.longer.values(), *minutes)]


class Source:
    """What is handed over of a coin: candles, and its own day bars where they are known; judged once, when asked."""

    def __init__(self, candles: Candles, days: Candles | None, wanted: Timeframe | None) -> None:
        self._handed, self._days_handed, self._wanted = candles, days, wanted
        self._lock = Lock()
        self._joined: dict[Timeframe | None, Handed] = {}

    def seen(self, strategy: Strategy, wanted: Timeframe | None, first_day: date | None) -> Seen:
        joined = self._bars_of(wanted)
        longer = {of: self._bars_of(of).bars for of in strategy.looks_at}
        bars = replace(joined.bars, longer=longer) if longer else joined.bars
        minutes = None if joined is self._bars_of(None) else self._bars_of(None).bars
        first = bars.rows_of(first_day).start if first_day else 0
        return Seen(str(joined.timeframe or joined.length), bars, minutes, first)

    def _bars_of(self, timeframe: Timeframe | None) -> Handed:
        with self._lock:
            if timeframe not in self._joined:
                self._joined[timeframe] = self._join(timeframe)
            return self._joined[timeframe]

    def _join(self, timeframe: Timeframe | None) -> Handed:
        if timeframe is None:
            return read_candles(self._handed, self._wanted)
        if self._days_handed is not None and timeframe.is_of_days:
            return read_candles(self._days_handed, Timeframe.D1).resampled(timeframe)
        if None not in self._joined:
            self._joined[None] = self._join(None)
        return self._joined[None].resampled(timeframe)


def sources(
    candles: Candles | Mapping[str, Candles], days: Mapping[str, Candles] | None, wanted: Timeframe | None
) -> dict[str, Source]:
    """Of each coin by name; of a single one without."""
    named = candles if isinstance(candles, Mapping) else {ONE_COIN: candles}
    if not named:
        raise RefusedError(reason="there are no candles; hand over one coin's, or a mapping of several")
    return {symbol: Source(of, (days or {}).get(symbol), wanted) for symbol, of in named.items()}


def asked_by(strategy: Strategy) -> Timeframe | None:
    """A timeframe that was set, not the one that everybody has who sets none; with longer bars beside it, both."""
    return strategy.timeframe if "timeframe" in strategy.model_fields_set or strategy.looks_at else None


def identity(bars: Bars) -> str:
    """The candles a result stands on, by value."""
    hasher = sha256()
    for column in (bars.opened_at, bars.closed_at, bars.open, bars.high, bars.low, bars.close, bars.volume):
        hasher.update(np.ascontiguousarray(column).tobytes())
    return hasher.hexdigest()
