"""A run: one strategy over candles that somebody hands over, from the first bar to the last.

What lives here: `run`, the door for scripts, commands and requests, and `Result`. What stays out: days, chains and
stored rehearsals (`chain`), which decide and trade by the same `signals` and `engine`.

    result = run(candles, load("sma_cross", fast=10), Account(cash=1e7))
    result.metrics["total_return"]; result.trades; result.equity

Candles are taken as they come, or joined to the timeframe that is asked for, here or by the strategy's own knob; the
finer ones then order what happens inside a bar. Several coins, by name, trade on one cash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from inspect import getfile
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.courses import Coin, epochs, lead
from coinhts_core.backtests.figures import Figures
from coinhts_core.backtests.outcome import Fills, Outcome, times
from coinhts_core.backtests.sources import Candles, asked_by, identity, sources
from coinhts_core.backtests.study import Study, study
from coinhts_core.candles.bars import Bars
from coinhts_core.code_version import code_version, core_file
from coinhts_core.errors import RefusedError
from coinhts_core.hashes import Fact, digest
from coinhts_core.markets import Timeframe
from coinhts_core.signals import decide_all, decisions_made
from coinhts_core.strategies import Decisions, Strategy, name_of

Mode = Literal["account", "study"]


@dataclass(frozen=True, eq=False)
class SymbolResult:
    """One coin's share of a result."""

    symbol: str
    strategy: Strategy
    bars: Bars
    decisions: Decisions
    fills: Fills
    hold_bars: int

    @property
    def trades(self) -> pl.DataFrame:
        return self.fills.trades

    @property
    def first(self) -> datetime | None:
        return times(self.bars.opened_at[:1])[0] if len(self.bars) else None

    @property
    def last(self) -> datetime | None:
        return times(self.bars.opened_at[-1:])[0] if len(self.bars) else None

    @property
    def first_traded(self) -> int:
        """How many bars only let the windows fill."""
        return len(self.bars) - len(self.fills.bars)

    def identities(self) -> list[str]:
        """All bars that had a say, by value."""
        minutes = [] if self.fills.minutes is None else [self.fills.minutes]
        return [identity(bars) for bars in (self.bars, *self.bars.longer.values(), *minutes)]

    @cached_property
    def signals(self) -> pl.DataFrame:
        return decisions_made(self.strategy, self.bars, self.decisions)

    @cached_property
    def study(self) -> Study:
        return study(self.bars, self.decisions, self.hold_bars)


@dataclass(frozen=True, eq=False)
class Result:
    """What a strategy did: of one coin, or of several that share one cash."""

    mode: Mode
    strategy: Strategy
    account: Account
    timeframe: str
    symbols: tuple[SymbolResult, ...]
    outcome: Outcome

    @cached_property
    def id(self) -> str:
        """Equal for equal candles from the same bar on, strategy, code, account and rules."""
        bars: list[Fact] = [[of.symbol, of.first_traded, *of.identities()] for of in self.symbols]
        rules: list[Fact] = [book.as_facts() for *_, book in epochs([of.bars for of in self.symbols])]
        knobs = self.strategy.parameters(), self.account.facts()
        return digest("result 1", self.mode, self.strategy_name, self.timeframe, bars, *knobs, rules, self.code)

    @cached_property
    def code(self) -> str:
        """Of the strategy, and of all that its figures stand on."""
        return code_version(Path(getfile(type(self.strategy))), core_file("backtests", "runs.py"))

    @property
    def strategy_name(self) -> str:
        return name_of(type(self.strategy))

    @cached_property
    def figures(self) -> Figures:
        """Here, and not in the outcome: that would hold itself, and wait for the garbage collector to be freed."""
        return Figures(self.outcome)

    @property
    def metrics(self) -> Mapping[str, float | None]:
        return self.figures.values

    @property
    def trades(self) -> pl.DataFrame:
        return self.outcome.trades

    @property
    def equity(self) -> pl.DataFrame:
        return self.outcome.equity_frame

    @cached_property
    def warnings(self) -> list[str]:
        """Why a figure is missing, and what a reader should not overlook."""
        sentences = self.figures.warnings()
        if self.outcome.ambiguous:
            other = self.outcome.daily_optimistic
            better = "" if other is None else f"; had all gone well it would end with {other[-1]:,.0f} KRW"
            sentences.append(
                f"{self.outcome.ambiguous} bars reach both stop and target, and nothing tells which came first: "
                f"the stop is taken{better}"
            )
        held = [of.symbol or "a position" for of in self.symbols if of.fills.open_entry is not None]
        if held:
            sentences.append(f"still open at the end, and in no figure of trades: {', '.join(held)}")
        return sentences


def run(
    candles: "Candles | Mapping[str, Candles]",
    strategy: Strategy,
    account: Account | None = None,
    *,
    mode: Mode = "account",
    timeframe: Timeframe | str | None = None,
    days: "Mapping[str, Candles] | None" = None,
    first_day: date | None = None,
) -> Result:
    """Rehearse a strategy over candles.

    `days` holds coins' own day bars, of which timeframes of a day and longer are made; without them the candles make
    them. Bars before `first_day`, if that is given, only let windows fill.
    """
    if mode not in get_args(Mode):
        raise RefusedError(reason=f"{mode!r} is not a mode; choose account or study")
    account = account or Account()
    wanted = Timeframe.parse(timeframe) if timeframe else asked_by(strategy)
    seen = {name: of.seen(strategy, wanted, first_day) for name, of in sources(candles, days, wanted).items()}
    coins = [Coin(symbol, of, decide_all(strategy, of.bars)) for symbol, of in seen.items()]
    outcome = lead(coins, strategy, account)
    held = account.limits(strategy.hold_bars).hold_bars or 1
    symbols = tuple(
        SymbolResult(of.symbol, strategy, of.seen.bars, of.decisions, fills, held)
        for of, fills in zip(coins, outcome.parts, strict=True)
    )
    return Result(mode, strategy, account, coins[0].seen.timeframe, symbols, outcome)
