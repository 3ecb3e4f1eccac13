"""What a look over the house came to: so many things, of so many bytes, and some of them by name.

What lives here: `Tidied`. What stays out: looking and putting away (the other rooms here).

Every function of this room takes `only_looks`: what it tells then is what it does otherwise, for it finds first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

_SHOWN = 20


@dataclass(frozen=True)
class Tidied:
    """How many went, or would; the bytes are those that are counted, which a database gives back only to itself."""

    count: int
    size: int = 0
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, sizes: dict[str, int]) -> "Tidied":
        """Named things and their bytes."""
        return cls(len(sizes), sum(sizes.values()), tuple(sizes)[:_SHOWN])

    @classmethod
    def named(cls, names: Collection[str]) -> "Tidied":
        """Things whose bytes nobody counts."""
        return cls(len(names), 0, tuple(names)[:_SHOWN])

    @property
    def facts(self) -> dict[str, Any]:
        return {"count": self.count, "bytes": self.size, "names": list(self.names)}
