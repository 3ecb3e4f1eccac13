"""Who may work among the backups of a house at once: any number take them, or one removes them.

What lives here: the lock. What stays out: houses that share a place; there the two days' grace has to do (`pruning`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coinhts_core.ledger.locks import alone, together
from coinhts_core.settings import Settings, usable_home


@contextmanager
def taking(settings: Settings) -> Iterator[None]:
    """Nobody removes anything meanwhile; who does is waited for, though not for ever."""
    with together(_lock(settings)):
        yield


@contextmanager
def removing(settings: Settings) -> Iterator[None]:
    """Nobody takes a backup meanwhile."""
    with alone(_lock(settings)):
        yield


def _lock(settings: Settings) -> Path:
    return usable_home(settings) / "backups.lock"
