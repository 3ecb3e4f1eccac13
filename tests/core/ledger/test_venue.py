from concurrent.futures import ThreadPoolExecutor

import pytest

from coinhts_core.errors import VenueMismatchError
from coinhts_core.ledger.venue import mark_venue


def test_the_first_venue_is_the_ledgers(ledger):
    """The same one is welcome for ever; another is told where to go."""
    mark_venue(ledger, "sample", "/elsewhere")
    mark_venue(ledger, "sample", "/elsewhere")
    with pytest.raises(VenueMismatchError) as refusal:
        mark_venue(ledger, "upbit", "/elsewhere")
    assert str(refusal.value) == (
        "the ledger holds data of sample, and COINHTS_EXCHANGE says upbit: venues are never mixed; "
        "set COINHTS_HOME to a fresh directory, such as /elsewhere"
    )
    mark_venue(ledger, "sample", "/elsewhere")


def test_of_two_at_the_same_moment_one_is_first(ledger):
    """And the other is refused."""

    def mark(venue):
        try:
            mark_venue(ledger, venue, "/elsewhere")
        except VenueMismatchError as refusal:
            return refusal.found
        return venue

    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(mark, ["sample", "upbit"] * 4))
    assert len(found) == 1
