"""How Upbit wants to be called: not too often, not while it blocks us, and again when it stumbled.

What lives here: `Calls`, from an endpoint to the rows of its answer. What to add: a group, when Upbit counts a
new endpoint by itself. What stays out: what rows mean (`candles`, `listings`).
"""

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from random import SystemRandom
from typing import Any, Literal, get_args

from coinhts_core.errors import CallsUncountedError, ExchangeUnavailableError
from coinhts_core.exchanges.upbit.breaker import Breaker, block_stated_in
from coinhts_core.exchanges.upbit.http import Bounds, Http, Reply
from coinhts_core.exchanges.upbit.limiter import Limiter
from coinhts_core.exchanges.upbit.meeting_place import enter
from coinhts_core.exchanges.upbit.strict_json import decoded
from coinhts_core.wording import clipped

VENUE = "upbit"
Group = Literal["market", "candle", "ticker", "orderbook"]
_REMAINING = re.compile(r"\bsec=(\d{1,6})\b")
_CHANCE = SystemRandom()
_log = logging.getLogger("coinhts.exchanges")


@dataclass(frozen=True)
class Pace:
    """Calls a second in a group; how often one may be too many; how long to wait before each further attempt."""

    per_second: int = 10
    refusals: int = 5
    delays_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    bounds: Bounds = field(default_factory=Bounds)


class Calls:
    """Upbit's public endpoints, called as all processes of this machine together may."""

    def __init__(self, base_url: str, folder: Path, pace: Pace) -> None:
        self._http = Http(VENUE, base_url, pace.bounds)
        self._pace = pace
        self._folder = folder
        self._breaker = Breaker(VENUE, folder / "blocked-until")
        self._limiters = {group: Limiter(folder, group, pace.per_second) for group in get_args(Group)}

    def get(self, group: Group, path: str, query: Mapping[str, object]) -> list[Any] | None:
        """The rows of an answer; None where Upbit knows no such market."""
        with self._counted():
            return self._rows(group, path, query)

    def clock(self, group: Group, path: str, query: Mapping[str, object]) -> datetime | None:
        """When an answer was sent, by Upbit's clock; asked once, for whoever wants to know how it does asks again."""
        with self._counted():
            reply = self._reply(group, path, query)
            _rows_of(reply)
            return _sent_at(reply)

    def blocked_until(self) -> datetime | None:
        return self._breaker.open_until()

    def close(self) -> None:
        self._http.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            enter(self._folder)
            yield
        except OSError as error:  # the folder's; the network's never come this far
            raise CallsUncountedError(folder=self._folder, reason=error.strerror or str(error)) from error

    def _rows(self, group: Group, path: str, query: Mapping[str, object]) -> list[Any] | None:
        delays_s = iter(self._pace.delays_s)
        while True:
            self._breaker.refuse_while_open()
            try:
                return _rows_of(self._reply(group, path, query))
            except ExchangeUnavailableError as error:
                self._breaker.refuse_while_open()
                if (delay_s := next(delays_s, None)) is None:
                    raise
                _say("asked again", path, reason=str(error), in_seconds=delay_s)
                time.sleep(delay_s * _CHANCE.uniform(0.5, 1.0))

    def _reply(self, group: Group, path: str, query: Mapping[str, object]) -> Reply:
        limiter = self._limiters[group]
        for _ in range(self._pace.refusals):
            with limiter.turn() as began:
                self._breaker.refuse_while_open()  # others may have been blocked while we waited
                reply = self._http.get(path, query)
                if reply.status == 418:  # noqa: PLR2004 - the venue's status for a block, which nobody else uses
                    self._breaker.open_for(block_stated_in(reply))
                    _say("blocked", path, until=str(self.blocked_until()))
            if reply.status != 429:  # noqa: PLR2004 - too many requests, the same everywhere
                limiter.heed(_remaining(reply), began)
                return reply
            _say("called too often", path)
            limiter.rest()
        raise unavailable(reason="it had too many calls from us, however long we waited")


def _say(event: str, path: str, **facts: object) -> None:
    _log.warning(event, extra={"facts": {"venue": VENUE, "path": path, **facts}})


def unavailable(reason: str) -> ExchangeUnavailableError:
    return ExchangeUnavailableError(venue=VENUE, reason=reason)


def _rows_of(reply: Reply) -> list[Any] | None:
    content = _content(reply)
    if reply.status == 404 and isinstance(content, dict) and "error" in content:  # noqa: PLR2004 - not found
        return None
    if reply.status != 200:  # noqa: PLR2004 - the one status that means well
        raise unavailable(reason=f"status {reply.status}: {_sample(reply)}")
    if not isinstance(content, list):
        raise unavailable(reason=f"an answer that is no list: {_sample(reply)}")
    return content


def _content(reply: Reply) -> Any:
    if not reply.is_json:
        return None
    try:
        return decoded(reply.body)
    except ValueError as error:
        raise unavailable(reason=f"status {reply.status} with an answer that is refused: {error}") from error


def _sent_at(reply: Reply) -> datetime | None:
    with suppress(KeyError, ValueError, TypeError, OverflowError):
        sent_at = parsedate_to_datetime(reply.headers["date"])
        return sent_at.astimezone(UTC) if sent_at.tzinfo else None
    return None


def _remaining(reply: Reply) -> int | None:
    """`min` is no longer kept by Upbit; `sec` is what is left of this second."""
    stated = _REMAINING.search(reply.headers.get("remaining-req", ""))
    return int(stated[1]) if stated else None


def _sample(reply: Reply) -> str:
    return clipped(reply.body[:200].decode(errors="replace"))
