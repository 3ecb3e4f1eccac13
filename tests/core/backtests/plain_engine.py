"""A second engine: the fill table of `coinhts_core.backtests.engine`, sentence by sentence, without a single float."""

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from hypothesis import assume

NEVER = Decimal("1e30")


class Bar(NamedTuple):
    """Prices, and the finer bars it is made of, where they are known."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    parts: tuple["Bar", ...] = ()


@dataclass
class PlainEngine:
    """An account, led through bars."""

    cash: Decimal
    rules: object
    fee_rate: Decimal
    slippage: Decimal = Decimal(0)
    fixed: Decimal = NEVER
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    hold_bars: int = 0
    is_optimistic: bool = False
    volume: Decimal = Decimal(0)
    entry: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    held: int = 0
    order: str = ""
    part: Decimal = Decimal(1)
    last_price: Decimal = Decimal(0)
    ambiguous: int = 0
    fills: list = field(default_factory=list)
    worst: Decimal = NEVER

    @property
    def equity(self):
        return self.cash + self.volume * self.last_price

    def run(self, bars, decisions, fractions):
        self.worst = self.equity
        for place, (bar, decision, fraction) in enumerate(zip(bars, decisions, fractions, strict=True)):
            self.at_open(place, bar)
            self.inside(place, bar)
            self.at_close(bar, decision, fraction)

    def at_open(self, place, bar):
        order, self.order = self.order, ""
        if order == "buy" and not self.volume:
            self.buy(place, self.up(bar.open * (1 + self.slippage)))
        elif order in {"decision", "time"} and self.volume:
            self.sell(place, order, self.down(bar.open * (1 - self.slippage)))

    def inside(self, place, bar):
        if not self.volume:
            return
        stop, why = self.stop()
        target = self.up(self.entry * (1 + self.take_profit)) if self.take_profit is not None else NEVER
        self.not_too_near(bar, stop, target)
        first = self.first_reached(bar, stop, target)
        held = self.volume
        if first is None:
            self.worst = min(self.worst, self.cash + held * bar.low)
        elif first[0] == "stop":
            if not self.sell(place, why, self.down(first[1] * (1 - self.slippage))):
                self.worst = min(self.worst, self.cash + held * bar.low)
        else:
            before = self.cash
            if not self.sell(place, "target", first[1]) or first[1] > bar.open:
                self.worst = min(self.worst, before + held * bar.low)
        if self.volume:
            self.peak, self.held = max(self.peak, bar.high), self.held + 1

    def stop(self):
        loss = self.down(self.entry * (1 - self.stop_loss)) if self.stop_loss is not None else Decimal(0)
        trail = self.down(self.peak * (1 - self.trailing_stop)) if self.trailing_stop is not None else Decimal(0)
        return (trail, "trailing stop") if trail > loss else (loss, "stop")

    def first_reached(self, bar, stop, target):
        """Give the name and the price, or nothing; where the parts do not tell, the bound decides."""
        if bar.open <= stop:
            return "stop", bar.open
        if bar.open >= target:
            return "target", bar.open
        if bar.low <= stop and bar.high >= target:
            for part in bar.parts:
                if part.low <= stop or part.high >= target:
                    return self.first_reached(part._replace(parts=()), stop, target)
            self.ambiguous += 1
            return ("target", target) if self.is_optimistic else ("stop", stop)
        if bar.low <= stop:
            return "stop", stop
        return ("target", target) if bar.high >= target else None

    def at_close(self, bar, decision, fraction):
        self.last_price = bar.close
        self.worst = min(self.worst, self.equity)
        if not self.volume:
            self.order = "buy" if decision > 0 else ""
            self.part = fraction
        elif decision < 0:
            self.order = "decision"
        elif self.hold_bars and self.held >= self.hold_bars:
            self.order = "time"

    def buy(self, place, price):
        budget = min(self.cash * self.part, self.fixed, self.cash)
        volume = budget / (price * (1 + self.fee_rate))
        if self.rules:
            volume = volume.quantize(Decimal("1e-8"), ROUND_FLOOR)
        if volume and self.is_placed(price * volume):
            fee = price * volume * self.fee_rate
            rest = self.cash - price * volume - fee
            self.cash = rest if rest > self.cash * Decimal("1e-14") else Decimal(0)
            self.volume, self.entry, self.peak, self.held = volume, price, price, 0
            self.fills.append((place, "entry", price, volume, fee))

    def sell(self, place, why, price):
        if not self.is_placed(price * self.volume):
            return False
        fee = price * self.volume * self.fee_rate
        self.cash += price * self.volume - fee
        self.fills.append((place, why, price, self.volume, fee))
        self.volume = Decimal(0)
        return True

    def is_placed(self, total):
        if not self.rules:
            return True
        # on the very edge of the minimum a step of 1e-8 of the coin decides, which doubles cannot always tell
        assume(abs(total - self.rules.minimum_krw) > Decimal("1e-6"))
        return total >= self.rules.minimum_krw

    def up(self, price):
        return self.rules.round_up(price) if self.rules else price

    def down(self, price):
        return self.rules.round_down(price) if self.rules else price

    def not_too_near(self, bar, stop, target):
        """Without ticks, doubles cannot tell a level from a price beside it by the last bit."""
        if not self.rules:
            prices = [price for of in (bar, *bar.parts) for price in of[:4]]
            assume(all(abs(price - level) > price * Decimal("1e-12") for price in prices for level in (stop, target)))
