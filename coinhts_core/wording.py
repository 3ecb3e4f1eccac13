"""Words in sentences: what is long, what was probably meant, what another library says.

What lives here: parts of sentences. What stays out: the sentences of refusals (`errors`).
"""

from collections.abc import Iterable
from difflib import get_close_matches


def clipped(fact: object, longest: int = 300) -> str:
    """A fact as one printable line: hostile input may be long or carry control characters."""
    line = "".join(letter if letter.isprintable() else "?" for letter in str(fact))
    return line if len(line) <= longest else f"{line[:200]}… ({len(line)} characters)"


def nearest(word: str, choices: Iterable[str]) -> str:
    """The end of a sentence that suggests what was probably meant, or nothing."""
    near = get_close_matches(word[:80], list(choices), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def worded(message: str) -> str:
    """A sentence of pydantic's, as the middle of one of ours."""
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
