"""A bell that any process rings in the ledger, heard on a connection of its own.

What lives here: hearing it. What stays out: what it is rung for, and ringing it, which is a statement like any other.
"""

import logging
from select import select
from threading import Lock, Thread
from typing import LiteralString

import psycopg

from coinhts_core.errors import LedgerUnreachableError
from coinhts_core.ledger.connection import connect

_log = logging.getLogger("coinhts.ledger")


class Bell:
    """Counts its rings for as long as it hears them; a connection that is lost is not missed in silence."""

    def __init__(self, url: str, hear: LiteralString) -> None:
        self._url = url
        self._hear = hear
        self._rung = 0
        self._hears = False
        self._listener: Thread | None = None
        self._beginning = Lock()

    def rung(self) -> int | None:
        """A number that moved if it may have rung since; None while nobody listens, as in a forked process."""
        is_heard = self._hears and self._listener is not None and self._listener.is_alive()
        return self._rung if is_heard else None

    def listen(self) -> None:
        """Begin soon, in a thread that ends with the connection; nothing when it listens already."""
        with self._beginning:
            if self._listener is None or not self._listener.is_alive():
                self._listener = Thread(target=self._listened, name="bell", daemon=True)
                self._listener.start()

    def _listened(self) -> None:
        try:
            with connect(self._url) as connection:
                connection.execute(self._hear)
                self._rung += 1  # whoever asked before may have missed a ring
                self._hears = True
                while select([connection], [], []):
                    self._rung += sum(1 for _ in connection.notifies(timeout=0))
        except (psycopg.OperationalError, LedgerUnreachableError) as error:
            _log.info("changes are asked for until they can be heard again: %s", str(error).partition("\n")[0])
        finally:
            self._hears = False
