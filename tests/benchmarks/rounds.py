"""Rounds: contestants called in turn on the same candles, fresh ones each round, once they agree on the outcome.

What lives here: the order of calls, and what counts as clean. What stays out: what they are asked (`engines`, `house`),
whether they agree (`agreement`), and the clock, which each has on its own side (`at_work`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.benchmarks.agreement import same
from tests.benchmarks.contestants import Contestant
from tests.peers.workloads import minutes

ROUNDS = 5
_ON_A_CORE, _OTHERS = 0.92, 0.08
_ENOUGH = 3


@dataclass(frozen=True)
class Asked:
    """What one contestant is asked; `threads` says how many cores it may use."""

    of: str
    task: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1


@dataclass(frozen=True)
class Timed:
    """How long a call took: the median of the clean rounds, or of all where few were clean."""

    seconds: float
    clean: int
    rounds: int
    answers: Sequence[Mapping[str, float]] = ()

    @classmethod
    def of(cls, answers: Sequence[Mapping[str, float]], threads: int) -> "Timed":
        clean = [answer for answer in answers if _is_clean(answer, threads)]
        used = clean if len(clean) >= _ENOUGH else answers
        return cls(median(answer["seconds"] for answer in used), len(clean), len(answers), answers)

    def times_as_fast_as(self, other: "Timed") -> float:
        return other.seconds / self.seconds


@dataclass(frozen=True)
class Candles:
    """How many, in how many equal parts."""

    count: int
    parts: int = 1

    @contextmanager
    def fresh(self, round_: int) -> Iterator[Path]:
        """Columns as files, of a walk that no round before had."""
        with TemporaryDirectory(prefix="coinhts-bench-") as folder:
            frame = minutes(self.count, seed=7 + round_)
            for name in frame.columns:
                np.save(Path(folder) / f"{name}.npy", frame[name].to_physical().to_numpy())
            yield Path(folder)


def in_turn(asked: Mapping[str, Asked], candles: Candles, *, agree: Callable[..., None] = same) -> dict[str, Timed]:
    """Time each of the asked; `ours` must agree with all others on the first round's candles, or nothing is timed."""
    answers: dict[str, list[Mapping[str, float]]] = {name: [] for name in asked}
    again: dict[str, int] = {}
    with ExitStack() as stack:
        contestants = {name: stack.enter_context(Contestant.begin(of.of)) for name, of in asked.items()}
        for round_ in range(ROUNDS):
            with candles.fresh(round_) as folder:
                for name, of in asked.items():
                    question = {"task": of.task, "folder": str(folder), "parts": candles.parts, **of.knobs}
                    contestants[name].ask(do="prepare", **question)
                if round_ == 0:
                    told = {name: contestant.ask(do="tell") for name, contestant in contestants.items()}
                    again = {name: answer["again"] for name, answer in told.items()}
                    agree(**{name: answer["told"] for name, answer in told.items()})
                for name, contestant in contestants.items():
                    answers[name].append(contestant.ask(do="call", again=again[name]))
    return {name: Timed.of(answers[name], of.threads) for name, of in asked.items()}


def _is_clean(answer: Mapping[str, float], threads: int) -> bool:
    """One thread was on a core nearly all the time; or, with several, nobody else used much of the machine."""
    return answer["on_a_core"] > _ON_A_CORE if threads == 1 else answer["others"] < _OTHERS
