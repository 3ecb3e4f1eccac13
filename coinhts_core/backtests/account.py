"""The account a strategy is rehearsed with: its cash and what trading costs it.

What lives here: `Account`, and `Costs`, the account and the rule book of one day in numbers. What to add:
sizing and stops, as fields. What stays out: the fold itself (`engine`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from coinhts_core.hashes import Fact
from coinhts_core.rules import Rules


@dataclass(frozen=True)
class Costs:
    """What a fill costs on one day, as the compiled engine reads it. No ticks means prices as they come."""

    fee_rate: float
    slippage: float
    minimum_krw: float
    tick_bounds: NDArray[np.float64]
    tick_sizes: NDArray[np.float64]


class Account(BaseModel):
    """One symbol's cash, all of it at work in each trade."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cash: float = Field(default=10_000_000.0, gt=0, le=1e15, allow_inf_nan=False, description="KRW at the start")
    fee_rate: float | None = Field(default=None, ge=0, lt=0.5, description="a side; by the rule book when not given")
    slippage_bps: float = Field(
        default=0.0, ge=0, le=1_000, allow_inf_nan=False, description="worse than the open, in 0.01 %"
    )
    rules: Literal["upbit"] | None = Field(
        default="upbit", description="ticks, minimum and volume steps; none for bare maths"
    )

    def costs(self, rules: Rules) -> Costs:
        fee_rate = float(rules.fee_rate) if self.fee_rate is None else self.fee_rate
        slippage = self.slippage_bps / 10_000
        if self.rules is None:
            return Costs(fee_rate, slippage, 0.0, np.empty(0), np.empty(0))
        return Costs(fee_rate, slippage, float(rules.minimum_krw), rules.tick_bounds, rules.tick_sizes)

    def facts(self) -> dict[str, Fact]:
        return self.model_dump(mode="json")
