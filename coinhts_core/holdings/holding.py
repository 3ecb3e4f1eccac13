"""One position kept by hand, and what it earned: exact decimals, rounded once, to the won, when they are shown.

What lives here: `Holding`, its money and its laws. What to add: a law that every position keeps, in `judge`. What stays
out: what people write (`said`), where it is kept (`book`), and prices of the market (`prices`).

Paid is price x volume and the fee on it; received is price x volume less the fee on it and the slippage. While open,
a position is worth what it would be sold for at no fee, as in every other book.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final, Literal

from coinhts_core.errors import BadPositionError
from coinhts_core.markets import Market

State = Literal["open", "closed", "cancelled", "deleted"]
BOOK: Final = "manual"
_MOST_KRW = Decimal(10) ** 15
# Wide enough for every product of what `said` takes; were it not, this would say so instead of rounding.
_EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow])


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A coin bought and perhaps sold by somebody, in one version of what is known of it."""

    number: int
    key: str | None
    state: State
    version: int
    symbol: Market
    opened_at: datetime
    entry_price_krw: Decimal
    volume_base: Decimal
    entry_fee_rate: Decimal
    closed_at: datetime | None = None
    exit_price_krw: Decimal | None = None
    exit_fee_rate: Decimal | None = None
    slippage_krw: Decimal | None = None
    note: str = ""
    recorded_at: datetime
    changed_at: datetime

    @property
    def entry_fee_krw(self) -> Decimal:
        return _EXACT.multiply(self._amount(self.entry_price_krw), self.entry_fee_rate)

    @property
    def exit_fee_krw(self) -> Decimal | None:
        if self.exit_price_krw is None or self.exit_fee_rate is None:
            return None
        return _EXACT.multiply(self._amount(self.exit_price_krw), self.exit_fee_rate)

    @property
    def paid_krw(self) -> Decimal:
        return _EXACT.add(self._amount(self.entry_price_krw), self.entry_fee_krw)

    @property
    def received_krw(self) -> Decimal | None:
        if self.exit_price_krw is None or self.exit_fee_krw is None:
            return None
        costs = _EXACT.add(self.exit_fee_krw, self.slippage_krw or Decimal(0))
        return _EXACT.subtract(self._amount(self.exit_price_krw), costs)

    @property
    def realised_krw(self) -> Decimal | None:
        return None if self.received_krw is None else _EXACT.subtract(self.received_krw, self.paid_krw)

    def unrealised_krw(self, price_krw: Decimal) -> Decimal:
        return _EXACT.subtract(self._amount(price_krw), self.paid_krw)

    def judge(self, moment: datetime) -> None:
        """Refuse what cannot have happened by now, naming the field."""
        if self.opened_at > moment:
            raise BadPositionError(field="opened_at", reason="it is in the future")
        if self.paid_krw >= _MOST_KRW:
            raise BadPositionError(field="volume_base", reason=f"with its price it comes to {_MOST_KRW:,} KRW or more")
        if self.closed_at is not None:
            self._judge_exit(self.closed_at, moment)

    def _judge_exit(self, closed_at: datetime, moment: datetime) -> None:
        if closed_at > moment:
            raise BadPositionError(field="closed_at", reason="it is in the future")
        if closed_at < self.opened_at:
            raise BadPositionError(field="closed_at", reason="it is before opened_at")
        amount = self._amount(self.exit_price_krw or Decimal(0))
        if amount >= _MOST_KRW:
            raise BadPositionError(field="exit_price_krw", reason=f"in all it comes to {_MOST_KRW:,} KRW or more")
        if (self.slippage_krw or 0) > amount:
            raise BadPositionError(field="slippage_krw", reason="it is more than all that was sold for")

    def _amount(self, price_krw: Decimal) -> Decimal:
        return _EXACT.multiply(price_krw, self.volume_base)


def in_won(amount: Decimal) -> int:
    """To the won, halves to the even one."""
    return int(amount.to_integral_value(ROUND_HALF_EVEN))


def plain(number: Decimal) -> str:
    """Digits and a point, whatever the number: no exponent, and no nought that says nothing."""
    return f"{number.normalize(_EXACT):f}"
