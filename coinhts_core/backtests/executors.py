"""Executors: who works on the parts of a sweep.

What lives here: `Executor`, and `Threads`, the one that ships. What to add: another one, such as of a cluster, as a
class with the same method; a part and its answer hold plain data, and each answer depends on its part alone. What stays
out: what a part is (`sweeps`).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

Part = TypeVar("Part")
Answer = TypeVar("Answer")


class Executor(Protocol):
    """Works on parts, in any order and any number at a time."""

    def answers(self, work: Callable[[Part], Answer], parts: Sequence[Part]) -> Iterator[Answer]:
        """The answers, in the order of the parts."""


class Threads:
    """Some threads of this process: compiled loops run beside one another. As many as there are cores, if not said."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count or len(os.sched_getaffinity(0))

    def answers(self, work: Callable[[Part], Answer], parts: Sequence[Part]) -> Iterator[Answer]:
        if self.count == 1 or len(parts) == 1:
            yield from map(work, parts)
            return
        with ThreadPoolExecutor(self.count) as pool:
            yield from pool.map(work, parts)
