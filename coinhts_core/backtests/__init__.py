"""Backtests: an account, the fold over its days, their chain, and the figures of the outcome.

    from coinhts_core.backtests import Account, run, sweep

Each name is imported when it is first asked for: a stored day stands on the code it needs, and not on reports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coinhts_core.backtests.account import Account
    from coinhts_core.backtests.runs import Result, run
    from coinhts_core.backtests.sweeps import sweep

__all__ = ["Account", "Result", "run", "sweep"]
_HOMES = {"Account": "account", "Result": "runs", "run": "runs", "sweep": "sweeps"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
