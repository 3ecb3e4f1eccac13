"""Backtests by hand: candles from the lake or a file, one run, and what is kept of it.

What lives here: what the `backtest` commands do. What stays out: the run itself (`coinhts_core.backtests.runs`), and
rehearsals that are stored day by day (`defs`).

A result is kept in COINHTS_HOME/results under its id, as a document and as a page.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.document import document_of
from coinhts_core.backtests.runs import Mode, Result, run
from coinhts_core.backtests.sheets import sheet_of
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.candles.files import Said, candles_in
from coinhts_core.candles.frame import DAYS, MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.days import DayRange
from coinhts_core.errors import NotStoredError, RefusedError, worded
from coinhts_core.lake.lake import Lake
from coinhts_core.lineup import read_lineup
from coinhts_core.markets import Timeframe
from coinhts_core.settings import Settings
from coinhts_core.strategies import Strategy, load

_SHORTEST_ID = 6


def asked_for(
    settings: Settings, name: str, knobs: Mapping[str, Any], account: Mapping[str, Any]
) -> tuple[Strategy, Account]:
    """A strategy, or a set of knobs of the lineup as it runs, with what is told otherwise."""
    folder = settings.strategies_folder
    entry = read_lineup(folder, settings.lineup_file).get(name)
    if entry is None:
        return load(name, folder, **knobs), account_of(account)
    own, cash = (of.model_dump(exclude_unset=True) for of in (entry.strategy, entry.account))
    return load(entry.source.stem, folder, **{**own, **knobs}), account_of({**cash, **account})


def account_of(facts: Mapping[str, Any]) -> Account:
    """An account, or a refusal that names the option."""
    try:
        return Account(**facts)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = f"--{'-'.join(map(str, first['loc'])).replace('_', '-')}: " if first["loc"] else ""
        raise RefusedError(reason=place + worded(first["msg"])) from None


def run_on_file(
    file: Path, said: Said, strategy: Strategy, account: Account, *, mode: Mode, timeframe: Timeframe | None
) -> Result:
    """Over all of a file's bars; several symbols share the cash."""
    if not file.is_file():
        raise RefusedError(reason=f"there is no file {file}")
    candles = {str(symbol): frame for symbol, frame in candles_in(file, said).items()}
    return run(candles, strategy, account, mode=mode, timeframe=timeframe)


def run_on_lake(
    lake: Lake, symbols: Sequence[Registered], days: DayRange, strategy: Strategy, account: Account, *, mode: Mode
) -> Result:
    """Over stored days, with what lies before them to warm up; days and longer are the exchange's own bars."""
    looked_at = (strategy.timeframe, *strategy.looks_at)
    minutes = {str(of.symbol): _stored(lake, MINUTES, of, days) for of in symbols}
    needs_days = any(timeframe.is_of_days for timeframe in looked_at)
    of_days = {str(of.symbol): _stored(lake, DAYS, of, days) for of in symbols} if needs_days else None
    return run(minutes, strategy, account, mode=mode, timeframe=strategy.timeframe, days=of_days, first_day=days.first)


def _stored(lake: Lake, asset: str, of: Registered, days: DayRange) -> pl.DataFrame:
    try:
        stored = lake.read(asset, of.symbol, of.first_day, days.last)
    except NotStoredError:
        stored = None
    if stored is None or stored.filter(pl.col("day") >= days.first).is_empty():
        collecting = "`coinhts backfill` collects them"
        raise RefusedError(reason=f"no {asset} of {of.symbol} is stored from {days.first} to {days.last}; {collecting}")
    return stored


def keep(settings: Settings, result: Result) -> dict[str, Any]:
    """The document, kept beside its page."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = json.loads(json.dumps(document_of(result), default=str, allow_nan=False))
    for name, text in ((f"{result.id}.html", tearsheet(sheet_of(result))), (f"{result.id}.json", json.dumps(document))):
        draft = folder / f".{name}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / name)
    return document


def kept(settings: Settings, name: str) -> dict[str, Any]:
    """The document of a result, by its id or the first letters of it."""
    found: dict[str, Any] = json.loads(_only(settings, name).read_text(encoding="utf-8"))
    return found


def page_of(settings: Settings, name: str) -> Path:
    return _only(settings, name).with_suffix(".html")


def _only(settings: Settings, name: str) -> Path:
    if len(name) < _SHORTEST_ID or not all(letter in "0123456789abcdef" for letter in name):
        raise RefusedError(reason=f"{name!r} is no result's id; give its first {_SHORTEST_ID} letters or more")
    found = sorted(_folder(settings).glob(f"{name}*.json"))
    if len(found) != 1:
        how_many = "several results begin" if found else "no result begins"
        raise RefusedError(reason=f"{how_many} with {name}; `coinhts backtest run` prints the whole id")
    return found[0]


def _folder(settings: Settings) -> Path:
    return settings.home / "results"
