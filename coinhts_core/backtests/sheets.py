"""A result as a sheet: everything its tearsheet shows.

What lives here: `sheet_of`. What stays out: how it is drawn (`tearsheet`).
"""

from datetime import date, timedelta
from importlib.metadata import version

import polars as pl

from coinhts_core.backtests.outcome import Outcome, times
from coinhts_core.backtests.overfitting import Counted
from coinhts_core.backtests.runs import Result
from coinhts_core.backtests.tearsheet.sheet import NO_CANDLES, Sheet
from coinhts_core.candles.bars import Bars

_LIBRARIES = ("numpy", "numba", "polars")


def sheet_of(result: Result, counted: Counted | None = None) -> Sheet:
    """Of a study, the account beside it; several coins are drawn without their candles."""
    outcome, names = result.outcome, [of.symbol or "candles" for of in result.symbols]
    return Sheet(
        title=f"{result.strategy_name} on {', '.join(names)}",
        strategy=result.strategy_name,
        symbols=names,
        timeframe=result.timeframe,
        parameters=result.strategy.parameters(),
        account=result.account.model_dump(mode="json", exclude_none=True),
        days=days_of(outcome),
        equity=outcome.daily,
        trades=_trades(result),
        figures=result.figures,
        candles=candles_of(outcome.parts[0].bars) if len(names) == 1 else NO_CANDLES,
        optimistic=outcome.daily_optimistic,
        benchmarks=outcome.benchmarks,
        facts={"result": result.id, "code": result.code, **{name: version(name) for name in _LIBRARIES}},
        warnings=result.warnings,
        counted=counted,
    )


def days_of(outcome: Outcome) -> list[date]:
    return [(moment - timedelta(microseconds=1)).date() for moment in times(outcome.day_ends)]


def candles_of(bars: Bars) -> pl.DataFrame:
    prices = {name: getattr(bars, name) for name in ("open", "high", "low", "close")}
    return pl.DataFrame({"opened_at": times(bars.opened_at), **prices})


def _trades(result: Result) -> pl.DataFrame:
    if len(result.symbols) == 1:
        return result.trades
    named = [of.trades.with_columns(symbol=pl.lit(of.symbol)) for of in result.symbols]
    return pl.concat(named).sort("closed_at", maintain_order=True)
