import logging
import socket
import time
from contextlib import suppress
from threading import Thread, Timer

import dagster as dg
import pytest
from pydantic import SecretStr

from coinhts_core.clock import now
from coinhts_core.errors import LedgerUnreachableError
from coinhts_core.requests.desk import Desk
from coinhts_core.settings import read_settings
from coinhts_pipeline.defs.requests import WORKER
from coinhts_pipeline.orderly import ANSWERS, await_ledger, await_runs, dismiss_answering, settle_requests
from tests.pipeline.asking import ask

_JOB = "answer_requests"


def settings_of(url, tmp_path):
    return read_settings({"COINHTS_HOME": str(tmp_path)}).model_copy(update={"postgres_url": SecretStr(url)})


def test_a_server_that_starts_beside_us_is_waited_for(postgres, tmp_path, caplog):
    """For as long as patience lasts, and told once; whoever comes is let in at once."""
    caplog.set_level(logging.INFO, "coinhts.start")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = settings_of(f"postgresql://postgres@127.0.0.1:{port}/coinhts", tmp_path)
    with pytest.raises(LedgerUnreachableError):
        await_ledger(settings, patience_s=0.6)
    assert caplog.messages == ["no PostgreSQL answers yet; it is waited for"]
    later = Timer(0.7, _passed_on, (port, postgres))
    later.daemon = True
    later.start()
    await_ledger(settings, patience_s=30)
    assert caplog.messages[-1] == "the ledger answers"


def _passed_on(port, postgres):
    """Be the server, a while later: what it is sent goes to the real one."""
    place = postgres.socket_directory / ".s.PGSQL.5432"

    def pump(source, target):
        with suppress(OSError):  # either side may hang up first
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def served(caller):
        with caller, socket.socket(socket.AF_UNIX) as beyond:
            beyond.connect(str(place))
            Thread(target=pump, args=(beyond, caller), daemon=True).start()
            pump(caller, beyond)

    server = socket.create_server(("127.0.0.1", port))
    while True:
        Thread(target=served, args=(server.accept()[0],), daemon=True).start()


def test_whom_nobody_lets_in_is_not_let_in_later(tmp_path, monkeypatch):
    """A password that is wrong stays wrong: the first answer is the last."""

    def refused(url):
        raise LedgerUnreachableError(address=url, reason='password authentication failed for user "coinhts"')

    monkeypatch.setattr("coinhts_pipeline.orderly.ensure_database", refused)
    begun = time.monotonic()
    with pytest.raises(LedgerUnreachableError):
        await_ledger(settings_of("postgresql://x/y", tmp_path), patience_s=30)
    assert time.monotonic() - begun < 5
    await_ledger(read_settings({"COINHTS_HOME": str(tmp_path)}))  # the embedded one is waited for elsewhere


@pytest.fixture
def begun(asked):
    """Have runs that are at work, as Dagster sees them."""
    runs = []

    def begin(**tags):
        run = dg.DagsterRun(job_name=_JOB, run_id=dg._core.utils.make_new_run_id(), tags=tags)
        asked.instance.add_run(run)
        asked.instance.report_engine_event("begins", run)
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, _JOB)
        asked.instance.report_dagster_event(event, run.run_id)
        runs.append(run)
        return run

    yield begin
    for run in runs:
        asked.instance.report_run_failed(run)


def test_runs_that_are_nearly_done_are_waited_for(asked, begun):
    """Not for ever; and not for one that only waits for more requests."""
    begun(**{WORKER: "w"})
    assert await_runs(asked.instance, patience_s=5) == []
    run = begun()
    Timer(0.3, asked.instance.report_run_failed, (run,)).start()
    assert await_runs(asked.instance, patience_s=30) == []
    long = begun()
    assert await_runs(asked.instance, patience_s=0.2) == [long.run_id]


def test_who_only_waits_for_requests_is_dismissed(asked, begun):
    """And nobody who does other work."""
    waiting, working = begun(**{WORKER: "w"}), begun()
    dismiss_answering(asked.instance)
    statuses = [asked.instance.get_run_by_id(run.run_id).status for run in (waiting, working)]
    assert statuses == [dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.STARTED]


def test_what_nobody_answers_any_more_waits_again(asked, begun):
    """What a run that is at work holds stays with it."""
    lost, held = ask(asked.rooms), ask(asked.rooms, account={"cash": 2_000_000})
    desk = Desk(asked.rooms.ledger)
    assert [of.id for of in desk.claim(1, "gone", now())] == [lost.id]
    assert [of.id for of in desk.claim(1, "alive", now())] == [held.id]
    begun(**{WORKER: "alive"})
    assert ANSWERS == WORKER
    assert settle_requests(asked.installation, now()) == [lost.id]
    assert (desk.find(lost.id).state, desk.find(held.id).state) == ("queued", "running")
    assert settle_requests(asked.installation, now()) == []
