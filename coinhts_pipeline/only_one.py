"""One `coinhts up` a home, and nothing beside it that it must not see: a locked file with the holder's number.

What lives here: `only_one`. What stays out: asking whether somebody holds it (`health.home`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from coinhts_core.errors import AlreadyUpError


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    with (home / "up.lock").open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise AlreadyUpError(home=home, pid=lock.read().strip() or "unknown") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
