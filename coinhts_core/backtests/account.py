"""The account a strategy is rehearsed with: its cash, how much of it a trade risks, when it leaves, what trading costs.

What lives here: `Account`, and what the compiled engine reads of it: `Costs` of one day and `Limits`. What to add: a
way of sizing or leaving, as fields. What stays out: the fold itself (`engine`).
"""

from dataclasses import dataclass
from math import inf
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from coinhts_core.candles.bars import Bars
from coinhts_core.compiled import compiled
from coinhts_core.hashes import Fact
from coinhts_core.rules import Rules

Floats = NDArray[np.float64]

_MICROSECONDS_A_YEAR = 365 * 86_400 * 1_000_000
_NO_TICKS = np.empty(0)
_OWN_FIELD = {"fraction": "fraction", "fixed": "fixed_krw", "volatility": "target_volatility"}


@dataclass(frozen=True)
class Costs:
    """What a fill costs on one day. No ticks means prices and volumes as they come."""

    fee_rate: float
    slippage: float
    minimum_krw: float
    tick_bounds: Floats
    tick_sizes: Floats


@dataclass(frozen=True)
class Limits:
    """What an entry may spend, and when a position is left without a decision. 1, infinity and 0 mean never."""

    spend_krw: float = inf
    stop_loss: float = 1.0
    take_profit: float = inf
    trailing_stop: float = 1.0
    hold_bars: int = 0


class Account(BaseModel):
    """Cash of one's own, one position at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cash: float = Field(default=10_000_000.0, gt=0, le=1e15, allow_inf_nan=False, description="KRW at the start")
    fee_rate: float | None = Field(default=None, ge=0, lt=0.5, description="a side; by the rule book when not given")
    slippage_bps: float = Field(
        default=0.0, ge=0, le=1_000, allow_inf_nan=False, description="worse than the price asked for, in 0.01 %"
    )
    rules: Literal["upbit"] | None = Field(
        default="upbit", description="ticks, minimum and volume steps; none for bare maths"
    )
    sizing: Literal["all_in", "fraction", "fixed", "volatility"] = Field(
        default="all_in", description="what an entry spends"
    )
    fraction: float | None = Field(default=None, gt=0, le=1, description="of what the account is worth")
    fixed_krw: float | None = Field(default=None, gt=0, le=1e15, description="KRW an entry, or all there is")
    target_volatility: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="a year's; an entry spends target / realised of what the account is worth",
    )
    volatility_bars: int = Field(default=20, ge=2, le=5_000, description="bars the realised volatility is taken over")
    stop_loss: float | None = Field(default=None, gt=0, lt=1, description="fraction below the entry's price")
    take_profit: float | None = Field(default=None, gt=0, le=1_000, description="fraction above the entry's price")
    trailing_stop: float | None = Field(default=None, gt=0, lt=1, description="fraction below the highest price since")
    max_hold_bars: int | None = Field(default=None, ge=1, le=10**6, description="bars, the entry's counted")

    @model_validator(mode="after")
    def _sizes_in_one_way(self) -> Self:
        given = [name for name in _OWN_FIELD.values() if getattr(self, name) is not None]
        wanted = [_OWN_FIELD[self.sizing]] if self.sizing in _OWN_FIELD else []
        if given != wanted:
            need = f"needs {wanted[0]} and nothing else" if wanted else f"does not take {', '.join(given)}"
            msg = f"sizing {self.sizing} {need}"
            raise ValueError(msg)
        return self

    @property
    def has_two_exits(self) -> bool:
        """Whether a bar may reach two levels, so that only its minutes tell which came first."""
        return self.take_profit is not None and (self.stop_loss is not None or self.trailing_stop is not None)

    def costs(self, rules: Rules) -> Costs:
        fee_rate = float(rules.fee_rate) if self.fee_rate is None else self.fee_rate
        slippage = self.slippage_bps / 10_000
        if self.rules is None:
            return Costs(fee_rate, slippage, 0.0, _NO_TICKS, _NO_TICKS)
        return Costs(fee_rate, slippage, float(rules.minimum_krw), rules.tick_bounds, rules.tick_sizes)

    def limits(self, hold_bars: int | None = None) -> Limits:
        """With a strategy's own holding time, when it is the shorter one."""
        held = [bars for bars in (self.max_hold_bars, hold_bars) if bars]
        return Limits(
            self.fixed_krw or inf,
            self.stop_loss or 1.0,
            self.take_profit or inf,
            self.trailing_stop or 1.0,
            min(held, default=0),
        )

    @property
    def even_fraction(self) -> float | None:
        """The part of the account that every entry spends; none where that depends on the bars."""
        return (self.fraction or 1.0) if self.target_volatility is None else None

    def fractions(self, bars: Bars) -> Floats:
        """The part of the account an entry decided at each bar's close spends; 0 where it is not known."""
        if self.target_volatility is None:
            return np.full(len(bars), self.even_fraction)
        bars_a_year = _MICROSECONDS_A_YEAR / bars.length_us
        return _for_volatility(bars.close, self.volatility_bars, self.target_volatility / np.sqrt(bars_a_year))

    def facts(self) -> dict[str, Fact]:
        return self.model_dump(mode="json")


@compiled
def _for_volatility(closes: Floats, window: int, target: float) -> Floats:
    """Each window is summed by itself, so that its figure never depends on what came before it."""
    parts = np.zeros(len(closes))
    for bar in range(window, len(closes)):
        total = 0.0
        for at in range(bar - window + 1, bar + 1):
            total += closes[at] / closes[at - 1] - 1.0
        mean, squares = total / window, 0.0
        for at in range(bar - window + 1, bar + 1):
            squares += (closes[at] / closes[at - 1] - 1.0 - mean) ** 2
        deviation = np.sqrt(squares / (window - 1))
        parts[bar] = 1.0 if deviation <= target else target / deviation
    return parts
