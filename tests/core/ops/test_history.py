from datetime import UTC, datetime, timedelta

import pytest

from coinhts_core.ops.health import Component, Health, Status
from coinhts_core.ops.history import HEALTH, KEPT, appended, latencies, shares

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def seen(hours, latency_ms=2.0, status=Status.HEALTHY):
    parts = (Component("ledger", status, latency_ms, "it answers"), Component("orders", Status.HEALTHY, 0.0, "none"))
    return Health(NOON + timedelta(hours=hours), parts)


@pytest.fixture
def history():
    """Give four looks, an hour apart, the third of which saw a ledger that was slow and ill."""
    rows = HEALTH.empty()
    for look in (seen(0), seen(1), seen(2, 50.0, Status.UNHEALTHY), seen(3)):
        rows = appended(rows, look)
    return rows


def test_a_look_is_kept_after_those_before_it(history):
    """A row a component, in the schema's own kinds."""
    assert history.equals(HEALTH.judge(history))
    assert history["looked_at"].is_sorted()
    assert history.row(-2) == (NOON + timedelta(hours=3), "ledger", "healthy", 2.0, "it answers", "")


def test_only_the_last_weeks_are_kept(history):
    """However often somebody looks, the rows are bounded."""
    later = appended(history, seen(2 + KEPT / timedelta(hours=1)))
    assert later["looked_at"].unique().to_list() == [NOON + timedelta(hours=3), NOON + timedelta(hours=2) + KEPT]


def test_a_clock_that_was_set_back_leaves_nothing_ahead(history):
    """A look is the newest; what claims to be after it was told by a wrong clock."""
    assert appended(history, seen(0.5))["looked_at"].max() == NOON + timedelta(minutes=30)


def test_latencies_are_told_look_by_look(history):
    """Never nought, from which no change can be told."""
    assert latencies(history, ["ledger", "orders"]) == {"ledger": [2.0, 2.0, 50.0, 2.0], "orders": [0.1] * 4}


def test_shares_tell_how_often_each_was_healthy(history):
    """The least healthy first."""
    assert shares(history).rows() == [("ledger", 4, 75.0, 2.0, 50.0), ("orders", 4, 100.0, 0.0, 0.0)]
