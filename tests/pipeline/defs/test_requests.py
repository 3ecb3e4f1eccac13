from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.utils import make_new_run_id

from coinhts_core.alerts.outbox import Outbox
from coinhts_core.clock import now
from coinhts_core.requests.desk import Desk, Verdict
from coinhts_core.settings import read_settings
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.defs import requests
from coinhts_pipeline.defs.requests import ANSWER_REQUESTS, WORKER
from tests.pipeline.asking import ask, misbehave, question

_QUICK = {"lingers_s": 0.0, "processes": 1}


@pytest.fixture
def desk(asked):
    return Desk(asked.rooms.ledger)


def tick(house, name="on_backtest_request", cursor=None):
    repository = defs().get_repository_def()
    with dg.build_sensor_context(instance=house.instance, cursor=cursor, repository_def=repository) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


def configured(**facts):
    return {"ops": {"requests__results": {"config": _QUICK | facts}}}


def answer(house, **facts):
    return house.run(job=ANSWER_REQUESTS, config=configured(**facts))


def begun(house, worker, status):
    """Record a run that answers as somebody, as Dagster would."""
    run = dg.DagsterRun(job_name=ANSWER_REQUESTS, run_id=make_new_run_id(), status=status, tags={WORKER: worker})
    return house.instance.add_run(run)


def test_a_tick_claims_what_waits_into_one_run(asked, desk):
    """Whose run answers it; the result is a partition with figures and its page."""
    standings = [ask(asked.rooms, params={"fast": fast, "slow": 9}) for fast in (2, 3)]
    (wanted,) = tick(asked).run_requests
    assert desk.counts()["running"] == 2
    assert wanted.tags[WORKER] == wanted.run_key
    config = wanted.run_config["ops"]["requests__results"]["config"]
    result = answer(asked, **config)
    assert result.success
    assert asked.checks(result)["every_claim_is_settled"].passed
    assert desk.counts()["completed"] == 2
    events = {event.partition: event.metadata for event in asked.events("requests/results")}
    for standing in standings:
        told = events[standing.id]
        assert told["tearsheet"].value == f"/reports/requests/{standing.id}.html"
        assert told["result"].value == f"/api/backtests/{standing.id}/result"
        assert "total_return" in told
    assert desk.untold("completed", now()) == []
    assert not tick(asked).run_requests


def test_a_replayed_tick_claims_nothing_twice(asked, desk):
    """Nor does another daemon, or one that has lost its cursor."""
    for fast in range(2, 7):
        ask(asked.rooms, params={"fast": fast, "slow": 9})
    wanted = [run for _ in range(10) for run in tick(asked).run_requests]
    assert len(wanted) == 1
    assert desk.counts()["running"] == 5


def test_while_a_run_answers_no_other_is_begun(asked):
    """It takes what waits by itself; one that has begun long ago does not."""
    ask(asked.rooms)
    run = begun(asked, "w", dg.DagsterRunStatus.STARTED)
    assert not tick(asked).run_requests
    asked.instance.report_run_canceled(run)
    assert tick(asked).run_requests


def test_claims_whose_run_waits_for_its_turn_are_kept(asked, desk, monkeypatch):
    """Those of nobody wait again within two minutes."""
    ask(asked.rooms)
    desk.claim(1, "w", now())
    run = begun(asked, "w", dg.DagsterRunStatus.NOT_STARTED)
    monkeypatch.setattr(requests, "now", lambda: now() + timedelta(seconds=100))
    tick(asked)
    assert desk.counts()["running"] == 1
    asked.instance.report_run_canceled(run)
    monkeypatch.setattr(requests, "now", lambda: now() + timedelta(seconds=200))
    (wanted,) = tick(asked).run_requests
    assert len(desk.claims(wanted.run_key)) == 1


def test_what_was_given_up_is_alerted_once(asked, desk, monkeypatch):
    """With why, and what to do."""
    standing = ask(asked.rooms)
    moment = now()
    for _ in range(4):
        (claim,) = desk.claim(1, "w", moment)
        desk.settle(claim, Verdict("again", "the exchange is away"), moment)
        moment += timedelta(seconds=10)
    monkeypatch.setattr(requests, "now", lambda: moment)
    for _ in range(3):
        tick(asked)
    (alert,) = Outbox.open(asked.rooms.ledger, read_settings()).latest()
    assert alert.letter.title == "a backtest of sma_cross was given up"
    assert "the exchange is away" in alert.letter.body
    assert standing.id[:12] in alert.letter.body


def test_what_nobody_told_dagster_is_told_later(asked, desk):
    """A run may die between settling a request and recording it."""
    standing = ask(asked.rooms)
    (claim,) = desk.claim(1, "w", now())
    desk.settle(claim, Verdict("completed"), now() - timedelta(minutes=5))
    tick(asked)
    assert asked.events("requests/results")[-1].partition == standing.id
    assert desk.untold("completed", now()) == []


def test_what_a_dead_run_left_waits_again_and_what_a_stopped_one_left_is_cancelled(asked, desk):
    """As Dagster tells of its runs."""
    dead, stopped = ask(asked.rooms), misbehave(asked.rooms, "sleeps")
    desk.claim(1, "w", now())
    desk.claim(1, "v", now())
    cursors = {name: tick(asked, name).cursor for name in ("on_answering_failed", "on_answering_canceled")}
    asked.instance.report_run_failed(begun(asked, "w", dg.DagsterRunStatus.STARTED))
    asked.instance.report_run_canceled(begun(asked, "v", dg.DagsterRunStatus.STARTED))
    for name, cursor in cursors.items():
        tick(asked, name, cursor)
    assert (desk.find(dead.id).state, desk.find(stopped.id).state) == ("queued", "cancelled")


def test_a_request_is_materialised_by_hand(asked, desk):
    """As a partition: what failed is begun again, what is done is told again."""
    standing = ask(asked.rooms)
    desk.cancel(standing.id, now())
    asked.instance.add_dynamic_partitions("request", [standing.id])
    for _ in range(2):
        result = (
            defs()
            .resolve_job_def(ANSWER_REQUESTS)
            .execute_in_process(
                instance=asked.instance, partition_key=standing.id, run_config=configured(), raise_on_error=False
            )
        )
        assert result.success
        assert desk.find(standing.id).state == "completed"
        assert asked.events("requests/results")[-1].partition == standing.id


def test_forms_submit_cancel_and_retry(asked, desk):
    """In the launchpad, with what went wrong in words."""
    form = {"ops": {"submit": {"config": question()}}}
    assert asked.run(job="submit_request", config=form).success
    (standing,) = desk.listed()
    for job, op, state in (("cancel_request", "cancel", "cancelled"), ("retry_request", "retry", "queued")):
        assert asked.run(job=job, config={"ops": {op: {"config": {"id": standing.id[:8]}}}}).success
        assert desk.find(standing.id).state == state
    for job in ("cancel_request", "retry_request"):  # an empty form names those it could mean, and does nothing
        assert asked.run(job=job).success
        assert desk.find(standing.id).state == "queued"
    bad = asked.run(job="submit_request", config={"ops": {"submit": {"config": question(strategy="nobody")}}})
    (failed,) = [event for event in bad.all_events if event.is_step_failure]
    assert "strategy is refused" in failed.step_failure_data.user_failure_data.description
