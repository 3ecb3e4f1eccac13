import os
from datetime import timedelta
from fcntl import LOCK_EX, flock

import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType, TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from coinhts_core.clock import now
from coinhts_core.errors import LedgerUnreachableError
from coinhts_core.ops.health import Heard
from coinhts_pipeline.health.scheduler import dagster_tables, heard

TROUBLE = SerializableErrorInfo("canary", [], "E")
A_MINUTE, AN_HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def hear(house):
    """Tell what is heard of the scheduler now."""
    settings = house.rooms.settings
    return lambda: heard(settings, settings.dagster_postgres_url.get_secret_value(), now())


@pytest.fixture
def up(house):
    """Hold the home as `coinhts up` does, begun an hour ago."""
    file = house.rooms.settings.home / "up.lock"
    began = now() - AN_HOUR
    with file.open("a+") as lock:
        flock(lock, LOCK_EX)
        os.utime(file, (began.timestamp(), began.timestamp()))
        yield began
    file.unlink()


@pytest.fixture
def tick(house):
    """Write a look at a sensor down as Dagster's daemon does."""

    def ended(name, status, ago, error=None):
        location = RegisteredCodeLocationOrigin("coinhts")
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
        state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE)
        if not house.instance.get_instigator_state(state.instigator_origin_id, state.selector_id):
            house.instance.add_instigator_state(state)
        of = (state.instigator_origin_id, name, InstigatorType.SENSOR, status)
        facts = {"timestamp": (now() - ago).timestamp(), "selector_id": state.selector_id, "error": error}
        house.instance.create_tick(TickData(*of, **facts))

    return ended


def test_a_house_that_was_never_up_and_one_that_is_not_are_told_apart(house, hear):
    """By the file that `coinhts up` holds; then Dagster's tables are not even asked."""
    assert hear() == Heard(was_ever_up=False, up_since=None, beat_at=None, ticked_at=None)
    file = house.rooms.settings.home / "up.lock"
    file.touch()
    assert hear() == Heard(was_ever_up=True, up_since=None, beat_at=None, ticked_at=None)
    file.unlink()


def test_beats_and_complaints_are_heard(house, hear, up):
    """As the daemon writes them down; the last of any of its parts counts."""
    assert hear() == Heard(was_ever_up=True, up_since=up, beat_at=None, ticked_at=None)
    for kind, ago, errors in (("SENSOR", A_MINUTE, [TROUBLE]), ("SCHEDULER", AN_HOUR, [])):
        house.instance.add_daemon_heartbeat(DaemonHeartbeat((now() - ago).timestamp(), kind, "id", errors))
    found = hear()
    assert found.complaining == ("SENSOR",)
    assert now() - 2 * A_MINUTE < found.beat_at < now()


def test_looks_that_failed_are_heard_until_the_next_one_goes_well(hear, up, tick):
    """One that is being taken says nothing yet; one of days ago, of a sensor nobody looks at any more, neither."""
    assert up
    tick("on_alert", TickStatus.FAILURE, 3 * A_MINUTE, TROUBLE)
    tick("on_alert", TickStatus.STARTED, 2 * A_MINUTE)
    tick("given_up", TickStatus.FAILURE, 26 * AN_HOUR, TROUBLE)
    tick("on_health", TickStatus.SKIPPED, A_MINUTE)
    assert hear().failed == ("on_alert",)
    assert now() - 2 * A_MINUTE < hear().ticked_at < now()
    tick("on_alert", TickStatus.SKIPPED, timedelta())
    assert hear().failed == ()
    assert now() - A_MINUTE < hear().ticked_at <= now()


def test_a_database_that_is_not_there_yet_tells_nothing(postgres, empty_ledger):
    """Nor does one without tables; one that nobody serves is an error."""
    for address in (empty_ledger.url, postgres.url("nobody_made_it")):
        with dagster_tables(address) as ask:
            assert ask("list_heartbeats") == []
    with pytest.raises(LedgerUnreachableError), dagster_tables("postgresql://me@127.0.0.1:1/x"):
        pass
