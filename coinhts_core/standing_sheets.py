"""A strategy's standing in a coin as a sheet, for the page beside its asset.

What lives here: `sheet_of`. What stays out: the table of all standings (`performance`), and drawing (`tearsheet`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from coinhts_core.backtests.benchmarks import Coin, buy_and_hold, cash_alone, equal_weight
from coinhts_core.backtests.figures import measure
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.backtests.sheets import candles_of
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.backtests.undefined import Floats
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.performance import Standing
from coinhts_core.positions import Position

_BITCOIN = Market("KRW-BTC")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = pl.Datetime("us", "UTC")
_TRADE: dict[str, Any] = {
    "opened_at": _MOMENT,
    "closed_at": _MOMENT,
    **dict.fromkeys(("entry_price", "exit_price", "quantity", "fees_krw", "profit_krw", "return"), pl.Float64),
    "reason": pl.String,
}


def sheet_of(lineup_entry: Entry, of: Standing, all_coins: Sequence[Standing], fee_rate: float) -> Sheet:
    """`all_coins` are the strategy's standings in its universe, for the benchmarks."""
    entry = lineup_entry.of(of.registered.symbol)
    days, rows = list(of.days), of.rows
    equity = np.array(of.equity(days[0], days[-1]))
    optimistic = np.array([equity[0], *rows["equity_optimistic_krw"]])
    trades = _trades(rows)
    benchmarks = _benchmarks(entry, of, all_coins, fee_rate)
    fills = [fill for text in rows["fills"] for fill in json.loads(text)]
    figures = measure(
        equity,
        RoundTrips.from_frame(trades),
        benchmark=next(iter(benchmarks.values())),
        fill_values=np.array([fill["price_krw"] * fill["volume_base"] for fill in fills]),
    )
    return Sheet(
        title=f"{entry.name} on {of.registered.symbol}",
        strategy=entry.name,
        symbols=[of.registered.symbol],
        timeframe=str(entry.strategy.timeframe),
        parameters=entry.strategy.parameters(),
        account=entry.account.facts(),
        days=days,
        equity=equity,
        trades=trades,
        figures=figures,
        candles=candles_of(of.bars),
        optimistic=optimistic,
        benchmarks=benchmarks,
        facts={"chain": of.head, "code": entry.backtests_code},
        warnings=figures.warnings(),
    )


def _benchmarks(entry: Entry, of: Standing, all_coins: Sequence[Standing], fee_rate: float) -> dict[str, Floats]:
    """The coin, bitcoin and the universe in equal parts, bought when the strategy could first have; and cash."""
    ends = np.array([_end(day) for day in of.days])
    coins = {one.registered.symbol: Coin.from_bars(one.bars, entry.strategy.ready_after + 1, ends) for one in all_coins}
    cash, own = entry.account.cash, of.registered.symbol
    found = {"buy and hold": buy_and_hold(cash, coins[own], fee_rate)}
    if own != _BITCOIN and _BITCOIN in coins:
        found[_BITCOIN] = buy_and_hold(cash, coins[_BITCOIN], fee_rate)
    if len(coins) > 1:
        found["equal parts"] = equal_weight(cash, list(coins.values()), fee_rate)
    return {**found, "cash": cash_alone(cash, len(ends))}


def _end(day: date) -> int:
    return (datetime.combine(day + timedelta(days=1), time(), UTC) - _EPOCH) // _MICROSECOND


def _trades(rows: pl.DataFrame) -> pl.DataFrame:
    reasons = {fill["position"]: fill["reason"] for text in rows["fills"] for fill in json.loads(text)}
    held = (Position.from_facts(facts) for text in rows["held"] for facts in json.loads(text))
    return pl.DataFrame(list(_closed(held, reasons)), schema=_TRADE)


def _closed(held: Iterator[Position], reasons: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    for position in held:
        if position.closed_at is not None:
            profit = position.profit_krw(0.0)
            yield {
                "opened_at": datetime.fromisoformat(position.opened_at),
                "closed_at": datetime.fromisoformat(position.closed_at),
                "entry_price": position.entry_price_krw,
                "exit_price": position.exit_price_krw,
                "quantity": position.volume_base,
                "fees_krw": position.entry_fee_krw + (position.exit_fee_krw or 0.0),
                "profit_krw": profit,
                "return": profit / (position.entry_price_krw * position.volume_base + position.entry_fee_krw),
                "reason": reasons[position.number],
            }
