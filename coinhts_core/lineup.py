"""The lineup: which strategies run, under which name, with which knobs and account.

What lives here: `read_lineup`. Every discovered strategy whose file says `enabled = True` is in it under its own name;
`strategies.toml` only overrides. What stays out: the strategies themselves (`strategies`), what they decided
(`signals`), and writing the file (`coinhts strategy set`).

    [sma_cross]                       # a strategy's own name: what differs from its file
    enabled = true
    timeframe = "4h"
    parameters = { fast = 20 }
    account = { cash = 5_000_000, stop_loss = 0.05 }

    [sma_cross.symbols.KRW-BTC]       # and for one coin
    parameters = { fast = 30 }

    [sma_fast]                        # a second set of knobs, with assets of its own
    strategy = "sma_cross"
    parameters = { fast = 5 }
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from inspect import getdoc
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.chain import Terms
from coinhts_core.code_version import code_version, core_file
from coinhts_core.errors import BadLineupError, CoinhtsError
from coinhts_core.markets import Market
from coinhts_core.strategies import Strategy, find_strategy, load, source_file, strategy_names
from coinhts_core.wording import nearest, worded

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """One strategy as it runs: the name its assets carry, its knobs, its account, its code."""

    name: str
    strategy: Strategy
    account: Account
    source: Path
    symbols: Mapping[Market, tuple[Strategy, Account]] = field(default_factory=dict)

    def of(self, symbol: Market) -> Self:
        """As it runs on one coin."""
        strategy, account = self.symbols.get(symbol, (self.strategy, self.account))
        return replace(self, strategy=strategy, account=account, symbols={})

    @property
    def description(self) -> str:
        return getdoc(type(self.strategy)) or self.name

    @property
    def signals_code(self) -> str:
        return code_version(self.source, core_file("signals.py"), core_file("candles", "resample.py"))

    @property
    def backtests_code(self) -> str:
        return code_version(self.source, core_file("backtests", "chain.py"), core_file("candles", "resample.py"))

    @property
    def terms(self) -> Terms:
        return Terms(self.strategy.parameters(), self.account.facts(), self.backtests_code)

    @property
    def looks_at_days(self) -> bool:
        """Whether the exchange's own day bars are needed."""
        strategies = [self.strategy, *(strategy for strategy, _ in self.symbols.values())]
        return any(of.timeframe.is_of_days or any(other.is_of_days for other in of.looks_at) for of in strategies)


class _Override(BaseModel):
    model_config = ConfigDict(extra="forbid")

    timeframe: str | None = None
    parameters: dict[str, Any] = {}
    account: dict[str, Any] = {}


class _Section(_Override):
    strategy: str | None = None
    enabled: bool | None = None
    symbols: dict[str, _Override] = {}


def read_lineup(user_folder: Path | None = None, file: Path | None = None) -> Mapping[str, Entry]:
    return lineup_of(_text(file), file, user_folder)


def lineup_of(text: str, file: Path | None, user_folder: Path | None) -> Mapping[str, Entry]:
    """The lineup as it is under such a `strategies.toml`."""
    names = strategy_names(user_folder)
    sections = _sections(file, text, names)
    for name in names:
        sections.setdefault(name, _Section())
    entries = [
        _entry(file, name, section, user_folder)
        for name, section in sorted(sections.items())
        if _is_enabled(section, name, user_folder)
    ]
    return MappingProxyType({entry.name: entry for entry in entries})


def _is_enabled(section: _Section, name: str, user_folder: Path | None) -> bool:
    """A second set is written down to run; a strategy's file says so for itself."""
    if section.enabled is not None:
        return section.enabled
    return bool(section.strategy) or find_strategy(name, user_folder).enabled


def _sections(file: Path | None, text: str, names: list[str]) -> dict[str, _Section]:
    sections: dict[str, _Section] = {}
    for name, facts in _tables(file, text).items():
        try:
            section = _Section.model_validate(facts)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, (name, *first["loc"])))
            raise BadLineupError(file=file, reason=f"{place}: {worded(first['msg'])}") from None
        if name in names and section.strategy not in (None, name):
            raise BadLineupError(file=file, reason=f"{name} is a strategy's own name; name its other set otherwise")
        if name not in names and section.strategy is None:
            hint = nearest(name, names)
            raise BadLineupError(file=file, reason=f'{name} is no strategy{hint}; say which: strategy = "sma_cross"')
        if not _NAME.fullmatch(name):
            raise BadLineupError(file=file, reason=f"{name!r} may hold lower-case letters, digits and _ only")
        sections[name] = section
    return sections


def _text(file: Path | None) -> str:
    try:
        return file.read_text(encoding="utf-8") if file and file.is_file() else ""
    except (UnicodeDecodeError, OSError) as error:
        raise BadLineupError(file=file, reason=str(error).split("\n", 1)[0]) from error


def _tables(file: Path | None, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadLineupError(file=file, reason=str(error).split("\n", 1)[0]) from error


def _entry(file: Path | None, name: str, section: _Section, user_folder: Path | None) -> Entry:
    kind = section.strategy or name
    try:
        source = source_file(kind, user_folder)
        strategy, account = _as_told(kind, user_folder, [section])
        symbols = {
            Market.parse(symbol): _as_told(kind, user_folder, [section, override])
            for symbol, override in section.symbols.items()
        }
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, (name, "account", *first["loc"])))
        raise BadLineupError(file=file, reason=f"{place}: {worded(first['msg'])}") from None
    except CoinhtsError as error:
        if section == _Section():
            raise
        raise BadLineupError(file=file, reason=f"[{name}] {error}") from error
    return Entry(name, strategy, account, source, symbols)


def _as_told(kind: str, user_folder: Path | None, overrides: list[_Override]) -> tuple[Strategy, Account]:
    """Each override on top of the one before."""
    parameters: dict[str, Any] = {}
    account: dict[str, Any] = {}
    for override in overrides:
        parameters |= {"timeframe": override.timeframe} if override.timeframe else {}
        parameters |= override.parameters
        account |= override.account
    return load(kind, user_folder, **parameters), Account(**account)
