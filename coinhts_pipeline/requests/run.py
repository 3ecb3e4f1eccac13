"""Answering requests: claims become work, work becomes ends, and everybody hears how far it is.

What lives here: `answer_claims`, the loop of a run. What stays out: the queue (`coinhts_core.requests.desk`), processes
(`requests.pool`), and what Dagster is told (`defs.requests`).
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from coinhts_core.clock import now
from coinhts_core.errors import RetryableError
from coinhts_core.requests.desk import Claim, Desk, State
from coinhts_pipeline.requests.pool import Ended, Pool, Told

MOST_AT_ONCE = 50
LASTS_S = 1_800.0  # of a run: then it takes nothing new
_LOOKS_EVERY_S = 0.5
_LISTENS_S = 0.2
_log = logging.getLogger("coinhts.requests")


@dataclass(frozen=True)
class Settled:
    """A request that this run brought to a state; the figures are of one that is completed."""

    claim: Claim
    state: State
    reason: str | None
    figures: dict[str, object]


@dataclass
class Answering:
    """One run at work: what waits for a process, what is being answered, what ended and is not settled yet."""

    desk: Desk
    pool: Pool
    worker: str
    lingers_s: float
    is_hungry: bool = True
    waiting: deque[Claim] = field(default_factory=deque)
    begun: dict[tuple[str, int], Claim] = field(default_factory=dict)
    ended: deque[Ended] = field(default_factory=deque)
    told: dict[tuple[str, int], Told] = field(default_factory=dict)

    def settled(self) -> Iterator[Settled]:
        """Until there is nothing to do for a while; a ledger that is away is waited for."""
        began = busy_at = time.monotonic()
        looked_at = float("-inf")
        self.waiting.extend(self.desk.claims(self.worker))
        while self._is_busy or time.monotonic() - busy_at < self.lingers_s:
            try:
                yield from self._settle()
                if self.is_hungry or time.monotonic() - looked_at >= _LOOKS_EVERY_S:
                    looked_at = time.monotonic()
                    self._look(is_open=looked_at - began < LASTS_S)
            except RetryableError as error:
                _log.warning("the ledger is waited for", extra={"facts": {"reason": str(error)}})
            self._begin()
            if self._is_busy:
                busy_at = time.monotonic()
            self._listen()

    @property
    def _is_busy(self) -> bool:
        return bool(self.begun or self.waiting or self.ended or self.is_hungry)

    def _look(self, *, is_open: bool) -> None:
        """Say that we are alive, stop what was taken from us, tell how far the rest is, and take what waits."""
        kept = self.desk.keep(self.worker, now())
        for claim in list(self.begun.values()):
            if _key(claim) not in kept:
                self.pool.stop(claim)
        self.waiting = deque(claim for claim in self.waiting if _key(claim) in kept)
        for told in list(self.told.values()):
            self.desk.report(told.claim, told.progress, told.step, now())
            self.told.pop(_key(told.claim), None)
        room = self.pool.free - len(self.waiting)
        if is_open and room > 0:
            self.waiting.extend(self.desk.claim(room, self.worker, now()))
        self.is_hungry = False

    def _begin(self) -> None:
        while self.waiting and self.pool.free:
            claim = self.waiting.popleft()
            self.begun[_key(claim)] = claim
            self.pool.begin(claim)

    def _listen(self) -> None:
        for heard in self.pool.heard(_LISTENS_S):
            if isinstance(heard, Told):
                self.told[_key(heard.claim)] = heard
            else:
                self.told.pop(_key(heard.claim), None)
                self.ended.append(heard)

    def _settle(self) -> Iterator[Settled]:
        """One that is not ours any more settles nothing, whatever came of it."""
        while self.ended:
            heard = self.ended[0]
            state = self.desk.settle(heard.claim, heard.verdict, now())
            self.ended.popleft()
            self.is_hungry = True  # a process is free: whoever waits is not kept waiting
            self.begun.pop(_key(heard.claim), None)
            if state:
                yield Settled(heard.claim, state, heard.verdict.reason, dict(heard.figures))


def _key(claim: Claim) -> tuple[str, int]:
    return claim.id, claim.epoch
