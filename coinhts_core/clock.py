"""Now, and which days are over. Everything that needs the time is handed it from here, once, at the edge."""

from datetime import UTC, date, datetime, timedelta


def now() -> datetime:
    return datetime.now(UTC)


def last_complete_day(moment: datetime) -> date:
    """A day is over at 00:00 UTC (09:00 KST), the boundary of Upbit's own day bars."""
    return moment.astimezone(UTC).date() - timedelta(days=1)
