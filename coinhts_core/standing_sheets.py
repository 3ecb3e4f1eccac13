"""A strategy's standing in a coin as a sheet, for the page beside its asset.

What lives here: `sheet_of`. What stays out: the table of all standings (`performance`), and drawing (`tearsheet`).
"""

import json
from collections.abc import Sequence

import numpy as np

from coinhts_core.backtests.benchmarks import cash_alone
from coinhts_core.backtests.figures import measure
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.backtests.sheets import candles_of
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.backtests.undefined import Floats
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.performance import Standing

_BITCOIN = Market("KRW-BTC")


def sheet_of(lineup_entry: Entry, of: Standing, all_coins: Sequence[Standing], fee_rate: float) -> Sheet:
    """`all_coins` are the strategy's standings in its universe, for the benchmarks."""
    entry = lineup_entry.of(of.registered.symbol)
    days, rows, span = list(of.days), of.rows, (of.days[0], of.days[-1])
    equity, trades = np.array(of.equity(*span)), of.trades(*span)
    optimistic = np.array([equity[0], *rows["equity_optimistic_krw"]])
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
        account=entry.account.model_dump(mode="json", exclude_none=True),
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
    cash, own = entry.account.cash, of.registered.symbol
    coins = {one.registered.symbol: one.held(of.days, cash, fee_rate) for one in all_coins}
    found = {"buy and hold": coins[own]}
    if own != _BITCOIN and _BITCOIN in coins:
        found[_BITCOIN] = coins[_BITCOIN]
    if len(coins) > 1:
        found["equal parts"] = np.mean(list(coins.values()), axis=0)
    return {**found, "cash": cash_alone(cash, len(of.days))}
