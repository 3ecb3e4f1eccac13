"""How far a long piece of work has come, told to whoever waits for it.

What lives here: counting. What stays out: showing it, which is the terminal's or a run's.
"""

from threading import Lock
from typing import Protocol


class Progress(Protocol):
    """Is told what is done next, and how much of how much is done."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


class Steps:
    """Counts what is done of what there is to do, as far as that is known by now."""

    def __init__(self, progress: Progress | None, total: int = 0) -> None:
        self._progress = progress
        self._done = 0
        self._telling = Lock()
        self.total = total

    def __call__(self, step: str) -> None:
        with self._telling:
            self._done += 1
            if self._progress:
                self._progress(step, self._done, max(self.total, self._done))
