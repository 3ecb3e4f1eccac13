"""Who is logged in: a browser holds a random token, the ledger only its hash, for two weeks.

What lives here: `Sessions`. What stays out: judging passwords (`passwords`), cookies (`visitors`).

A hash is keyed with the password that opened the session, so a password that is changed ends all it opened.
"""

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Literal

from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries

Role = Literal["owner", "viewer"]
LASTS = timedelta(days=14)
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 64
_REMEMBERED_S = 5.0


@dataclass(frozen=True)
class Session:
    """Somebody, until when."""

    token_hash: str
    role: Role
    expires_at: datetime


class Sessions:
    """The ledger's, asked at most once in five seconds for each."""

    def __init__(self, ledger: Ledger, passwords: Mapping[Role, str]) -> None:
        self._ledger = ledger
        self._keys: dict[Role, bytes] = {role: password.encode() for role, password in passwords.items()}
        self._remembered: dict[str, tuple[Session, float]] = {}

    def begin(self, role: Role, now: datetime) -> str:
        """The token, which nobody will see again."""
        token = token_urlsafe(_TOKEN_BYTES)
        row = {"token_hash": self._hashed(token, role), "role": role, "begun_at": now, "expires_at": now + LASTS}
        with self._ledger.transaction() as connection:
            connection.execute(load_queries("sessions")["end_expired_sessions"], {"now": now})
            connection.execute(load_queries("sessions")["begin_session"], row)
        return token

    def find(self, token: str, now: datetime) -> Session | None:
        if len(token) > _LONGEST_TOKEN:
            return None
        hashes = {self._hashed(token, role): role for role in self._keys}
        for token_hash in hashes:
            session, asked_at = self._remembered.get(token_hash, (None, 0.0))
            if session and session.expires_at > now and time.monotonic() - asked_at < _REMEMBERED_S:
                return session
        return self._asked(hashes, now)

    def end(self, session: Session) -> None:
        with self._ledger.transaction() as connection:
            connection.execute(load_queries("sessions")["end_session"], {"token_hash": session.token_hash})
        self._remembered.pop(session.token_hash, None)

    def _asked(self, hashes: Mapping[str, Role], now: datetime) -> Session | None:
        facts = {"token_hashes": list(hashes), "now": now}
        asked_at = time.monotonic()
        with self._ledger.transaction() as connection:
            row = connection.execute(load_queries("sessions")["find_session"], facts).fetchone()
        for token_hash in hashes:
            self._remembered.pop(token_hash, None)
        if row is None or hashes[row[0]] != row[1]:
            return None
        session = Session(row[0], hashes[row[0]], row[2])
        self._remembered[session.token_hash] = session, asked_at
        return session

    def _hashed(self, token: str, role: Role) -> str:
        return hmac.new(self._keys[role], f"{role} {token}".encode(), sha256).hexdigest()
