"""Which commits exist: markers created once, listed, and read through a memory of what never changes.

What lives here: `Journal`. What stays out: what a commit says (`commits`), and the rows it names (`lake`).
"""

from functools import lru_cache
from itertools import pairwise

from coinhts_core.errors import DamagedObjectError
from coinhts_core.lake.commits import Commit, Folder, locate
from coinhts_core.lake.store import Store

_MARKERS_REMEMBERED = 4_096


class Journal:
    """All folders' lines of commits; the highest number of a line is its head."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._remembered = lru_cache(maxsize=_MARKERS_REMEMBERED)(self._read)

    def heads(self, prefix: str) -> dict[Folder, Commit]:
        """Every folder's head under a prefix, by one listing."""
        return {folder: self.at(folder, *max(versions.items())) for folder, versions in self._listed(prefix).items()}

    def folders(self, prefix: str | None) -> list[Folder]:
        """Every folder with a commit under a prefix, or anywhere, in the order of their paths."""
        return sorted(self._listed(prefix), key=lambda folder: folder.path)

    def head(self, folder: Folder) -> Commit | None:
        return self.heads(folder.path).get(folder)

    def create(self, folder: Folder, commit: Commit) -> bool:
        """Say whether the number is ours, also when an answer was lost and a retry met our own marker."""
        path, text = folder.marker(commit.number), commit.to_text()
        return self._store.create(path, text) or bytes(self._store.get(path) or b"") == text

    def continues(self, folder: Folder, commit: Commit) -> bool:
        """Whether the head came out of this very commit; a number swept and taken again is a dead end."""
        versions = self._listed(folder.path).get(folder, {})
        line = [
            self.at(folder, number, version) for number, version in sorted(versions.items()) if number >= commit.number
        ]
        is_linked = all(child.parent_digest == parent.digest for parent, child in pairwise(line))
        return line[:1] == [commit] and is_linked

    def at(self, folder: Folder, number: int, version: str) -> Commit:
        return self._remembered(folder, number, version)

    def _listed(self, prefix: str | None) -> dict[Folder, dict[int, str]]:
        folders: dict[Folder, dict[int, str]] = {}
        for listed in self._store.listed(prefix):
            place = locate(listed.path)
            if place and place.is_marker:
                folders.setdefault(place.folder, {})[place.number] = listed.version
        return folders

    def _read(self, folder: Folder, number: int, version: str) -> Commit:  # noqa: ARG002 a name given again to other bytes has another version
        path = folder.marker(number)
        name = self._store.full_name(path)
        content = self._store.get(path)
        if content is None:
            raise DamagedObjectError(path=name, reason="it is missing")
        commit = Commit.from_text(bytes(content), name)
        if not commit.belongs_to(folder, number):
            raise DamagedObjectError(path=name, reason="it is the commit of another place")
        return commit
