import logging
import sys

import dagster as dg
import pytest
from dagster._core.events.log import EventLogEntry
from dagster_shared.error import SerializableErrorInfo

from coinhts_core.masking import HIDDEN, Mask
from coinhts_pipeline.hush import hush, without_secrets

SECRET = 'hush-hush\\ "now"'  # noqa: S105 - planted


@pytest.fixture
def _planted(monkeypatch):
    monkeypatch.setenv("COINHTS_WEB__TOKEN", SECRET)
    records, recorded = logging.getLogRecordFactory(), SerializableErrorInfo.from_traceback
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    hush()
    yield
    SerializableErrorInfo.from_traceback = recorded
    logging.setLogRecordFactory(records)


def events(body):
    """Give all that Dagster records of a run of one asset."""
    with dg.instance_for_test() as instance:
        asset = dg.asset(name="planted")(body)
        run = dg.materialize([asset], instance=instance, raise_on_error=False)
        return instance.all_logs(run.run_id)


@pytest.mark.usefixtures("_planted")
def test_no_error_is_recorded_with_a_secret():
    """Its words, the lines of code it came by, and every error it came from."""

    def failing():
        try:
            raise ConnectionError(SECRET)  # noqa: TRY301 - for what follows from it
        except ConnectionError as error:
            raise RuntimeError(f"{SECRET} was refused") from error  # noqa: TRY003, EM102 - what somebody will do

    recorded = "".join(map(str, events(failing)))
    assert f"RuntimeError: {HIDDEN} was refused" in recorded
    assert f"ConnectionError: {HIDDEN}" in recorded
    assert "hush-hush" not in recorded


@pytest.mark.usefixtures("_planted")
def test_an_event_keeps_its_names_and_loses_its_secrets():
    """A password that is an asset's name, or a job's, hides no event from those who look for it."""

    def telling(context: dg.AssetExecutionContext):
        context.log.info(SECRET)
        notes = {"planted": SECRET, "nested": {"a": [SECRET]}, "number": 12}
        context.log_event(dg.AssetObservation("planted", description=SECRET, metadata=notes))

    mask = Mask([SECRET, "planted", "EventLogEntry"])
    for event in events(telling):
        shown = without_secrets(event, mask)
        assert isinstance(shown, EventLogEntry)
        assert "hush-hush" not in str(shown)
        assert (shown.run_id, shown.job_name, shown.timestamp) == (event.run_id, event.job_name, event.timestamp)
        if event.is_dagster_event and event.dagster_event.asset_key:
            assert shown.dagster_event.asset_key == event.dagster_event.asset_key


def test_an_event_without_secrets_is_left_as_it_is():
    """Nothing is made anew for nothing."""
    for event in events(lambda: None):
        assert without_secrets(event, Mask([SECRET])) is event
