"""How often the stand-in may be called: so many calls a second in a group, then 429, then 418.

What lives here: the judge of each call. What stays out: the log of calls, which the tests judge by (`server`).

The documentation does not say how Upbit draws its seconds, so this is the strictest reading: no window of a
second, wherever it begins, holds more calls than allowed.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Verdict:
    """What becomes of a call, and how many more this second would stand."""

    status: int
    remaining: int = 0
    block_s: float = 0.0


@dataclass
class Limits:
    """Calls a second; refusals within ten seconds that end in a block; its length, which doubles each time."""

    per_second: int = 10
    refusals_before_block: int = 8
    block_s: float = 5.0
    _calls: dict = field(default_factory=lambda: defaultdict(deque))
    _refusals: deque = field(default_factory=deque)
    _blocked_until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def judge(self, group: str, moment: float, *, has_origin: bool) -> Verdict:
        with self._lock:
            if moment < self._blocked_until:
                return self._block(moment)
            calls, (most, span) = self._calls[group], (1, 10.0) if has_origin else (self.per_second, 1.0)
            while calls and calls[0] <= moment - span:
                calls.popleft()
            if len(calls) < most:
                calls.append(moment)
                return Verdict(200, most - len(calls))
            self._refusals.append(moment)
            while self._refusals[0] < moment - 10.0:
                self._refusals.popleft()
            return self._block(moment) if len(self._refusals) >= self.refusals_before_block else Verdict(429)

    def _block(self, moment: float) -> Verdict:
        """Whoever calls during a block is blocked anew, for twice as long."""
        verdict = Verdict(418, block_s=self.block_s)
        self._blocked_until, self.block_s = moment + self.block_s, self.block_s * 2
        self._refusals.clear()
        return verdict
