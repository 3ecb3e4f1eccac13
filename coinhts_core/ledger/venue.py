"""Whose data a ledger holds: one venue, marked at first use, for ever."""

from coinhts_core.errors import VenueMismatchError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries


def mark_venue(ledger: Ledger, venue: str, suggestion: str) -> None:
    """The first caller's venue is the ledger's; any other is sent to a place of its own."""
    queries = load_queries("installation")
    with ledger.transaction() as connection:
        connection.execute(queries["mark_venue"], {"venue": venue})
        row = connection.execute(queries["find_venue"]).fetchone()
    if row is not None and row[0] != venue:
        raise VenueMismatchError(place="the ledger", found=row[0], wanted=venue, suggestion=suggestion)
