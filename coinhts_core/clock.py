"""Now. Everything that needs the time is handed it from here, once, at the edge."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
