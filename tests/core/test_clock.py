from datetime import UTC, datetime, timedelta

from coinhts_core.clock import now


def test_now_is_aware_and_now():
    """In UTC, and not a moment kept from before."""
    before = datetime.now(UTC)
    assert before <= now() <= before + timedelta(minutes=1)
    assert now().tzinfo is UTC
