"""What a check of the doctor says: its state, one sentence, and what to do.

What lives here: `Finding`, `Trouble` and `diagnosed`, which lets a check fail, crash or hang and harm no other.
What stays out: what is checked (`machine`, `home`, `places`, `ledger`, `stored`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Thread

from coinhts_core.errors import CoinhtsError
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


def diagnosed(
    check: str, look: Look, to_do: str, patience_s: float | None = None, *, when_late: State = State.FAILED
) -> Finding:
    """`to_do` is for whatever the look does not say what to do about; late is also who has much to look through."""
    patience_s = patience_s or _PATIENCE_S
    seen = _in_time(look, patience_s)
    if isinstance(seen, str):
        return Finding(check, State.OK, seen)
    if isinstance(seen, _LateError):
        seen = Trouble(f"it did not answer within {patience_s:g} s", to_do, when_late)
    trouble = seen if isinstance(seen, Trouble) else _trouble_of(seen, to_do)
    sentence = f"{clipped(trouble.what, longest=1_000)}; {trouble.to_do}"
    return Finding(check, trouble.state, sentence, trouble.to_do)


class _LateError(Exception):
    """A look that hangs, or has much to do."""


def _in_time(look: Look, patience_s: float) -> str | Trouble | Exception:
    """A look that hangs is left behind; its thread ends with the process."""
    answers: SimpleQueue[str | Trouble | Exception] = SimpleQueue()
    Thread(target=lambda: answers.put(_tried(look)), daemon=True).start()
    try:
        return answers.get(timeout=patience_s)
    except Empty:
        return _LateError()


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
