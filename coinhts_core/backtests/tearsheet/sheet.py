"""What a tearsheet is made of.

What lives here: `Sheet`, plain inputs without a source. What stays out: where they come from, and how they look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl

from coinhts_core.backtests.figures import Figures
from coinhts_core.backtests.overfitting import Counted
from coinhts_core.backtests.undefined import Floats

NO_CANDLES = pl.DataFrame(
    schema={"opened_at": pl.Datetime("us", "UTC"), **dict.fromkeys(("open", "high", "low", "close"), pl.Float64)}
)


@dataclass(frozen=True, eq=False)
class Sheet:
    """One result.

    `equity`, `optimistic` and each benchmark hold the starting cash and then a value for the end of each of `days`.
    `optimistic` is the other bound, where bars were in doubt. `trades` has the columns opened_at, closed_at (UTC),
    entry_price, exit_price, quantity, fees_krw, profit_krw, return, reason, and symbol where there are several;
    `candles` opened_at, open, high, low, close of the one symbol, or no rows. `facts` are hashes and versions,
    `counted` is what was tried until then, where somebody counted.
    """

    title: str
    strategy: str
    symbols: Sequence[str]
    timeframe: str
    parameters: Mapping[str, object]
    account: Mapping[str, object]
    days: Sequence[date]
    equity: Floats
    trades: pl.DataFrame
    figures: Figures
    candles: pl.DataFrame = field(default_factory=NO_CANDLES.clone)
    optimistic: Floats | None = None
    benchmarks: Mapping[str, Floats] = field(default_factory=dict)
    slippage_krw: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    counted: Counted | None = None

    def __post_init__(self) -> None:
        curves = {"equity": self.equity, **self.benchmarks}
        if self.optimistic is not None:
            curves["optimistic"] = self.optimistic
        for name, curve in curves.items():
            if len(curve) != len(self.days) + 1:
                msg = f"{name} has {len(curve)} values; the starting cash and {len(self.days)} days are wanted"
                raise ValueError(msg)

    @property
    def has_two_bounds(self) -> bool:
        return self.optimistic is not None and not np.array_equal(self.optimistic, self.equity)
