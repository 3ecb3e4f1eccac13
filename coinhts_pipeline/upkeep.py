"""Looking after a house: what is done every day and every week, by jobs or by hand.

What lives here: the chores, each a name, a sentence and what it does. What to add: a chore, in the order they are to be
done. What stays out: finding and putting away (`coinhts_core.upkeep` and the rooms whose policies they are), and when
(`defs.upkeep`).
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import dagster as dg

from coinhts_core.backups.pruning import looked_over, prune
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.errors import CoinhtsError, RefusedError
from coinhts_core.ledger.address import spoken_as
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ops import job_metrics
from coinhts_core.results.retention import KEPT_FOR_DAYS, judged
from coinhts_core.results.shelf import Shelf
from coinhts_core.upkeep import files, history, records
from coinhts_core.upkeep.tidied import Tidied
from coinhts_pipeline.backtests import remove
from coinhts_pipeline.rooms import Rooms

_REQUESTS = "request"
_ANSWERS = dg.AssetKey(["requests", "results"])
_log = logging.getLogger("coinhts.upkeep")


@dataclass(frozen=True)
class Looked:
    """The house as a chore finds it, and whether it only looks."""

    rooms: Rooms
    instance: dg.DagsterInstance
    moment: datetime
    only_looks: bool

    @property
    def home(self) -> Path:
        return self.rooms.settings.home

    @contextmanager
    def dagster(self) -> Iterator[Ledger]:
        """Dagster's own database."""
        address = self.rooms.settings.dagster_postgres_url
        url = spoken_as("postgresql", address.get_secret_value() if address else "")
        with Ledger.open(url, most_connections=1) as opened:
            yield opened


@dataclass(frozen=True)
class Chore:
    """One thing that is done, how often, and what it does in a sentence."""

    name: str
    every: Literal["day", "week"]
    says: str
    do: Callable[[Looked], Tidied]


@dataclass(frozen=True)
class Done:
    """What a chore found and put away, or would; or why it could not be done."""

    chore: Chore
    tidied: Tidied
    error: CoinhtsError | None = None

    @property
    def facts(self) -> dict[str, object]:
        reason = {"error": str(self.error)} if self.error else {}
        return {"chore": self.chore.name, **self.tidied.facts, **reason}


def look_after(looked: Looked, chore: Chore) -> Done:
    """Told in the log whenever there was something."""
    done = Done(chore, chore.do(looked))
    if done.tidied.count and not looked.only_looks:
        _log.info("looked after", extra={"facts": done.facts})
    return done


def look_after_all(looked: Looked, progress: Callable[[str], None]) -> Iterator[Done]:
    """Every chore; one that cannot be done keeps no other from being done."""
    for chore in CHORES:
        try:
            yield look_after(looked, chore)
        except CoinhtsError as error:
            yield Done(chore, Tidied(0), error)
        progress(chore.name)


def _drafts(at: Looked) -> Tidied:
    return files.remove_drafts(at.home, Path(tempfile.gettempdir()), at.moment, only_looks=at.only_looks)


def _prints(at: Looked) -> Tidied:
    return files.remove_prints(at.home / "dagster" / "storage", at.moment, only_looks=at.only_looks)


def _sessions(at: Looked) -> Tidied:
    return records.end_sessions(at.rooms.ledger, at.moment, only_looks=at.only_looks)


def _runs(at: Looked) -> Tidied:
    with at.dagster() as dagster:
        return history.forget_history(dagster, at.moment, only_looks=at.only_looks)


def _logs(at: Looked) -> Tidied:
    return files.archive_logs(at.home / "logs", at.moment, only_looks=at.only_looks)


def _lake(at: Looked) -> Tidied:
    swept = at.rooms.lake.sweep(at.moment, only_looks=at.only_looks)
    return Tidied(swept.names, swept.size, swept.damaged)


def _results(at: Looked) -> Tidied:
    shelf = Shelf(at.rooms.ledger, at.rooms.lake)
    verdicts = judged(shelf.answers(), at.moment, timedelta(days=KEPT_FOR_DAYS))
    if at.only_looks:
        return Tidied.named([of.answer.id for of in verdicts if of.goes])
    return Tidied.named(remove(at.rooms.settings, shelf, verdicts))


def _requests(at: Looked) -> Tidied:
    return records.forget_requests(at.rooms.ledger, at.moment, only_looks=at.only_looks)


def _partitions(at: Looked) -> Tidied:
    """Of requests that are not known any more, with all that Dagster was told of them."""
    known = records.known_requests(at.rooms.ledger)
    gone = [name for name in at.instance.get_dynamic_partitions(_REQUESTS) if name not in known]
    if gone and not at.only_looks:
        with at.dagster() as dagster:
            history.forget_partitions(dagster, _ANSWERS.to_string(), gone)
        for name in gone:
            at.instance.delete_dynamic_partition(_REQUESTS, name)
    return Tidied.named(gone)


def _alerts(at: Looked) -> Tidied:
    return records.forget_alerts(at.rooms.ledger, at.moment, only_looks=at.only_looks)


def _metrics(at: Looked) -> Tidied:
    return Tidied(job_metrics.forget(at.rooms.ledger, at.moment - job_metrics.KEPT, only_looks=at.only_looks))


def _backups(at: Looked) -> Tidied:
    """What the policy lets go; where it refuses, its reason in place of names."""
    shelf = BackupShelf.open(at.rooms.settings)
    report = looked_over(shelf, at.moment)
    if at.only_looks or report.refusals:
        gone = [] if report.refusals else report.obsolete
        return Tidied(len(gone), sum(of.size for of in gone), report.refusals or tuple(of.name for of in gone))
    pruned = prune(at.rooms.settings, shelf, report, at.moment)
    if pruned.refused:
        raise RefusedError(reason=pruned.refused)
    return Tidied(len(pruned.backups) + len(pruned.left_overs) + pruned.objects, pruned.size, pruned.backups)


def _tables(at: Looked) -> Tidied:
    with at.dagster() as dagster:
        found = [records.vacuum(of, only_looks=at.only_looks) for of in (at.rooms.ledger, dagster)]
    return Tidied(sum(of.count for of in found), 0, tuple(name for of in found for name in of.names))


CHORES = (
    Chore("drafts", "day", "Files that killed processes left half-written for an hour are removed.", _drafts),
    Chore("sessions", "day", "Logins that are over are forgotten.", _sessions),
    Chore("prints", "day", "What steps printed is removed after 30 days.", _prints),
    Chore("runs", "day", "Runs and what they told are forgotten after 30 days; lineage and versions stay.", _runs),
    Chore("logs", "week", "Logs that nothing was written to for 90 days are compressed into logs/archive.", _logs),
    Chore("results", "week", "Results that a newer answer has stood for since 30 days are removed.", _results),
    Chore("requests", "week", "Requests without an answer are forgotten after 90 days.", _requests),
    Chore("partitions", "week", "Partitions of requests that are not known any more are removed.", _partitions),
    Chore("lake", "week", "Versions in the lake superseded a week ago are removed, never the two newest.", _lake),
    Chore("alerts", "week", "Alerts are forgotten 90 days after they were raised, unless one still waits.", _alerts),
    Chore("metrics", "week", "How long a run took is forgotten after 400 days.", _metrics),
    Chore("backups", "week", "Backups that no rule keeps are removed, a fifth at most at once.", _backups),
    Chore("tables", "day", "Tables with many dead or changed rows are vacuumed and analysed.", _tables),
)
