"""So many calls a second, counted for all processes of a machine together.

What lives here: `Limiter`, and what all of them waited so far. What to add: nothing; a group of calls is a name. What
stays out: blocks (`breaker`).

A permit is a file. Whoever holds its lock may make one call, a second after the last one made with it arrived:
that was, at the latest, when its answer came, less the way that every answer takes. With ten permits, two of any
eleven calls share one, so that no window of a second sees eleven arrive, whatever delays them. The kernel takes
the lock back from a process that is killed; the permit is then marked as in use and rests for a second. Stamps
count from the machine's start, sleep included; one that lies ahead is of an earlier start and counts as now.
Behind its stamps a permit's file counts the calls that were made with it, and how long they had waited for a permit.
"""

import math
import os
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import NamedTuple

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_SECOND = 1.0
_FORMAT = struct.Struct("<dd")
_TALLY = struct.Struct("<qd")
_GLANCE_S = 0.005
# The shortest round trip seen may have been longer than the shortest there is, by as much as a busy machine delays
# it; of the permitted rate this costs less than 5 %.
_JITTER_S = 0.045


class _Stamps(NamedTuple):
    """From when the permit rests, and when the last call with it was answered."""

    rests_from: float
    answered_at: float


_NEVER_USED, _IN_USE = _Stamps(-math.inf, -math.inf), _Stamps(math.inf, math.inf)


class Waits(NamedTuple):
    """How many calls were made, and how long they waited for a permit, all together."""

    calls: int
    waited_s: float


_NONE = Waits(0, 0.0)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Limiter:
    """Permits for one group of calls."""

    def __init__(self, folder: Path, group: str, per_second: int) -> None:
        self._permits = [folder / f"{group}-{number}" for number in range(per_second)]
        self._round_trips: deque[float] = deque(maxlen=20)

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for a permit, and hold it while the call is made; tells when the call began."""
        asked = _now()
        with self._longest_rested() as permit:
            time.sleep(max(_read(permit).rests_from + _SECOND - _now(), 0.0))
            _write(permit, _IN_USE)
            began = _now()
            _count(permit, began - asked)
            try:
                yield began
            finally:
                self._round_trips.append(_now() - began)
                _write(permit, _Stamps(_now() - self._way_back(), _now()))

    def heed(self, remaining: int | None, began: float) -> None:
        """Rest when the venue has no more calls for us although ours alone cannot have used them up."""
        if remaining == 0 and any(of.answered_at < began - _SECOND - 0.1 for of in self._stamps()):
            self.rest()

    def rest(self) -> None:
        """Let every permit that is not held wait a second from now."""
        for path in self._permits:
            with _lock_if_free(path) as permit:
                if permit is not None:
                    _write(permit, _Stamps(_now(), _read(permit).answered_at))

    @contextmanager
    def _longest_rested(self) -> Iterator[int]:
        with ExitStack() as held:
            while True:
                for _, path in sorted(zip(self._stamps(), self._permits, strict=True)):
                    if (permit := held.enter_context(_lock_if_free(path))) is not None:
                        yield permit
                        return
                time.sleep(_GLANCE_S)

    def _stamps(self) -> list[_Stamps]:
        stamps = []
        for path in self._permits:
            permit = _open(path)
            stamps.append(_read(permit))
            os.close(permit)
        return stamps

    def _way_back(self) -> float:
        """What is in every round trip, and so not in the way there of a late call; nothing is known at first."""
        if len(self._round_trips) < (self._round_trips.maxlen or 0):
            return 0.0
        return max(min(self._round_trips) - _JITTER_S, 0.0)


def waits(folder: Path) -> dict[str, Waits]:
    """Of each group, what all processes of a machine together have called and waited since the folder was made."""
    found: dict[str, Waits] = {}
    for path in folder.glob("*-[0-9]*"):
        group = path.name.rpartition("-")[0]
        permit = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        own, others = _tally(permit), found.get(group, _NONE)
        os.close(permit)
        found[group] = Waits(others.calls + own.calls, others.waited_s + own.waited_s)
    return found


@contextmanager
def _lock_if_free(path: Path) -> Iterator[int | None]:
    permit = _open(path)
    try:
        try:
            flock(permit, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield permit
    finally:
        os.close(permit)


def _open(path: Path) -> int:
    try:
        return os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, _FLAGS, 0o600)


def _read(permit: int) -> _Stamps:
    content, now = os.pread(permit, _FORMAT.size, 0), _now()
    if len(content) < _FORMAT.size:
        return _NEVER_USED
    return _Stamps(*(min(now, stamp) for stamp in _FORMAT.unpack(content)))  # in this order, no number becomes now


def _write(permit: int, stamps: _Stamps) -> None:
    os.pwrite(permit, _FORMAT.pack(*stamps), 0)


def _count(permit: int, waited_s: float) -> None:
    before = _tally(permit)
    os.pwrite(permit, _TALLY.pack(before.calls + 1, before.waited_s + waited_s), _FORMAT.size)


def _tally(permit: int) -> Waits:
    content = os.pread(permit, _TALLY.size, _FORMAT.size)
    counted = Waits(*_TALLY.unpack(content)) if len(content) == _TALLY.size else _NONE
    return counted if counted.calls >= 0 and 0.0 <= counted.waited_s < math.inf else _NONE


def _now() -> float:
    return time.clock_gettime(_CLOCK)
