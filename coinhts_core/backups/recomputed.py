"""A stored backtest worked out once more, from stored candles, by the code of today.

What lives here: choosing one that can be, and comparing. What stays out: everything else that a drill proves (`drill`).

What was kept under other candles, code, rules or libraries than there are now proves nothing either way, so one is
looked for that was kept under these; the quickest first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.runs import Result, run
from coinhts_core.candles.frame import DAYS, MINUTES
from coinhts_core.candles.registry import Registered, registered_symbols
from coinhts_core.errors import CoinhtsError
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.markets import Market, Timeframe
from coinhts_core.results.facts import made_from
from coinhts_core.results.frames import frames_of
from coinhts_core.results.kept import Kept, Wanted
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import Settings
from coinhts_core.strategies import Strategy, load

_LOOKED_AT = 50
_TRIED = 5


@dataclass(frozen=True)
class Recomputed:
    """What came of it: the same rows, others, or none that could be compared, and of which result."""

    outcome: Literal["same", "other", "none"]
    told: str


def recomputed(ledger: Ledger, lake: Lake, settings: Settings) -> Recomputed:
    """Whether one of the newest backtests comes out again as it was kept."""
    shelf = Shelf(ledger, lake)
    kept = shelf.listed(Wanted(kind="backtest", limit=_LOOKED_AT))
    if not kept:
        return Recomputed("none", "no backtest is stored that could be worked out again")
    registered = {of.symbol: of for of in registered_symbols(ledger)}
    for of in sorted(kept, key=lambda one: one.days * len(one.symbols))[:_TRIED]:
        whole = shelf.find(of.id)
        result = _again(whole, registered, lake, settings)
        if result is not None and made_from(result) == whole.made_from:
            return _compared(whole, result)
    return Recomputed("none", "no stored backtest is of these candles and this code, so none was worked out again")


def _again(of: Kept, registered: dict[Market, Registered], lake: Lake, settings: Settings) -> Result | None:
    """None for what cannot be asked today: a strategy that is gone, or knobs that it no longer has."""
    try:
        knobs = {**of.asked["params"], "timeframe": of.timeframe}
        strategy = load(of.strategy, settings.strategies_folder, **knobs)
        minutes, days = _candles(of, strategy, registered, lake)
        account = Account(**of.asked["account"])
        frame = strategy.timeframe
        return run(minutes, strategy, account, mode=_mode(of), timeframe=frame, days=days, first_day=of.first_day)
    except (CoinhtsError, KeyError, ValueError):
        return None


def _mode(of: Kept) -> Literal["account", "study"]:
    return "study" if of.mode == "study" else "account"


def _candles(
    of: Kept, strategy: Strategy, registered: dict[Market, Registered], lake: Lake
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame] | None]:
    symbols = [registered[Market(symbol)] for symbol in of.symbols]
    looked_at: list[Timeframe] = [strategy.timeframe, *strategy.looks_at]
    minutes = dict(_read(lake, MINUTES, symbols, of.last_day))
    is_of_days = any(timeframe.is_of_days for timeframe in looked_at)
    return minutes, dict(_read(lake, DAYS, symbols, of.last_day)) if is_of_days else None


def _read(lake: Lake, asset: str, symbols: list[Registered], last: date) -> Iterator[tuple[str, pl.DataFrame]]:
    for of in symbols:
        yield str(of.symbol), lake.read(asset, of.symbol, of.first_day, last)


def _compared(of: Kept, result: Result) -> Recomputed:
    """Frame by frame, by what the rows hash to."""
    hashes = {name: framed.schema.content_hash(framed.rows) for name, framed in frames_of(result).items()}
    others = [name for name, told in of.frames.items() if hashes.get(name) != told["hash"]]
    if others:
        return Recomputed("other", f"the {', '.join(others)} of backtest {of.id[:12]} came out otherwise than kept")
    return Recomputed("same", f"backtest {of.id[:12]} was worked out again, to the same rows")
