"""Processes that answer requests, kept warm: who is free, who is at what, and what they say.

What lives here: `Pool`. What stays out: a process itself (`requests.worker`), and what becomes of a request
(`requests.run`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from select import select
from types import TracebackType
from typing import Any, Self

from coinhts_core.requests.desk import Claim, Verdict
from coinhts_pipeline.requests.worker import Lines

_MODULE = "coinhts_pipeline.requests.worker"
_GONE = Verdict("again", "the process that answered it is gone")
_FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_PATIENCE_S = 5


@dataclass(frozen=True)
class Limits:
    """What one request may take."""

    seconds: int = 600
    memory_mb: int = 2_048


@dataclass(frozen=True)
class Told:
    """How far a request is."""

    claim: Claim
    progress: float
    step: str


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, and the figures of an answer."""

    claim: Claim
    verdict: Verdict
    figures: dict[str, Any]


class _Worker:
    """One process, and what it is at."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **_FEW_THREADS},
        )
        self.claim: Claim | None = None
        self._lines = Lines()

    def fileno(self) -> int:
        return self.process.stdout.fileno() if self.process.stdout else -1

    def order(self, **words: Any) -> None:
        """One that is gone does not hear it; that is noticed when it is listened to."""
        with suppress(BrokenPipeError):
            if self.process.stdin:
                self.process.stdin.write(json.dumps(words).encode() + b"\n")

    def words(self) -> list[dict[str, Any]] | None:
        """None when it will say nothing any more."""
        piece = os.read(self.fileno(), 65_536)
        return self._lines.of(piece) if piece else None

    def end(self) -> None:
        """It ends its child, too, when nobody speaks to it any more."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        try:
            self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Pool:
    """As many processes as are wanted; one that died is replaced when there is something to do."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._limits = limits
        self._workers = [_Worker() for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()

    @property
    def free(self) -> int:
        return sum(worker.claim is None for worker in self._workers)

    def begin(self, claim: Claim) -> None:
        worker = next(of for of in self._workers if of.claim is None)
        worker.claim = claim
        limits = {"seconds": self._limits.seconds, "memory_mb": self._limits.memory_mb}
        worker.order(do="answer", id=claim.id, asked=dict(claim.asked), **limits)

    def stop(self, claim: Claim) -> None:
        """Whoever is at it is made to stop; that it did is heard like any other end."""
        for worker in self._workers:
            if worker.claim == claim:
                worker.order(do="stop")

    def heard(self, wait_s: float) -> Iterator[Told | Ended]:
        """What is said within a while."""
        ready, _, _ = select(self._workers, [], [], wait_s)
        for worker in ready:
            words = worker.words()
            if words is None:
                self._workers[self._workers.index(worker)] = _Worker()
                worker.end()
                if worker.claim:
                    yield Ended(worker.claim, _GONE, {})
                continue
            for word in words:
                if worker.claim:
                    yield self._understood(worker, worker.claim, word)

    def _understood(self, worker: _Worker, claim: Claim, word: dict[str, Any]) -> Told | Ended:
        if "told" in word:
            progress, step = word["told"]
            return Told(claim, float(progress), str(step))
        worker.claim = None
        return Ended(claim, Verdict(word["end"], word.get("reason")), word.get("figures", {}))
