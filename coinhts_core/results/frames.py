"""The rows of a result as frames of the lake, and its document put together out of them again.

What lives here: the schemas of a run's frames, taking a result apart (`frames_of`), and `document_from`. What to add: a
column, with the next version of its schema. What stays out: what a document says (`backtests.document`), and where
frames lie (`shelf`).

The summary holds what is told once, of all coins in its first row and of each coin in one behind it: `told` is the
document less its trades and signals, which have frames of their own.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import polars as pl

from coinhts_core.backtests.document import document_of
from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.runs import Result, SymbolResult
from coinhts_core.errors import RefusedError
from coinhts_core.frames import Column, Kind, Schema
from coinhts_core.results.facts import Json, Table

MOST_EQUITY_ROWS = 100_000

SUMMARY = Schema(
    "result_summary",
    1,
    (
        Column("symbol", "text", nullable=True, meaning="Upbit's code; empty in the row of all"),
        Column("bars", "int", meaning="bars seen"),
        Column("told", "text", meaning="what the document says, less trades and signals, as JSON"),
        *(Column(name, "float", nullable=True, meaning=of.meaning) for name, of in FIGURES.items()),
    ),
)
SIGNALS = Schema(
    "result_signals",
    1,
    (
        Column("symbol", "text", meaning="Upbit's code"),
        Column("bar", "int", meaning="which of the bars, from 0"),
        Column("decided_at", "time", meaning="when the bar closes and the decision stands, UTC"),
        Column("side", "text", meaning="buy or sell"),
        Column("price", "float", meaning="the bar's close, KRW"),
        Column("confidence", "float", nullable=True, meaning="0 to 1, where a strategy says so"),
        Column("note", "text", nullable=True, meaning="what the strategy says of the decision, as JSON"),
    ),
)
_TRADE = (
    Column("opened_at", "time", meaning="when the entry was filled, UTC"),
    Column("closed_at", "time", meaning="when the exit was filled, UTC"),
    Column("entry_price", "float", meaning="KRW a coin"),
    Column("exit_price", "float", meaning="KRW a coin"),
    Column("quantity", "float", meaning="coins"),
    Column("fees_krw", "float", meaning="of both sides"),
    Column("profit_krw", "float", meaning="after fees"),
    Column("return", "float", meaning="profit over what the entry cost"),
    Column("reason", "text", meaning="why it was left"),
    Column("bars_held", "int", meaning="bars from entry to exit"),
)
_OF_ACCOUNT = (
    Column("mae", "float", nullable=True, meaning="the worst moment, a fraction of the entry's price"),
    Column("mfe", "float", nullable=True, meaning="the best moment, a fraction of the entry's price"),
)
_OF_STUDY = (
    Column("equity", "float", nullable=True, meaning="of a study: the product of 1 + return"),
    Column("drawdown", "float", nullable=True, meaning="of a study: equity over its peak less 1"),
)
TRADES = Schema(
    "result_trades",
    1,
    (
        Column("symbol", "text", meaning="Upbit's code"),
        Column("book", "text", meaning="account, or study: each entry by itself"),
        *_TRADE,
        *_OF_ACCOUNT,
        *_OF_STUDY,
    ),
)
EQUITY = Schema(
    "result_equity",
    1,
    (
        Column("opened_at", "time", meaning="when the bar begins, UTC"),
        Column("equity", "float", meaning="worth at the bar's close, KRW"),
        Column("drawdown", "float", meaning="over the peak so far, less 1"),
    ),
)
_BOOKS = {"account": (*_TRADE, *_OF_ACCOUNT), "study": (*_TRADE, *_OF_STUDY)}
_KINDS: dict[pl.DataType, Kind] = {
    pl.Datetime("us", "UTC"): "time",
    pl.Int64(): "int",
    pl.Float64(): "float",
    pl.Boolean(): "bool",
    pl.String(): "text",
}


@dataclass(frozen=True)
class Framed:
    """A frame and the schema it follows."""

    schema: Schema
    rows: pl.DataFrame


def frames_of(result: Result | Table) -> dict[str, Framed]:
    """Summary, signals, trades and equity of a run; summary, rows and perhaps equity of a table."""
    return _of_run(result) if isinstance(result, Result) else _of_table(result)


def document_from(identity: str, frames: Mapping[str, pl.DataFrame]) -> Json:
    """The document as it was when it was taken apart, under the identity it is kept by."""
    whole, *coins = map(json.loads, frames["summary"]["told"])
    if "rows" in frames:
        return {"id": identity, **whole, "rows": _as_json(frames["rows"])}
    told = [_with_rows(coin, whole["mode"], frames) for coin in coins]
    return {name: told if name == "symbols" else of for name, of in {**whole, "id": identity}.items()}


def schema_of(name: str, rows: pl.DataFrame, version: int = 1) -> Schema:
    """A frame's own columns as a schema; for identities, and for tables whose columns differ from one to another."""
    columns = [Column(of, _kind(name, of, kind), nullable=True) for of, kind in rows.schema.items()]
    return Schema(f"result_{name}", version, tuple(columns))


def _of_run(result: Result) -> dict[str, Framed]:
    told = json.loads(_text(document_of(result)))
    coins = told["symbols"]
    told["symbols"] = None
    rows = [_summary_row(None, sum(of["candles"] for of in coins), told, result.metrics)]
    for coin, of in zip(coins, result.symbols, strict=True):
        coin |= {"trades": None, "signals": None}
        if result.mode == "study":
            coin["account"]["trades"] = None
        figures = result.metrics if len(coins) == 1 else of.fills.figures.values
        rows.append(_summary_row(of.symbol, coin["candles"], coin, figures))
    return {
        "summary": Framed(SUMMARY, pl.DataFrame(rows, schema=SUMMARY.empty().schema)),
        "signals": Framed(SIGNALS, _together(SIGNALS, (_signals(of) for of in result.symbols))),
        "trades": Framed(TRADES, _together(TRADES, chain.from_iterable(_trades(of, result) for of in result.symbols))),
        "equity": Framed(EQUITY, _thinned(result.equity)),
    }


def _of_table(of: Table) -> dict[str, Framed]:
    told = {"kind": of.kind, **of.told}
    summary = pl.DataFrame([_summary_row(None, 0, told, told.get("metrics", {}))], schema=SUMMARY.empty().schema)
    rows = of.rows.with_columns(
        pl.col(pl.Float32).cast(pl.Float64),
        pl.col(pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64).cast(pl.Int64),
        pl.col(pl.Categorical, pl.Enum, pl.Null).cast(pl.String),
        pl.col(pl.Date).cast(pl.Datetime("us", "UTC")),
    )
    curve = {} if of.equity is None else {"equity": Framed(EQUITY, _thinned(of.equity))}
    return {"summary": Framed(SUMMARY, summary), "rows": Framed(schema_of("rows", rows), rows), **curve}


def _summary_row(symbol: str | None, bars: int, told: Json, figures: Mapping[str, Any]) -> Json:
    return {"symbol": symbol, "bars": bars, "told": _text(told), **{name: figures.get(name) for name in FIGURES}}


def _text(told: Json) -> str:
    return json.dumps(told, ensure_ascii=False, default=str, allow_nan=False)


def _signals(of: SymbolResult) -> pl.DataFrame:
    sides = pl.col("side").replace_strict({1: "buy", -1: "sell"}, return_dtype=pl.String)
    return of.signals.select(
        pl.lit(of.symbol).alias("symbol"), "bar", "decided_at", sides, pl.col("price_krw").alias("price"),
        "confidence", "note",
    )  # fmt: skip


def _trades(of: SymbolResult, result: Result) -> Iterator[pl.DataFrame]:
    books = {"account": of.trades} | ({"study": of.study.trades} if result.mode == "study" else {})
    for book, trades in books.items():
        names = [column.name for column in _BOOKS[book]]
        yield trades.select(pl.lit(of.symbol).alias("symbol"), pl.lit(book).alias("book"), *names)


def _together(schema: Schema, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([schema.empty(), *frames], how="diagonal_relaxed")


def _thinned(equity: pl.DataFrame) -> pl.DataFrame:
    """A row a bar; of very many bars, each day's last."""
    if equity.height <= MOST_EQUITY_ROWS:
        return equity
    return equity.group_by(pl.col("opened_at").dt.date().alias("day"), maintain_order=True).last().drop("day")


def _with_rows(coin: Json, mode: str, frames: Mapping[str, pl.DataFrame]) -> Json:
    signals, trades = (_of_coin(frames[name], coin["symbol"] or "") for name in ("signals", "trades"))
    told = {**coin, "trades": _book(trades, mode), "signals": _as_json(signals)}
    if mode == "study":
        told["account"] = {**coin["account"], "trades": _book(trades, "account")}
    return told


def _of_coin(frame: pl.DataFrame, symbol: str) -> pl.DataFrame:
    return frame.filter(pl.col("symbol") == symbol).drop("symbol")


def _book(trades: pl.DataFrame, book: str) -> list[Json]:
    return _as_json(trades.filter(pl.col("book") == book).select(column.name for column in _BOOKS[book]))


def _as_json(frame: pl.DataFrame) -> list[Json]:
    moments = pl.col(pl.Datetime("us", "UTC"))
    names = frame.select(moments).columns
    rows = frame.to_dicts()
    return [{**row, **{name: None if row[name] is None else str(row[name]) for name in names}} for row in rows]


def _kind(frame: str, column: str, kind: pl.DataType) -> Kind:
    if kind not in _KINDS:
        raise RefusedError(
            reason=f"column {column} of {frame} is {kind}, which no result keeps; make it a number or a text"
        )
    return _KINDS[kind]
