"""Locks on files, which the kernel gives back however a process ends.

What lives here: taking one, alone or together with others, never waiting for ever. What stays out: what a
lock means; that is told where it is taken.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from pathlib import Path

from coinhts_core.errors import RetryableError

_PATIENCE_S = 90.0


@contextmanager
def if_free(path: Path) -> Iterator[int | None]:
    """Take the lock unless somebody holds it; a process that inherits the descriptor keeps the lock."""
    descriptor = _open(path)
    try:
        yield descriptor if _try(descriptor, LOCK_EX) else None
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    with _held(path, LOCK_EX):
        yield


@contextmanager
def together(path: Path) -> Iterator[int]:
    """Take a lock that many may hold at once; `is_last` tells when one's own is the only one."""
    with _held(path, LOCK_SH) as descriptor:
        yield descriptor


def is_last(descriptor: int) -> bool:
    """Give the shared lock up, and say whether it was the last; if so it is now held alone."""
    return _try(descriptor, LOCK_EX)


@contextmanager
def _held(path: Path, kind: int) -> Iterator[int]:
    descriptor = _open(path)
    try:
        _wait(descriptor, kind, path)
        yield descriptor
    finally:
        # A forked child shares the descriptor: closing ours alone would leave the lock with the child.
        flock(descriptor, LOCK_UN)
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _wait(descriptor: int, kind: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not _try(descriptor, kind):
        if time.monotonic() > deadline:
            raise RetryableError(what=f"the process that holds {path}")
        time.sleep(0.02)


def _try(descriptor: int, kind: int) -> bool:
    try:
        flock(descriptor, kind | LOCK_NB)
    except BlockingIOError:
        return False
    return True
