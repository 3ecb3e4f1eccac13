import json
from datetime import timedelta

import dagster as dg
import pytest

from coinhts_core.clock import now
from coinhts_core.ops.health import Component, Health, Overall, Status
from coinhts_pipeline.defs import health as health_defs
from coinhts_pipeline.defs.health import on_health

_ASSET = "ops/health"
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def seen(monkeypatch):
    """Let a look at the components see these statuses."""

    def let(ago=timedelta(), **statuses):
        parts = [
            Component(name, Status(status), 2.5, f"it is {status}", "mend it") for name, status in statuses.items()
        ]
        monkeypatch.setattr(health_defs, "_seen", lambda _: Health(now() - ago, tuple(parts)))

    return let


def shown(house):
    return house.events(_ASSET)[-1].metadata


def tick(cursor=None):
    context = dg.build_sensor_context(cursor=cursor)
    return on_health(context), context.cursor


def test_a_look_at_the_house_is_stored_and_shown(house):
    """Every component by itself; a house that is not up warns of that, and fails in nothing."""
    result = house.run(job="publish_health")
    assert result.success
    rows = house.rooms.lake.read_whole(_ASSET)
    assert rows.height == 11
    assert rows.row(0)[1:3] == ("ledger", "healthy")
    metadata = shown(house)
    assert metadata["house"].value == Overall.DEGRADED
    assert "| ledger | healthy |" in metadata["preview"].value
    assert metadata["latency"].value.startswith("![how long components took to tell, ms]")
    assert "| orders | 1 | 100 |" in metadata["weeks"].value
    checks = house.checks(result)
    assert checks["no_component_is_unhealthy"].passed
    warned = checks["no_component_warns"]
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert warned.metadata["scheduler"].value.startswith("`coinhts up` was never started here")


def test_looks_are_kept_for_weeks(house, seen):
    """A curve of the ledger, seen at once, and how often each was healthy."""
    house.rooms.lake.forget_whole(_ASSET)
    for ago, status in ((timedelta(weeks=5), "healthy"), (2 * AN_HOUR, "unhealthy"), (AN_HOUR, "healthy")):
        seen(ago, ledger=status, lake="healthy", exchange="healthy", scheduler="healthy", signals="healthy")
        result = house.run(job="publish_health")
    rows = house.rooms.lake.read_whole(_ASSET)
    assert rows.filter(rows["component"] == "ledger")["status"].to_list() == ["unhealthy", "healthy"]
    assert all(check.passed for check in house.checks(result).values())
    assert "| ledger | 2 | 50 | 2.5 | 2.5 |" in shown(house)["weeks"].value
    assert "how long the ledger took to tell, ms" in shown(house)["plot"].value


def test_what_fails_fails_a_check_and_names_it(house, seen):
    """With what to do; a mere warning is another check's."""
    seen(ledger="healthy", lake="unhealthy", exchange="warning", scheduler="healthy", signals="healthy")
    result = house.run(job="publish_health")
    assert result.success
    failed, warned = (house.checks(result)[name] for name in ("no_component_is_unhealthy", "no_component_warns"))
    assert (failed.passed, failed.severity, warned.passed) == (False, dg.AssetCheckSeverity.ERROR, False)
    assert {name: of.value for name, of in failed.metadata.items()} == {"lake": "it is unhealthy; mend it"}
    assert list(warned.metadata) == ["exchange"]


def test_a_run_is_asked_for_once_an_hour_and_when_a_status_changes(seen):
    """Ten minutes later nothing has changed; the same change twice within an hour is one run's."""
    moment = now().replace(minute=30)
    ago = now() - moment
    seen(ago, ledger="healthy", lake="healthy")
    first, cursor = tick()
    assert isinstance(first, dg.RunRequest)
    seen(ago - timedelta(minutes=10), ledger="healthy", lake="healthy")
    again, cursor = tick(cursor)
    assert (isinstance(again, dg.SkipReason), "healthy, as before" in again.skip_message) == (True, True)
    seen(ago - timedelta(minutes=20), ledger="healthy", lake="warning")
    changed, cursor = tick(cursor)
    assert changed.run_key not in {None, first.run_key}
    seen(ago - timedelta(minutes=20), ledger="healthy", lake="healthy")
    assert tick(cursor)[0].run_key == first.run_key
    seen(ago - timedelta(hours=1), ledger="healthy", lake="warning")
    later, _ = tick(cursor)
    assert later.run_key not in {first.run_key, changed.run_key}


def test_the_sensor_looks_by_itself(house):
    """It opens nothing of Dagster's, and waits for no run."""
    assert house
    asked, cursor = tick()
    assert asked.run_key == cursor
    assert json.dumps(asked.tags) == "{}"
