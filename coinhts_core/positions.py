"""Positions: held, closed, valued. The one arithmetic that backtests, paper and live trading share.

What lives here: `Position` and what it is worth. What stays out: when to open or close (`backtests`,
`orders`), and tables (`ledger`).
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self


@dataclass(frozen=True)
class Position:
    """One holding of a coin, from entry to exit; `number` counts a book's entries in one symbol from 1."""

    number: int
    opened_at: str
    entry_price_krw: float
    volume_base: float
    entry_fee_krw: float
    closed_at: str | None = None
    exit_price_krw: float | None = None
    exit_fee_krw: float | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def closed(self, at: str, price_krw: float, fee_krw: float) -> Self:
        return replace(self, closed_at=at, exit_price_krw=price_krw, exit_fee_krw=fee_krw)

    def profit_krw(self, price_krw: float) -> float:
        """What it has earned, fees on both sides counted; while open, as if sold at this price for no fee."""
        exit_price = price_krw if self.exit_price_krw is None else self.exit_price_krw
        fees = self.entry_fee_krw + (self.exit_fee_krw or 0.0)
        return self.volume_base * (exit_price - self.entry_price_krw) - fees

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        return cls(**facts)
