"""What a check of the doctor says: its state, one sentence, and what to do.

What lives here: `Finding`, `Trouble` and `diagnosed`, which lets a check fail, crash or hang and harm no other; `Begun`
is for several looks at once. What stays out: what is checked (`machine`, `home`, `places`, `ledger`, `stored`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Thread

from coinhts_core.errors import CoinhtsError
from coinhts_core.ops.health import Judged, Status
from coinhts_core.wording import clipped

_PATIENCE_S = 4.0


class State(StrEnum):
    """How a check ended; only a failed one makes the doctor fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Finding:
    """One check: its state, what was found with what to do about it in one sentence, and the latter by itself."""

    check: str
    state: State
    found: str
    to_do: str = ""

    @property
    def is_well(self) -> bool:
        return self.state is not State.FAILED


@dataclass(frozen=True)
class Trouble:
    """Something that is not as it should be, and what to do; a warning unless it is said to be worse."""

    what: str
    to_do: str
    state: State = State.WARNING


Look = Callable[[], str | Trouble]


def said(judged: Judged) -> str | Trouble:
    """What was judged elsewhere, as a look gives it back."""
    if judged.status is Status.HEALTHY:
        return judged.reason
    return Trouble(judged.reason, judged.to_do, State.WARNING if judged.status is Status.WARNING else State.FAILED)


def diagnosed(
    check: str, look: Look, to_do: str, patience_s: float | None = None, *, when_late: State = State.FAILED
) -> Finding:
    """`to_do` is for whatever the look does not say what to do about; late is also who has much to look through."""
    return Begun(check, look, to_do).found(patience_s or _PATIENCE_S, when_late)


class Begun:
    """A look that is being taken. One that hangs is left behind: its thread ends with the process."""

    def __init__(self, check: str, look: Look, to_do: str) -> None:
        self._check = check
        self._to_do = to_do
        self._began = time.monotonic()
        self._took_s: float | None = None
        self.has_told = False
        self._answers: SimpleQueue[str | Trouble | Exception] = SimpleQueue()
        Thread(target=self._take, args=(look,), daemon=True).start()

    @property
    def seconds(self) -> float:
        """How long it took, or takes so far."""
        return time.monotonic() - self._began if self._took_s is None else self._took_s

    @property
    def has_ended(self) -> bool:
        return self._took_s is not None

    def found(self, patience_s: float, when_late: State = State.FAILED) -> Finding:
        """To be asked again only until it has told; the patience counts from its beginning."""
        try:
            seen = self._answers.get(timeout=max(self._began + patience_s - time.monotonic(), 0.0))
            self.has_told = True
        except Empty:
            seen = Trouble(f"it did not answer within {patience_s:.3g} s", self._to_do, when_late)
        if isinstance(seen, str):
            return Finding(self._check, State.OK, seen)
        trouble = seen if isinstance(seen, Trouble) else _trouble_of(seen, self._to_do)
        sentence = f"{clipped(trouble.what, longest=1_000)}; {trouble.to_do}"
        return Finding(self._check, trouble.state, sentence, trouble.to_do)

    def _take(self, look: Look) -> None:
        answer = _tried(look)
        self._took_s = time.monotonic() - self._began
        self._answers.put(answer)


def _tried(look: Look) -> str | Trouble | Exception:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a check that crashes is a finding, too
        return error


def _trouble_of(error: Exception, to_do: str) -> Trouble:
    """A crash is told by its kind alone: its words are not ours and may hold what is secret."""
    if isinstance(error, CoinhtsError):
        return _refusal(error, to_do)
    return Trouble(f"the check itself broke ({type(error).__name__})", to_do, State.FAILED)


def _refusal(error: CoinhtsError, to_do: str) -> Trouble:
    """Most of our sentences end with what to do; the end is looked for in the sentence, not in the facts it tells."""
    words, end = str(error), type(error).sentence.rpartition("; ")[2]
    advice = end.format(**{name: clipped(fact) for name, fact in error.facts.items()})
    advice = str(error.facts.get("hint") or f"; {advice}")
    if advice.startswith("; ") and words.endswith(advice):
        return Trouble(words.removesuffix(advice), advice.removeprefix("; "), State.FAILED)
    return Trouble(words, to_do, State.FAILED)
