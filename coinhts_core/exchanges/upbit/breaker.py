"""When the venue has blocked us: until when no call at all is made, by any process.

What lives here: `Breaker`. What stays out: the usual pace (`limiter`).

A venue that blocks for a while blocks for longer when it is called nevertheless. The file holds the moment the
block ends, by the wall clock, so that it outlives a restart of the machine.
"""

import logging
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import get_ident

from coinhts_core.clock import now
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.upbit.http import Reply

_UNSTATED = timedelta(minutes=1)
_LONGEST = timedelta(days=1)
_log = logging.getLogger("coinhts.exchanges")
# The venue does not say in which form it states the time; these are the ways a sentence can.
_SPAN = re.compile(r"\b(\d{1,6})\s*(?:(?P<minutes>m(?:in(?:ute)?s?)?\b|분)|s(?:ec(?:ond)?s?)?\b|초)", re.IGNORECASE)


class Breaker:
    """A file that says until when."""

    def __init__(self, venue: str, file: Path) -> None:
        self._venue = venue
        self._file = file

    def refuse_while_open(self) -> None:
        if until := self.open_until():
            reason = f"it blocked us; no call is made until {until:%Y-%m-%d %H:%M:%S} UTC"
            raise ExchangeUnavailableError(venue=self._venue, reason=reason)

    def open_until(self) -> datetime | None:
        """None while calls may be made."""
        until = self._written()
        # Later than that, it was written by a clock that has been put back.
        return until if until and now() < until <= now() + _LONGEST else None

    def open_for(self, span: timedelta) -> None:
        until = max(now() + min(span, _LONGEST), self._written() or now())
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}.{get_ident()}")
        draft.write_text(until.isoformat())
        draft.replace(self._file)

    def _written(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self._file.read_text()).astimezone(UTC)
        except FileNotFoundError:
            return None
        except (ValueError, OverflowError) as error:
            _log.warning("a block cannot be read", extra={"facts": {"file": str(self._file), "reason": str(error)}})
            return None


def block_stated_in(reply: Reply) -> timedelta:
    """How long the venue says the block lasts."""
    retry_after = reply.headers.get("retry-after", "")
    stated = _SPAN.search(
        f"{retry_after} s" if retry_after.isdecimal() else reply.body[:2_000].decode(errors="replace")
    )
    if not stated:
        return _UNSTATED
    amount = int(stated[1])
    return timedelta(minutes=amount) if stated["minutes"] else timedelta(seconds=amount)
