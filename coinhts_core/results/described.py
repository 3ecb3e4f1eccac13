"""A result's document as a JSON Schema, for programs that read it.

What lives here: `DOCUMENT`, which the port publishes and every document is tested against. What to add: whatever a
document gains. What stays out: the document itself (`backtests.document`, `frames`).
"""

from typing import Any

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.figures import FIGURES
from coinhts_core.markets import Timeframe

Described = dict[str, Any]

_TEXT: Described = {"type": "string"}
_COUNT: Described = {"type": "integer", "minimum": 0}
_NUMBER: Described = {"type": "number"}
_MAYBE: Described = {"type": ["number", "null"]}
_MOMENT: Described = {
    "type": "string",
    "description": "UTC",
    "pattern": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{6})?\+00:00$",
}
_MAYBE_MOMENT: Described = {**_MOMENT, "type": ["string", "null"]}


def _object(properties: Described, *optional: str, **others: Any) -> Described:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **others}


def _listed(of: Described) -> Described:
    return {"type": "array", "items": of}


def _reference(name: str) -> Described:
    return {"$ref": f"#/$defs/{name}"}


_FIGURES: Described = {
    name: {"type": ["number", "null"], "title": of.label, "description": f"{of.meaning} ({of.unit})"}
    for name, of in FIGURES.items()
} | {"too_few_trades": {"type": "boolean", "description": "whether there are too few trades to tell much"}}
_COIN_HTS = ("samples", "win_rate", "avg_return", "max_drawdown", "avg_hold_bars")
_STUDY = (
    "trades",
    "win_rate",
    "average_return",
    "profit_factor",
    "best_trade",
    "worst_trade",
    "average_bars_held",
)
_TRADE: Described = {
    "opened_at": _MOMENT,
    "closed_at": _MOMENT,
    **dict.fromkeys(("entry_price", "exit_price", "quantity", "fees_krw", "profit_krw", "return"), _NUMBER),
    "reason": _TEXT,
    "bars_held": _COUNT,
}
_OF_ACCOUNT: Described = {
    "benchmarks": {"type": "object", "additionalProperties": _MAYBE},
    "bounds": _object({"ambiguous_bars": _COUNT, "pessimistic_krw": _NUMBER, "optimistic_krw": _NUMBER}),
    "equity": {
        "type": "array",
        "description": "a row a bar, when it was asked for: opened_at, equity, drawdown",
        "items": {"type": "array", "prefixItems": [_TEXT, _NUMBER, _NUMBER], "items": False},
    },
}
_POSITION: Described = {
    "opened_at": _MOMENT,
    **dict.fromkeys(("entry_price", "quantity", "fees_krw", "last_price", "profit_krw"), _NUMBER),
}
_SIGNAL: Described = {
    "bar": _COUNT,
    "decided_at": _MOMENT,
    "side": {"enum": ["buy", "sell"]},
    "price": _NUMBER,
    "confidence": _MAYBE,
    "note": {"type": ["string", "null"]},
}
_COIN: Described = {
    "symbol": {"type": ["string", "null"]},
    "candles": _COUNT,
    "first": _MAYBE_MOMENT,
    "last": _MAYBE_MOMENT,
    "trades": _listed({"anyOf": [_reference("trade"), _reference("study_trade")]}),
    "open_position": {"anyOf": [_reference("position"), {"type": "null"}]},
    "signals": _listed(_reference("signal")),
    "metrics": {"anyOf": [_reference("figures"), _reference("study_figures")]},
    **_OF_ACCOUNT,
    "account": _reference("twin"),
}
_RUN: Described = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "mode": {"enum": ["account", "study"]},
    "strategy": _TEXT,
    "params": {"type": "object", "description": "the strategy's knobs as they were in effect"},
    "account": _reference("account"),
    "timeframe": {"type": "string", "examples": [str(of) for of in Timeframe]},
    "symbols": {"type": "array", "items": _reference("coin"), "minItems": 1},
    "portfolio": {"anyOf": [_reference("portfolio"), {"type": "null"}]},
    "warnings": _listed(_TEXT),
}
_TABLE: Described = {
    "id": _RUN["id"],
    "kind": {"enum": ["sweep", "walkforward"]},
    "rows": {"type": "array", "description": "a row a combination or a window", "items": {"type": "object"}},
}

DOCUMENT: Described = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A result",
    "description": "A figure that is undefined is null, with its reason in the warnings.",
    "oneOf": [_object(_RUN), {**_object(_TABLE), "additionalProperties": True}],
    "$defs": {
        "account": Account.model_json_schema(),
        "figures": {"type": "object", "properties": _FIGURES, "additionalProperties": False},
        "study_figures": _object(
            {**dict.fromkeys(_STUDY, _MAYBE), "coin_hts": _object(dict.fromkeys(_COIN_HTS, _NUMBER))}
        ),
        "trade": _object({**_TRADE, "mae": _NUMBER, "mfe": _NUMBER}),
        "study_trade": _object({**_TRADE, "equity": _MAYBE, "drawdown": _MAYBE}),
        "position": _object(_POSITION),
        "signal": _object(_SIGNAL),
        "portfolio": _object({"metrics": _reference("figures"), **_OF_ACCOUNT}, "equity"),
        "twin": _object(
            {name: _COIN[name] for name in ("trades", "open_position", "metrics")} | _OF_ACCOUNT, *_OF_ACCOUNT
        ),
        "coin": _object(_COIN, "open_position", "account", *_OF_ACCOUNT),
    },
}
