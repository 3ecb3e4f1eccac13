"""An exception that is one sentence, and keeps the facts it tells.

What lives here: how a sentence is filled, read and sent to another process. What stays out: the sentences (`errors`).
"""

from string import Formatter
from typing import Any, ClassVar

from coinhts_core.wording import clipped


class SpokenError(Exception):
    """Built with exactly the facts that its sentence names."""

    sentence: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        wanted = {name for _, name, _, _ in Formatter().parse(self.sentence) if name}
        if wanted != facts.keys():
            missing = ", ".join(sorted(wanted.symmetric_difference(facts)))
            msg = f"{type(self).__name__} is built with exactly its facts; check: {missing}"
            raise TypeError(msg)
        self.facts = facts
        super().__init__(self.sentence.format(**{name: clipped(fact) for name, fact in facts.items()}))

    def __getattr__(self, name: str) -> Any:
        facts: dict[str, object] = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.facts)


def _rebuild(kind: type[SpokenError], facts: dict[str, object]) -> SpokenError:
    return kind(**facts)
