"""Whose data a ledger holds: one venue, marked at first use, for ever."""

from coinhts_core.errors import VenueMismatchError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries


def find_venue(ledger: Ledger) -> str | None:
    with ledger.transaction() as connection:
        row = connection.execute(load_queries("installation")["find_venue"]).fetchone()
    return row[0] if row else None


def mark_venue(ledger: Ledger, venue: str, suggestion: str) -> None:
    """The first caller's venue is the ledger's; any other is sent to a place of its own."""
    with ledger.transaction() as connection:
        connection.execute(load_queries("installation")["mark_venue"], {"venue": venue})
    found = find_venue(ledger)
    if found != venue:
        raise VenueMismatchError(place="the ledger", found=found, wanted=venue, suggestion=suggestion)
