"""Bytes that backups share, each kept once under what it hashes to.

What lives here: putting one there, and reading it back proved. What stays out: whose bytes they are (`heads`, `files`).
"""

from collections.abc import Callable
from hashlib import sha256
from threading import Lock

from coinhts_core.backups.manifest import Entry
from coinhts_core.backups.shelf import OBJECTS
from coinhts_core.errors import DamagedObjectError
from coinhts_core.lake.store import Store

Load = Callable[[], memoryview | None]


class Objects:
    """The shared bytes of one place; what was new is counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counting = Lock()
        self._proved: set[str] = set()
        self.new = 0
        self.new_bytes = 0

    def keep(self, entry: Entry, load: Load) -> None:
        """Have the bytes here, read back and hashed; loaded only where they are not, or not as they were."""
        if entry.sha256 in self._proved or self.is_whole(entry):
            self._proved.add(entry.sha256)
            return
        content = load()
        if content is None:
            raise DamagedObjectError(path=entry.path, reason="it is missing")
        if sha256(content).hexdigest() != entry.sha256:
            raise DamagedObjectError(path=entry.path, reason="its bytes are not those that were published")
        self._put(entry, bytes(content))
        with self._counting:
            self._proved.add(entry.sha256)
            self.new += 1
            self.new_bytes += entry.size

    def _put(self, entry: Entry, content: bytes) -> None:
        is_new = self._store.create(_path(entry), content)
        if not is_new and not self.is_whole(entry):  # what lies there is damaged, and good bytes are at hand
            self._store.remove(_path(entry))
            self._store.create(_path(entry), content)
        if not self.is_whole(entry):
            raise DamagedObjectError(path=self._store.full_name(_path(entry)), reason="it arrived otherwise than sent")

    def is_whole(self, entry: Entry) -> bool:
        content = self._store.get(_path(entry))
        return content is not None and len(content) == entry.size and sha256(content).hexdigest() == entry.sha256

    def get(self, entry: Entry) -> memoryview | None:
        """The bytes if they are what they were; None also for what is missing."""
        content = self._store.get(_path(entry))
        return content if content is not None and sha256(content).hexdigest() == entry.sha256 else None


def _path(entry: Entry) -> str:
    return f"{OBJECTS}/{entry.sha256}"
