"""Furnishing: a request with everything filled in that only the house knows, so that it says all by itself.

What lives here: `furnish`, and the identity of what is asked: of the request as furnished, of the candles it sees, and
of the code that answers. What stays out: the form of a request (`request`), and answering.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.points import points_of
from coinhts_core.backtests.windows import windows_over
from coinhts_core.candles.frame import DAYS, MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.code_version import code_version, core_file
from coinhts_core.days import DayRange
from coinhts_core.errors import BadParameterError, BadRequestError, RefusedError
from coinhts_core.hashes import Fact, digest
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market, Timeframe
from coinhts_core.requests.request import Request
from coinhts_core.rules import days_of_change, rules_on
from coinhts_core.strategies import ALL_OF_THEM, Strategy, find_strategy, source_file
from coinhts_core.wording import worded

_MOST_SYMBOL_DAYS = 12_000
_MOST_STEPS = 10**10  # bars times combinations
_TRIED = 20
_ENGINES = {"backtest": "runs.py", "sweep": "sweeps.py", "walkforward": "walkforward.py"}
Heads = Callable[[str, Market], Mapping[date, DayEntry]]


@dataclass(frozen=True)
class Known:
    """What the house knows when it is asked: coins, strategies, days that may be asked for, and what is stored."""

    symbols: Mapping[Market, Registered]
    lineup: Mapping[str, Entry]
    strategies: Path
    days: DayRange
    heads: Heads


@dataclass(frozen=True)
class Furnished:
    """A request that says all, and what its words stand for."""

    request: Request
    kind: type[Strategy]
    source: Path
    strategy: Strategy
    account: Account
    symbols: tuple[Registered, ...]
    days: DayRange
    seen: str

    @property
    def looks_at(self) -> tuple[Timeframe, ...]:
        return self.strategy.timeframe, *self.strategy.looks_at

    @property
    def grid(self) -> dict[str, tuple[Any, ...]]:
        """With every knob that is not tried at several values."""
        return {**{name: (value,) for name, value in self.request.params.items()}, **self.request.grid}

    @property
    def code(self) -> str:
        return code_version(self.source, core_file("backtests", _ENGINES[self.request.kind]))

    @property
    def identity(self) -> str:
        return identity(self.request, self.seen, self.code)


def identity(request: Request, seen: str, code: str) -> str:
    """Equal for the same question over the same candles, answered by the same code."""
    return digest("request 1", request.facts(), seen, code)


def furnish(request: Request, known: Known) -> Furnished:
    """The same request again when it is furnished already; else what it left open is filled in."""
    kind, source, own, cash = _strategy(request, known)
    knobs = {**kind().parameters(), **own, **request.params}
    timeframe = str(request.timeframe or knobs.pop("timeframe"))
    knobs.pop("timeframe", None)
    account = _account({**cash, **request.account})
    fixed = {name: value for name, value in knobs.items() if name not in request.grid}
    strategy = _loaded(kind, request, fixed, timeframe, account)
    symbols, days = _symbols(request, known), _days(request, known)
    _judge_size(request, strategy, symbols, days)
    _judge_folds(request, days)
    told = {name: value for name, value in strategy.parameters().items() if name in fixed}
    whole = request.model_copy(
        update={
            "strategy": source.stem,
            "params": told,
            "symbols": tuple(of.symbol for of in symbols),
            "start_date": days.first,
            "end_date": days.last,
            "timeframe": strategy.timeframe,
            "account": account.facts(),
            **_search(request),
        }
    )
    looks_at_days = any(of.is_of_days for of in (strategy.timeframe, *strategy.looks_at))
    seen = _seen(known.heads, symbols, days, [MINUTES, DAYS] if looks_at_days else [MINUTES])
    return Furnished(whole, kind, source, strategy, account, symbols, days, seen)


def _strategy(request: Request, known: Known) -> tuple[type[Strategy], Path, dict[str, Any], dict[str, Any]]:
    """Its class and file; of a set of the lineup also the knobs and the account that it runs with."""
    entry = known.lineup.get(request.strategy)
    name = entry.source.stem if entry else request.strategy
    try:
        source = source_file(name, known.strategies)
        kind = find_strategy(name, known.strategies)
    except RefusedError as error:
        raise BadRequestError(field="strategy", reason=str(error)) from None
    if entry is None:
        return kind, source, {}, {}
    own = entry.strategy.model_dump(mode="json", exclude_unset=True)
    return kind, source, own, entry.account.model_dump(mode="json", exclude_unset=True)


def _account(facts: Mapping[str, Any]) -> Account:
    try:
        return Account.model_validate(dict(facts))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadRequestError(
            field=".".join(["account", *map(str, first["loc"])]), reason=worded(first["msg"])
        ) from None


def _loaded(
    kind: type[Strategy], request: Request, fixed: Mapping[str, Any], timeframe: str, account: Account
) -> Strategy:
    """With the knobs as they are; of many combinations some are tried, and the first that goes stands for all."""
    grid = {**{name: [value] for name, value in {**fixed, "timeframe": timeframe}.items()}, **request.grid}
    try:
        return points_of(kind, grid, account, samples=_TRIED)[0].strategy
    except BadParameterError as error:
        if error.parameter == ALL_OF_THEM:
            raise BadRequestError(field="grid" if request.grid else "params", reason=str(error.reason)) from None
        place = "grid" if error.parameter in request.grid else "params"
        raise BadRequestError(field=f"{place}.{error.parameter}", reason=str(error.reason)) from None
    except RefusedError as error:
        raise BadRequestError(field="grid", reason=str(error)) from None


def _symbols(request: Request, known: Known) -> tuple[Registered, ...]:
    if request.symbols is None:
        return tuple(of for of in known.symbols.values() if of.is_active)
    followed = ", ".join(known.symbols)
    for symbol in request.symbols:
        if symbol not in known.symbols:
            raise BadRequestError(field="symbols", reason=f"{symbol} is not followed; {followed} are")
    return tuple(known.symbols[Market(symbol)] for symbol in request.symbols)


def _days(request: Request, known: Known) -> DayRange:
    first, last = request.start_date or known.days.first, request.end_date or known.days.last
    if first < known.days.first:
        reason = f"{first} is before {known.days.first}, the first day that is kept here"
        raise BadRequestError(field="start_date", reason=reason)
    if last > known.days.last:
        reason = (
            f"{last} is not over yet (days end at 00:00 UTC, 09:00 KST); the last complete day is {known.days.last}"
        )
        raise BadRequestError(field="end_date", reason=reason)
    if last < first:
        raise BadRequestError(field="end_date", reason=f"{last} is before {first}, which it begins with")
    return DayRange(first, last)


def _judge_size(request: Request, strategy: Strategy, symbols: tuple[Registered, ...], days: DayRange) -> None:
    """What would not be done in time or fit into memory is not begun."""
    if (symbol_days := len(symbols) * len(days)) > _MOST_SYMBOL_DAYS:
        reason = f"{symbol_days} days of coins are more than {_MOST_SYMBOL_DAYS}; ask for fewer coins or days"
        raise BadRequestError(field="symbols", reason=reason)
    bars = symbol_days * Timeframe.D1.minutes // strategy.timeframe.minutes
    if bars * request.combinations > _MOST_STEPS:
        reason = f"{bars} bars by {request.combinations} combinations are too many; try fewer values"
        raise BadRequestError(field="grid", reason=reason)


def _search(of: Request) -> dict[str, Any]:
    """How combinations are found, where nobody says."""
    if of.kind == "walkforward":
        return dict(zip(("folds", "ratio", "anchored", "by"), of.windows, strict=True))
    return {"seed": of.seed or 0} if of.samples else {}


def _judge_folds(request: Request, days: DayRange) -> None:
    if request.kind == "walkforward":
        folds, ratio, *_ = request.windows
        try:
            windows_over(days, folds, ratio)
        except RefusedError as error:
            raise BadRequestError(field="folds", reason=str(error.reason)) from None


def _seen(heads: Heads, symbols: tuple[Registered, ...], days: DayRange, assets: list[str]) -> str:
    """All that is stored up to the last day, for windows fill before the first; and the rules in force."""
    changes = [day for day in days_of_change() if days.first < day <= days.last]
    rules: list[Fact] = [rules_on(day).as_facts() for day in (days.first, *changes)]
    stored = [(of.symbol, asset, heads(asset, of.symbol)) for of in symbols for asset in assets]
    for symbol, asset, entries in stored:
        if not any(day in days for day in entries):
            reason = (
                f"no {asset} of {symbol} is stored from {days.first} to {days.last}; `coinhts backfill` collects it"
            )
            raise BadRequestError(field="symbols", reason=reason)
    hashes: list[Fact] = [
        [symbol, asset, *(f"{day} {of.content_hash}" for day, of in entries.items() if day <= days.last)]
        for symbol, asset, entries in stored
    ]
    return digest(rules, hashes)
