"""Strategies: one file, one strategy, found by its name.

What lives here: the base class and the door, `load`. What to add: a file in this package or in
COINHTS_HOME/strategies holding one class derived from `Strategy`; nothing else needs an edit. What stays out:
state, I/O and money; a strategy only looks at bars and decides.

    class SmaCross(Strategy):
        '''What the asset's page shows.'''
        fast: int = Field(10, ge=1)
        ...
        def decide(self, bars: Bars) -> Decisions: ...

A decision stands at each bar's close: 1 enter, -1 leave, 0 nothing. The law: decisions over a prefix of the
bars are the prefix of the decisions (`laws`).
"""

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from coinhts_core.candles.bars import Bars
from coinhts_core.discovery import load_from_file, load_from_package, names_in
from coinhts_core.errors import BadParameterError, DiscoveryError, UnknownStrategyError
from coinhts_core.hashes import Fact
from coinhts_core.markets import Timeframe
from coinhts_core.wording import nearest, worded

Decisions = NDArray[np.int8]
Notes = Mapping[str, Sequence[str | float | int | None]]
ENTER, LEAVE, NOTHING = 1, -1, 0
ALL_OF_THEM = "parameters"  # what is refused where knobs do not go together

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)


class Strategy(BaseModel, ABC):
    """A frozen set of knobs and one method that decides.

    `is_windowed` says that a decision depends on the last `warmup` bars alone and on nothing before, down to the
    last bit: then all bars are decided in one pass. Else each day is decided from its own window's first bar on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: ClassVar[bool] = False
    is_windowed: ClassVar[bool] = False

    timeframe: Timeframe = Timeframe.H1

    @property
    @abstractmethod
    def warmup(self) -> int:
        """How many bars before a day the decisions of that day may look at."""

    @property
    def ready_after(self) -> int:
        """How many bars must stand before one that decides anything."""
        return self.warmup

    @property
    def looks_at(self) -> Mapping[Timeframe, int]:
        """Longer timeframes that stand beside the bars (`bars.beside`), and the warm-up of each."""
        return {}

    @property
    def hold_bars(self) -> int | None:
        """After how many bars an account leaves, whatever is decided; None while decisions alone count."""
        return None

    @property
    def crossing(self) -> tuple[Hashable, Hashable] | None:
        """The two lines that are all it decides by, if so: it enters when one rises above the other, and leaves below.

        A sweep then draws each line once for all that look at it, and asks `decide` only where two come too close.
        """
        return None

    @classmethod
    def draw(cls, bars: Bars, lines: Sequence[Any], rows: NDArray[np.float64]) -> float:
        """Write each line into its row, a number a bar; tell how far from the truth one may be, 0 for what is exact.

        All that a line is made of stands in its name, and in the `warmup` bars before each.
        """
        msg = f"{cls.__name__} names the lines of its `crossing` and draws none; give it a `draw`, or no `crossing`"
        raise NotImplementedError(msg)

    @abstractmethod
    def decide(self, bars: Bars) -> Decisions:
        """One decision a bar, each knowing only the bars up to its own."""

    def explain(self, bars: Bars, rows: NDArray[np.intp]) -> Notes:
        """What there is to say of bars in which something was decided: a column a note, `confidence` among them."""
        del bars, rows
        return {}

    def parameters(self) -> dict[str, Fact]:
        """What tells this set of knobs from another, as facts for an identity."""
        return self.model_dump(mode="json")


def strategy_names(user_folder: Path | None = None) -> list[str]:
    own, shipped = _user_files(user_folder), names_in(sys.modules[__name__])
    for name in own.keys() & set(shipped):
        raise DiscoveryError(file=own[name], reason="a strategy of that name is shipped; rename the file")
    return sorted([*shipped, *own])


def source_file(name: str, user_folder: Path | None = None) -> Path:
    names = strategy_names(user_folder)
    if name not in names:
        raise UnknownStrategyError(name=name, hint=nearest(name, names))
    return _user_files(user_folder).get(name, Path(__file__).with_name(f"{name}.py"))


def find_strategy(name: str, user_folder: Path | None = None) -> type[Strategy]:
    file = source_file(name, user_folder)
    if file.parent == Path(__file__).parent:
        return load_from_package(sys.modules[__name__], name, Strategy)  # type: ignore[type-abstract]
    return load_from_file(file, Strategy)  # type: ignore[type-abstract]


def load(name: str, user_folder: Path | None = None, **parameters: Any) -> Strategy:
    kind = find_strategy(name, user_folder)
    try:
        return kind(**parameters)
    except ValidationError as error:
        raise refusal(kind, error) from None


def name_of(kind: type[Strategy]) -> str:
    return kind.__module__.rpartition(".")[2]


def _user_files(folder: Path | None) -> dict[str, Path]:
    files: Iterable[Path] = folder.glob("*.py") if folder else ()
    own = {file.stem: file for file in sorted(files) if not file.name.startswith("_")}
    for name, file in own.items():
        if not _NAME.fullmatch(name):
            raise DiscoveryError(file=file, reason="its name may hold lower-case letters, digits and _ only")
    return own


def refusal(kind: type[Strategy], error: ValidationError) -> BadParameterError:
    """Which knob a strategy does not take, and why."""
    first = error.errors(include_url=False)[0]
    parameter = str(first["loc"][0]) if first["loc"] else ALL_OF_THEM
    reason = worded(first["msg"])
    if first["type"] == "extra_forbidden":
        reason = f"it takes {', '.join(sorted(kind.model_fields))}{nearest(parameter, kind.model_fields)}"
    return BadParameterError(strategy=name_of(kind), parameter=parameter, value=first["input"], reason=reason)
