"""Who stands at the door: a program with the token, a person with a session, or anybody where no login is asked.

What lives here: `Doorkeeper`. What stays out: where a request comes from (`origins`), and pages (`pages`).
"""

import asyncio
import math
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import cookie_parser

from coinhts_core.clock import now
from coinhts_core.ledger.connection import Ledger
from coinhts_core.settings import Web
from coinhts_pipeline.front.guesses import Guesses, Pace
from coinhts_pipeline.front.origins import Asked, Refusal
from coinhts_pipeline.front.passwords import Passwords
from coinhts_pipeline.front.sessions import LASTS, Role, Session, Sessions

_BLANK = " \t"
_COMPARED_AT_ONCE = 2
_OF_PEOPLE = Pace(at_once=5, each_s=12.0), Pace(at_once=30, each_s=2.0)
_OF_PROGRAMS = Pace(at_once=20, each_s=1.0), Pace(at_once=200, each_s=0.1)
_FOR_VIEWERS = {"/logout"}


@dataclass(frozen=True)
class Visitor:
    """Somebody who was let in, and as what."""

    role: Role
    session: Session | None = None

    def may_not(self, asked: Asked) -> Refusal | None:
        """A viewer looks; what a query of his may do is judged where it is done."""
        if self.role == "owner" or asked.reads or asked.is_socket or asked.is_graphql or asked.path in _FOR_VIEWERS:
            return None
        return Refusal(HTTPStatus.FORBIDDEN, "viewers_look", "a viewer changes nothing; log in as the owner")


class Doorkeeper:
    """Lets in, sees out, and remembers which sockets are open for whom."""

    def __init__(self, web: Web, ledger: Ledger | None) -> None:
        named: dict[Role, SecretStr | None] = {"owner": web.password, "viewer": web.viewer_password}
        passwords = {role: secret.get_secret_value() for role, secret in named.items() if secret}
        self._token = web.token.get_secret_value() if web.token else None
        self._cookie = f"coinhts-{web.port}"  # cookies reach every port of a host
        self._passwords = Passwords(passwords)
        self._sessions = Sessions(ledger, passwords) if ledger else None
        self._of_people, self._of_programs = Guesses(*_OF_PEOPLE), Guesses(*_OF_PROGRAMS)
        self._comparing = asyncio.Semaphore(_COMPARED_AT_ONCE)
        self._sockets: dict[str, set[asyncio.Future[None]]] = {}

    @property
    def asks_for_login(self) -> bool:
        return self._sessions is not None

    def program(self, asked: Asked, address: str) -> Visitor | Refusal | None:
        """None when no token was sent, or none is needed and none is set."""
        sent = asked.headers.get("authorization")
        if sent is None or not (self.asks_for_login or self._token):
            return None
        if wait := self._of_programs.take(address, time.monotonic()):
            return _too_many(wait)
        if self._token and _is_bearer(sent, self._token):
            self._of_programs.give_back(address)
            return Visitor("owner")
        return Refusal(HTTPStatus.UNAUTHORIZED, "wrong_token", "the token is not COINHTS_WEB__TOKEN")

    async def person(self, asked: Asked) -> Visitor | None:
        if self._sessions is None:
            return Visitor("owner")
        token = cookie_parser(asked.headers.get("cookie", "")).get(self._cookie)
        session = await run_in_threadpool(self._sessions.find, token, now()) if token else None
        return Visitor(session.role, session) if session else None

    async def enter(self, guess: str, address: str) -> str | Refusal:
        """Give a session's token for a right password."""
        if wait := self._of_people.take(address, time.monotonic()):
            return _too_many(wait)
        async with self._comparing:
            role = await run_in_threadpool(self._passwords.role_of, guess)
        if role is None or self._sessions is None:
            return Refusal(HTTPStatus.UNAUTHORIZED, "wrong_password", "This is not the password.")
        self._of_people.give_back(address)
        return await run_in_threadpool(self._sessions.begin, role, now())

    async def leave(self, session: Session) -> None:
        """End the session, and what still goes on in its name."""
        if self._sessions:
            await run_in_threadpool(self._sessions.end, session)
        for task in self._sockets.get(session.token_hash, set()):
            task.cancel()

    async def while_welcome(self, visitor: Visitor, serving: Awaitable[None]) -> bool:
        """True when it was served to its end, false when the visitor's session ended first."""
        task = asyncio.ensure_future(serving)
        session = visitor.session
        open_sockets = self._sockets.setdefault(session.token_hash, set()) if session else set()
        open_sockets.add(task)
        try:
            seconds = (session.expires_at - now()).total_seconds() if session else None
            done, _ = await asyncio.wait({task}, timeout=seconds)
        finally:
            task.cancel()
            open_sockets.discard(task)
            if session and not open_sockets:
                self._sockets.pop(session.token_hash, None)
        if not done or task.cancelled():
            return False
        task.result()
        return True

    def welcome(self, token: str, *, by_tls: bool) -> str:
        """The cookie a browser keeps."""
        return self._baked(token, int(LASTS.total_seconds()), by_tls=by_tls)

    def farewell(self) -> str:
        return self._baked("", 0, by_tls=False)

    def _baked(self, value: str, lasts_s: int, *, by_tls: bool) -> str:
        secure = "; Secure" if by_tls else ""
        return f"{self._cookie}={value}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}"


def _is_bearer(sent: str, token: str) -> bool:
    """Headers are bytes, read as latin-1; in our token they spell UTF-8."""
    scheme, _, given = sent.strip(_BLANK).partition(" ")
    return compare_digest(given.strip(_BLANK).encode("latin-1"), token.encode()) and scheme.lower() == "bearer"


def _too_many(wait_s: float) -> Refusal:
    seconds = math.ceil(wait_s)
    message = f"Too many wrong guesses; wait {seconds} s."
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_many_guesses", message, retry_after_s=seconds)
