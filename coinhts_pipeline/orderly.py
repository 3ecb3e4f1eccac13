"""A house begins and ends in order: what is waited for at the start, and what is brought to an end before the stop.

What lives here: waiting for the ledger, for runs that are nearly done, and for requests to lie as they should. What
stays out: the schema (`schema`), and processes (`up`).

A start: the ledger answers → a backup, where a migration is missing → the migrations → the schema is judged → all
processes answer. A stop: front, UI and daemon, so that nothing new begins → runs finish, or end as failed → what they
were answering waits again → the code location → the server, when nobody else shares it. All of it in ten seconds.
"""

import logging
import time
from datetime import datetime

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from coinhts_core.errors import LedgerUnreachableError
from coinhts_core.ledger.connection import ensure_database
from coinhts_core.requests.desk import Desk
from coinhts_core.settings import Settings
from coinhts_pipeline.installation import Installation

ANSWERS = "coinhts/worker"  # the tag of runs that answer requests, and whose claims it names
_PATIENCE_S = 60.0
_PAUSE_S = 0.5
_TO_FINISH_S = 1.5
_LOOKS_EVERY_S = 0.1
_UNFINISHED = [*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]
# Whoever is let in by nobody is not let in a minute later, either.
_FINAL = ("password", "authentication", "pg_hba.conf", "cannot be read", "permission denied")
_log = logging.getLogger("coinhts.start")


def await_ledger(settings: Settings, patience_s: float = _PATIENCE_S) -> None:
    """A server that starts beside us may take a while; the embedded one is waited for where it is started."""
    if settings.postgres_url is None:
        return
    deadline, told = time.monotonic() + patience_s, False
    while True:
        try:
            ensure_database(settings.postgres_url.get_secret_value())
        except LedgerUnreachableError as error:
            if time.monotonic() > deadline or any(word in str(error.reason) for word in _FINAL):
                raise
            if not told:
                _log.warning("no PostgreSQL answers yet; it is waited for", extra={"facts": {"reason": error.reason}})
            told = True
            time.sleep(_PAUSE_S)
        else:
            _log.info("the ledger answers")
            return


def dismiss_answering(instance: dg.DagsterInstance) -> None:
    """Runs that answer requests, and mostly wait for more, end as cancelled: no failure that anybody should hear of."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if ANSWERS in run.tags:
            instance.report_run_canceling(run, "the house stops; what is being answered waits again")


def await_runs(instance: dg.DagsterInstance, patience_s: float = _TO_FINISH_S) -> list[str]:
    """Those still at work when patience ends; one that answers requests only waits for more, and is not waited for."""
    deadline = time.monotonic() + patience_s
    while True:
        begun = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        working = [run.run_id for run in begun if ANSWERS not in run.tags]
        if not working or time.monotonic() > deadline:
            return working
        time.sleep(_LOOKS_EVERY_S)


def settle_requests(installation: Installation, at: datetime) -> list[str]:
    """What was being answered by runs that are over waits again, and not for a silence to be noticed."""
    desk = Desk(installation.rooms.ledger)
    unfinished = installation.instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    alive = {run.tags.get(ANSWERS, run.run_id) for run in unfinished}
    return desk.requeue_orphans(at, gone=[worker for worker in desk.workers() if worker not in alive])
