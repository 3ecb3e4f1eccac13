"""A result as the JSON document that commands print and requests keep.

What lives here: `document_of`. What stays out: the figures (`figures`) and the page for people (`tearsheet`). No number
in it is NaN or infinite: what is undefined is null, and a warning says why.
"""

from typing import Any

import polars as pl

from coinhts_core.backtests.runs import Result, SymbolResult
from coinhts_core.backtests.undefined import Undefined

_SIDES = {1: "buy", -1: "sell"}
_SIGNAL = ("bar", "decided_at", "side", "price_krw", "confidence", "note")
_CALLED = {"price_krw": "price"}
_PLACES = ("bar", "date")  # which row of the study, and which day


def document_of(result: Result, *, is_full: bool = False) -> dict[str, Any]:
    """The document, with an equity row a bar when it is to be full."""
    is_shared = len(result.symbols) > 1
    portfolio = _account_facts(result, is_full=is_full) if is_shared else None
    return {
        "id": result.id,
        "mode": result.mode,
        "strategy": result.strategy_name,
        "params": result.strategy.parameters(),
        "account": result.account.facts(),
        "timeframe": result.timeframe,
        "symbols": [_symbol_facts(of, result, is_full=is_full) for of in result.symbols],
        "portfolio": portfolio,
        "warnings": result.warnings,
    }


def _symbol_facts(of: SymbolResult, result: Result, *, is_full: bool) -> dict[str, Any]:
    facts = {
        "symbol": of.symbol or None,
        "candles": len(of.bars),
        "first": of.first,
        "last": of.last,
        "trades": of.trades.to_dicts(),
        "open_position": of.fills.open_position(),
        "signals": [_signal(row) for row in of.signals.select(_SIGNAL).iter_rows(named=True)],
    }
    is_alone = len(result.symbols) == 1
    alone = _account_facts(result, is_full=is_full) if is_alone else {"metrics": of.fills.figures.as_json()}
    if result.mode == "account":
        return {**facts, **alone}
    measured = {name: None if isinstance(of, Undefined) else of for name, of in of.study.measured().items()}
    trades = of.study.trades.drop(_PLACES).to_dicts()
    twin = {"trades": facts["trades"], "open_position": facts.pop("open_position"), **alone}
    return {**facts, "metrics": {**measured, "coin_hts": of.study.coin_hts()}, "trades": trades, "account": twin}


def _account_facts(result: Result, *, is_full: bool) -> dict[str, Any]:
    outcome = result.outcome
    optimistic = outcome.daily if outcome.daily_optimistic is None else outcome.daily_optimistic
    facts: dict[str, Any] = {
        "metrics": result.figures.as_json(),
        "benchmarks": {name: _total(equity) for name, equity in outcome.benchmarks.items()},
        "bounds": {
            "ambiguous_bars": outcome.ambiguous,
            "pessimistic_krw": float(outcome.daily[-1]),
            "optimistic_krw": float(optimistic[-1]),
        },
    }
    if is_full:
        rows = outcome.equity_frame.with_columns(pl.col("opened_at").dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"))
        facts["equity"] = [list(row) for row in rows.iter_rows()]
    return facts


def _total(equity: Any) -> float | None:
    return float(equity[-1] / equity[0] - 1.0) if len(equity) > 1 else None


def _signal(row: dict[str, Any]) -> dict[str, Any]:
    told = {_CALLED.get(name, name): value for name, value in row.items()}
    return {**told, "side": _SIDES[row["side"]]}
