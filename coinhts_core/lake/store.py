"""What the lake asks of the place it lies in: named bytes that are created once, read, listed and removed.

What lives here: the promises. What to add: nothing; another kind of place is a file of its own that keeps them, such as
`directory` and `s3`, and a line in `places`. What stays out: what the bytes mean (`commits`, `parquet`).

The promises: `create` makes the whole content durable before its name appears, never replaces a name and leaves no
half of anything; nothing outside the place is touched, whatever a path says; foreign exceptions end here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

UNFINISHED = ".unfinished"  # where contents get their names last, until then they end so


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing tells of a name; `version` differs once other bytes were given the name."""

    path: str
    size: int
    modified_at: datetime
    version: str


class Store(Protocol):
    """A place that keeps named bytes."""

    def full_name(self, path: str) -> str:
        """Where a path lies, for people."""

    def create(self, path: str, content: bytes) -> bool:
        """Say whether the name is now ours; when it was taken, nothing changed."""

    def get(self, path: str) -> memoryview | None:
        """Give the bytes without a copy, or None where there is no such name."""

    def listed(self, prefix: str | None = None) -> Iterator[Listed]:
        """Give everything below a prefix, which ends where a name between two slashes ends."""

    def remove(self, path: str) -> None:
        """Make sure that there is no such name."""

    def remove_unfinished(self, before: datetime) -> list[Listed]:
        """Remove what killed writers left of contents that never got their name."""
