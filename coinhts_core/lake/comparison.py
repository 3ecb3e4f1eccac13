"""Two lakes side by side: what one has and the other has not, or has otherwise.

What lives here: `Comparison`. What stays out: making them equal; names are created once, so whoever copies what is
missing cannot spoil what is there.
"""

from hashlib import sha256

from coinhts_core.lake.store import Store


class Comparison:
    """Names by one listing of each place; bytes, of those of one size, when asked for."""

    def __init__(self, here: Store, there: Store) -> None:
        self._here, self._there = here, there
        ours, theirs = ({found.path: found.size for found in store.listed()} for store in (here, there))
        self.missing = sorted(ours.keys() - theirs.keys())
        self.extra = sorted(theirs.keys() - ours.keys())
        shared = sorted(ours.keys() & theirs.keys())
        self.of_one_size = [path for path in shared if ours[path] == theirs[path]]
        self.different = {
            path: f"{ours[path]} bytes here, {theirs[path]} there" for path in shared if ours[path] != theirs[path]
        }

    def read(self, path: str) -> None:
        """Read a name's bytes in both places, and note where they differ."""
        ours, theirs = (_hash(store, path) for store in (self._here, self._there))
        if ours != theirs:
            self.different[path] = f"{ours} here, {theirs} there"

    @property
    def alike(self) -> int:
        return len(set(self.of_one_size) - self.different.keys())

    @property
    def is_alike(self) -> bool:
        return not (self.missing or self.extra or self.different)


def _hash(store: Store, path: str) -> str:
    content = store.get(path)
    return "nothing any more" if content is None else f"sha-256 {sha256(content).hexdigest()}"
