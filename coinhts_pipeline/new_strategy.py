"""A new strategy: a file that works and wants to be changed.

What lives here: its text, and where it is put. What stays out: what a strategy is (`coinhts_core.strategies`).
"""

import re
from pathlib import Path

from coinhts_core.errors import RefusedError
from coinhts_core.strategies import strategy_names

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)
_TEXT = '''"""{title}."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from coinhts_core.candles.bars import Bars
from coinhts_core.strategies import ENTER, LEAVE, Decisions, Strategy


class {kind}(Strategy):
    """Enter after some rising closes in a row, leave at the first falling one."""

    enabled: ClassVar[bool] = True

    streak: int = Field(default=3, ge=1, le=50, description="rising closes in a row")

    @property
    def warmup(self) -> int:
        return self.streak

    def decide(self, bars: Bars) -> Decisions:
        decisions = np.zeros(len(bars), dtype=np.int8)
        rises = np.diff(bars.close, prepend=bars.close[:1]) > 0
        decisions[~rises] = LEAVE
        runs = np.convolve(rises, np.ones(self.streak))[: len(bars)]
        decisions[runs >= self.streak] = ENTER
        return decisions
'''


def write_strategy(folder: Path, name: str) -> Path:
    """The file, which must not be there yet."""
    if not _NAME.fullmatch(name):
        raise RefusedError(reason=f"{name!r} is no name for a strategy; use lower-case letters, digits and _")
    if name in strategy_names(folder):
        raise RefusedError(reason=f"there is a strategy {name} already; choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    words = name.split("_")
    with file.open("x", encoding="utf-8") as new:
        new.write(_TEXT.format(title=" ".join(words).capitalize(), kind="".join(word.capitalize() for word in words)))
    return file
