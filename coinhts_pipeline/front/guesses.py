"""How often somebody may be wrong: a few guesses at once, then one at a time, by address and over all.

What lives here: counting. What stays out: what was guessed (`visitors`). Whoever guessed right takes the guess back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

_EVERYBODY = "everybody"
_A_HOUSEHOLD = 64
_HAIR_S = 1e-6


@dataclass(frozen=True)
class Pace:
    """So many at once, and one more each so many seconds."""

    at_once: int
    each_s: float


class Guesses:
    """One moment an address: when all its guesses are paid for, in seconds of a clock that only rises."""

    def __init__(self, of_one: Pace, of_all: Pace) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._paid_at: dict[str, float] = {}

    def take(self, address: str, moment: float) -> float:
        """Zero when a guess is free, else the seconds until one is; a refused guess costs nothing."""
        self._forget(moment)
        wait = max(self._wait(who, pace, moment) for who, pace in self._counted(address))
        if wait > _HAIR_S:
            return wait
        for who, pace in self._counted(address):
            self._paid_at[who] = max(self._paid_at.get(who, moment), moment) + pace.each_s
        return 0.0

    def give_back(self, address: str) -> None:
        for who, pace in self._counted(address):
            if who in self._paid_at:
                self._paid_at[who] -= pace.each_s

    def _counted(self, address: str) -> Iterator[tuple[str, Pace]]:
        yield _household(address), self._of_one
        yield _EVERYBODY, self._of_all

    def _wait(self, who: str, pace: Pace, moment: float) -> float:
        debt = self._paid_at.get(who, moment) - moment
        return debt - (pace.at_once - 1) * pace.each_s

    def _forget(self, moment: float) -> None:
        """Only those that wait are kept, and all together may be no more than so many."""
        self._paid_at = {who: paid_at for who, paid_at in self._paid_at.items() if paid_at > moment}


def _household(address: str) -> str:
    """A network of IPv6 belongs to one house, which has any number of addresses."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ip_network((found, _A_HOUSEHOLD), strict=False))  # noqa: PLR2004 - IPv4
