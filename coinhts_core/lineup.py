"""The lineup: which strategies run, under which name, with which knobs and account.

What lives here: `read_lineup`. Every discovered strategy whose file says `enabled = True` is in it under its
own name. What stays out: the strategies themselves (`strategies`) and what they decided (`signals`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc
from pathlib import Path
from types import MappingProxyType

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.chain import Terms
from coinhts_core.code_version import code_version, core_file
from coinhts_core.strategies import Strategy, load, source_file, strategy_names


@dataclass(frozen=True)
class Entry:
    """One strategy as it runs: the name its assets carry, its knobs, its account, its code."""

    name: str
    strategy: Strategy
    account: Account
    source: Path

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


def read_lineup(user_folder: Path | None = None) -> Mapping[str, Entry]:
    strategies = {name: load(name, user_folder) for name in strategy_names(user_folder)}
    return MappingProxyType(
        {
            name: Entry(name, strategy, Account(), source_file(name, user_folder))
            for name, strategy in strategies.items()
            if strategy.enabled
        }
    )
