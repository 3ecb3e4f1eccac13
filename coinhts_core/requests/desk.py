"""The desk: where requests wait, are claimed by whoever answers them, and end in exactly one way.

What lives here: `Desk`, every change of a request, each one conditional statement. What to add: a statement in
`queries/requests.sql`. What stays out: the form of a request (`request`), and answering it.

    queued -> running -> completed | failed | cancelled | dead

A claim holds for its epoch alone: whoever lost it, to a cancellation or because nobody heard of him, settles nothing.
The ledger itself refuses every other change of state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import Connection
from psycopg.types.json import Jsonb

from coinhts_core.errors import QueueFullError, RefusedError, RequestStateError, UnknownRequestError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.requests.request import Request

STATES = ("queued", "running", "completed", "failed", "cancelled", "dead")
MOST_QUEUED = 2_000
ASK_AGAIN_S = 30
_RETRIES = 3
_MOST_EPOCHS = 10  # a request that takes its process down with it each time is not begun for ever
_SHORTEST_ID = 6
_IDENTITY = 64
_SILENCE = timedelta(seconds=60)
_LONGEST_REASON = 500

State = Literal["queued", "running", "completed", "failed", "cancelled", "dead"]
End = Literal["completed", "failed", "again"]


@dataclass(frozen=True)
class Standing:
    """How a request stands."""

    id: str
    state: State
    kind: str
    strategy: str
    asked: Mapping[str, Any]
    progress: float
    step: str
    error: str | None
    attempts: int
    created_at: datetime
    changed_at: datetime

    @property
    def facts(self) -> dict[str, Any]:
        """As programs read it."""
        moments = {"created_at": self.created_at.isoformat(), "changed_at": self.changed_at.isoformat()}
        return {**vars(self), "asked": dict(self.asked), **moments}


@dataclass(frozen=True)
class Claim:
    """A request that somebody may answer, until it is taken from him."""

    id: str
    epoch: int
    asked: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended: answered, refused for good, or to be tried again."""

    end: End
    reason: str | None = None


@dataclass(frozen=True)
class Filter:
    """Which requests are looked for."""

    state: State | None = None
    kind: str | None = None
    strategy: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_return: float | None = None
    max_return: float | None = None
    limit: int = 50
    offset: int = 0

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "kind": self.kind,
            "strategy": self.strategy,
            "since": self.since,
            "until": self.until,
            "is_by_return": self.min_return is not None or self.max_return is not None,
            "min_return": -1e300 if self.min_return is None else self.min_return,
            "max_return": 1e300 if self.max_return is None else self.max_return,
            "most": self.limit,
            "skipped": self.offset,
        }


_ANY = Filter()


class Desk:
    """The requests of one ledger."""

    def __init__(self, ledger: Ledger, most_queued: int = MOST_QUEUED) -> None:
        self._ledger = ledger
        self._most_queued = most_queued

    def submit(self, request: Request, identity: str, moment: datetime) -> Standing:
        """The same again is the same: it stands as it stands, whoever asks."""
        facts = {
            "identity": identity,
            "kind": request.kind,
            "strategy": request.strategy,
            "asked": Jsonb(request.facts()),
            "moment": moment,
            "most_queued": self._most_queued,
        }
        with self._ledger.transaction() as connection:
            found = _one(connection, "find_request", facts) or _one(connection, "submit_request", facts)
            found = found or _one(connection, "find_request", facts)
        if found is None:
            raise QueueFullError(queued=self._most_queued, seconds=ASK_AGAIN_S)
        return found

    def find(self, name: str) -> Standing:
        """By the id, or by the first letters of it."""
        is_whole = len(name) == _IDENTITY
        if not (_SHORTEST_ID <= len(name) <= _IDENTITY and set(name) <= set("0123456789abcdef")):
            raise UnknownRequestError(name=name)
        with self._ledger.transaction() as connection:
            identity = name if is_whole else _whole(connection, name)
            found = _one(connection, "find_request", {"identity": identity})
        if found is None:
            raise UnknownRequestError(name=name)
        return found

    def listed(self, wanted: Filter = _ANY) -> list[Standing]:
        """The latest first."""
        return self._standings("find_requests", wanted.parameters)

    def counts(self) -> dict[str, int]:
        """How many stand how; those that nobody asked for are none."""
        with self._ledger.transaction() as connection:
            found = dict(connection.execute(load_queries("requests")["count_requests"]).fetchall())
        return {state: found.get(state, 0) for state in STATES}

    def forget_lost(self, identity: str) -> bool:
        """One that is completed, and whose result is kept no more, may be asked anew."""
        return bool(self._rows("forget_lost_request", {"identity": identity}))

    def cancel(self, name: str, moment: datetime) -> Standing:
        """It never completes any more; whoever works on it is stopped."""
        return self._changed("cancel_request", name, moment, "cancelled any more")

    def retry(self, name: str, moment: datetime) -> Standing:
        """What failed, died or was cancelled waits once more."""
        return self._changed("retry_request", name, moment, "begun again")

    def claim(self, most: int, worker: str, moment: datetime) -> list[Claim]:
        facts = {"most": most, "worker": worker, "moment": moment}
        return [Claim(*row) for row in self._rows("claim_requests", facts)]

    def claims(self, worker: str) -> list[Claim]:
        """What somebody was given, and has not settled."""
        return [Claim(*row) for row in self._rows("find_claims", {"worker": worker})]

    def workers(self) -> list[str]:
        """Who claimed what is being answered."""
        return [worker for (worker,) in self._rows("find_workers", {})]

    def keep(self, worker: str, moment: datetime) -> set[tuple[str, int]]:
        """Say that somebody is alive; which of his claims are still his, by id and epoch."""
        return set(self._rows("keep_claims", {"worker": worker, "moment": moment}))

    def keep_waiting(self, workers: Sequence[str], moment: datetime) -> None:
        """Somebody's run is known to wait for its turn."""
        with self._ledger.transaction() as connection:
            connection.execute(load_queries("requests")["keep_claims_of"], {"workers": workers, "moment": moment})

    def report(self, claim: Claim, progress: float, step: str, moment: datetime) -> None:
        facts = {"identity": claim.id, "epoch": claim.epoch, "progress": progress, "step": step, "moment": moment}
        with self._ledger.transaction() as connection:
            connection.execute(load_queries("requests")["report_progress"], facts)

    def settle(self, claim: Claim, verdict: Verdict, moment: datetime) -> State | None:
        """What it turned to; None when the claim does not hold any more, and nothing was changed."""
        facts = {
            "identity": claim.id,
            "epoch": claim.epoch,
            "moment": moment,
            "state": verdict.end,
            "reason": verdict.reason and verdict.reason[:_LONGEST_REASON],
            "most_retries": _RETRIES,
        }
        rows = self._rows("put_back_request" if verdict.end == "again" else "settle_request", facts)
        return rows[0][0] if rows else None

    def requeue_orphans(self, moment: datetime, gone: Sequence[str] = (), silence: timedelta = _SILENCE) -> list[str]:
        """Those whose worker is gone, or was not heard of for a while, wait again."""
        facts = {
            "before": moment - silence,
            "gone": list(gone),
            "moment": moment,
            "most_epochs": _MOST_EPOCHS,
            "reason": "the process that answered it is gone",
        }
        return [identity for (identity,) in self._rows("requeue_orphans", facts)]

    def cancel_claims(self, worker: str, moment: datetime) -> list[str]:
        """Somebody's run was stopped by hand: what it was at is cancelled."""
        return [identity for (identity,) in self._rows("cancel_claims", {"worker": worker, "moment": moment})]

    def untold(self, state: State, before: datetime, most: int = 100) -> list[Standing]:
        """Those that ended so, and of which those who are to know were not told."""
        return self._standings("find_untold", {"states": [state], "before": before, "most": most})

    def note_told(self, identity: str, state: State) -> None:
        with self._ledger.transaction() as connection:
            connection.execute(load_queries("requests")["note_told"], {"identity": identity, "state": state})

    def _changed(self, query: str, name: str, moment: datetime, deed: str) -> Standing:
        known = self.find(name)
        facts = {"identity": known.id, "moment": moment, "most_queued": self._most_queued}
        with self._ledger.transaction() as connection:
            changed = _one(connection, query, facts)
            now = changed or _one(connection, "find_request", facts)
        if changed:
            return changed
        if now and query == "retry_request" and now.state in {"failed", "cancelled", "dead"}:
            raise QueueFullError(queued=self._most_queued, seconds=ASK_AGAIN_S)
        raise RequestStateError(id=known.id[:12], state=now.state if now else "gone", deed=deed)

    def _standings(self, query: str, facts: Mapping[str, Any]) -> list[Standing]:
        return [Standing(*row) for row in self._rows(query, facts)]

    def _rows(self, query: str, facts: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._ledger.transaction() as connection:
            return connection.execute(load_queries("requests")[query], facts).fetchall()


def _one(connection: Connection, query: str, facts: Mapping[str, Any]) -> Standing | None:
    row = connection.execute(load_queries("requests")[query], facts).fetchone()
    return Standing(*row) if row else None


def _whole(connection: Connection, name: str) -> str:
    """Hex letters sort as text whatever the collation: digits stand before letters."""
    facts = {"first": name.ljust(_IDENTITY, "0"), "last": name.ljust(_IDENTITY, "f")}
    found = connection.execute(load_queries("requests")["find_identities"], facts).fetchall()
    if len(found) > 1:
        raise RefusedError(reason=f"several requests begin with {name}; give more letters of the id")
    return str(found[0][0]) if found else name
