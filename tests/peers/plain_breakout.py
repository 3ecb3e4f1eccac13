"""The breakout once more, bar by bar in plain Python, in the order of either engine.

What lives here: the rule and its account, without an array. What stays out: both engines that are compared with it.

When the time is up, ours sells at the open, and what the bar does afterwards is nobody's business. vectorbt looks at
stop and target of that bar first, and sells at the open only if neither is reached.
"""

from math import fsum
from typing import NamedTuple

from tests.peers.workloads import BREAKOUT, CASH, FEE_RATE, LEVELS


class Led(NamedTuple):
    """What became of an account: (entry's bar, exit's bar, exit's price) of closed trades, and equity at each close."""

    trades: list[tuple[int, int, float]]
    entered: int | None
    equity: list[float]


def breaks_out(candles):
    """Whether each close is a new high on a surge of volume."""
    high, close, volume = (candles[name].to_list() for name in ("high", "close", "volume"))
    first = max(BREAKOUT["window"], BREAKOUT["vol_window"] - 1)
    return [False] * first + [
        volume[bar] > BREAKOUT["vol_multiplier"] * _mean(volume[bar + 1 - BREAKOUT["vol_window"] : bar + 1])
        and close[bar] > max(high[bar - BREAKOUT["window"] : bar])
        for bar in range(first, len(close))
    ]


def lead(candles, signals, *, levels_before_time):
    """Lead an account that spends all it has through the candles."""
    cash, volume, entry, entered, is_ordered = CASH, 0.0, 0.0, None, False
    trades, equity = [], []
    bars = candles.select("open", "high", "low", "close").iter_rows()
    for place, (bar, is_signal) in enumerate(zip(bars, signals, strict=True)):
        if is_ordered:
            entry, entered = bar[0], place
            cash, volume = 0.0, cash / (entry * (1 + FEE_RATE))
        if volume:
            is_over = place - entered >= BREAKOUT["hold_period_bars"]
            price = _left_at(bar, entry, is_over=is_over, levels_before_time=levels_before_time)
            if price:
                trades.append((entered, place, price))
                cash, volume, entered = price * volume * (1 - FEE_RATE), 0.0, None
        is_ordered = is_signal and not volume
        equity.append(cash + volume * bar[3])
    return Led(trades, entered, equity)


def _left_at(bar, entry, *, is_over, levels_before_time):
    """Give the price at which a bar ends a position, or nothing."""
    if is_over and not levels_before_time:
        return bar[0]
    return _level_reached(bar, entry * (1 - LEVELS["stop_loss"]), entry * (1 + LEVELS["take_profit"])) or (
        bar[0] if is_over else None
    )


def _level_reached(bar, stop, target):
    opens, high, low, _ = bar
    if opens <= stop or opens >= target:
        return opens
    if low <= stop:
        return stop
    return target if high >= target else None


def _mean(values):
    return fsum(values) / len(values)
