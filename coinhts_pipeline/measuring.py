"""Runs as Dagster recorded them, measured: read off its event log once each, in batches, whoever executed them.

What lives here: `measure`, and the log of what it found. What stays out: what is kept and worked out of it
(`coinhts_core.ops.job_metrics`), and when it is done (`defs.metrics`).

Dagster is not imported: that takes longer than the work. Its tables are read as they are, and tests hold them against
the pinned Dagster's own words. The place in the event log is the newest end that the ledger keeps: it is noted with the
rows themselves, so nothing is lost or counted twice, whoever is killed, and whichever of the two is restored.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import psycopg

from coinhts_core.hashes import canonical
from coinhts_core.ledger.address import spoken_as
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.masking import Mask
from coinhts_core.ops.job_metrics import Measured, keep, position, unmeasured
from coinhts_core.settings import Settings
from coinhts_core.wording import clipped
from coinhts_pipeline.rotation import rotate

PROCESS_GONE = "ProcessGone"
NEVER_BEGUN = "NeverBegun"
CANCELED = "Canceled"
_MOST_RUNS = 1_000
_AT_ONCE = 10  # runs: a large one has made a hundred thousand partitions, which take more than a second to count
_WRAPPERS = ("Dagster", "Failure", "RetryRequested")  # around what really happened


def log_file(settings: Settings) -> Path:
    return settings.home / "logs" / "metrics.jsonl"


def measure(ledger: Ledger, settings: Settings, most: int = _MOST_RUNS) -> int:
    """Count the runs that were not measured yet and are now, at most so many; none while Dagster has no storage."""
    given = settings.dagster_postgres_url
    if given is None:
        return 0
    with Ledger.open(spoken_as("postgresql", given.get_secret_value()), most_connections=1) as dagster:
        place, count = _start(dagster, position(ledger)), 0
        while place is not None and count < most:
            place, measured = _next(dagster, ledger, place)
            count += sum(not of.step for of in keep(ledger, measured, partial(_tell, settings)))
    return count


def _start(dagster: Ledger, noted: int) -> int | None:
    """None while Dagster has no storage."""
    with dagster.transaction() as connection:
        if not connection.execute(load_queries("dagster")["has_tables"]).fetchone():
            return None
        found = connection.execute(load_queries("runs")["find_start"], {"position": noted}).fetchone()
    return int(found[0]) if found else None


def _next(dagster: Ledger, ledger: Ledger, place: int) -> tuple[int | None, list[Measured]]:
    """What ended next and is not measured, and the place behind it; no place behind the last."""
    with dagster.transaction() as connection:
        asked = {"place": place, "most": _AT_ONCE}
        ended = connection.execute(load_queries("runs")["find_ended_runs"], asked).fetchall()
        jobs = {run: job for _, run, job in ended if job is not None}
        new = unmeasured(ledger, jobs)
        measured = _measured(connection, {run: job for run, job in jobs.items() if run in new})
    return (ended[-1][0] if len(ended) == _AT_ONCE else None), measured


def _tell(settings: Settings, measured: Sequence[Measured]) -> None:
    """A line each, masked, at once."""
    log, mask = log_file(settings), Mask.of(settings)
    rotate(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{canonical(_masked(of, mask).line)}\n" for of in measured)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
        file.write(lines.encode())


def _masked(of: Measured, mask: Mask) -> Measured:
    return replace(of, error=clipped(mask(of.error)) if of.error else None)


@dataclass(frozen=True)
class _Turn:
    """One thing that happened to a run or a step."""

    number: int
    run: str
    kind: str
    step: str
    at: datetime
    said: str | None


@dataclass
class _Attempt:
    """A step being tried; it ends with a reason, or with none when all went well."""

    began_at: datetime
    ended_at: datetime | None = None
    reason: tuple[str, str | None] | None = None


@dataclass
class _Course:
    """How a run went, turn by turn."""

    began_at: datetime | None = None
    attempts: dict[str, list[_Attempt]] = field(default_factory=dict)
    end: _Turn | None = None

    @classmethod
    def of(cls, turns: Sequence[_Turn]) -> Self:
        course = cls()
        for turn in turns:
            if course.end is None:
                course._take(turn)
        return course

    def _take(self, turn: _Turn) -> None:
        if turn.kind == "PIPELINE_START":
            self.began_at = turn.at
        elif not turn.step:
            self.end = turn
        elif turn.kind in {"STEP_START", "STEP_RESTARTED"}:
            self.attempts.setdefault(turn.step, []).append(_Attempt(turn.at))
        elif turn.step in self.attempts:
            latest = self.attempts[turn.step][-1]
            latest.ended_at = turn.at
            latest.reason = _reason(turn.said) if turn.said else None


def _measured(dagster: psycopg.Connection, jobs: Mapping[str, str]) -> list[Measured]:
    """Each run after its steps, in the order of their ends."""
    asked, runs = {"runs": list(jobs)}, load_queries("runs")
    turns: dict[str, list[_Turn]] = {run: [] for run in jobs}
    for row in dagster.execute(runs["find_turns"], asked):
        turns[row[1]].append(_Turn(*row))
    made: dict[tuple[str, str, int], dict[str, int | None]] = {}
    for run, step, attempt, partitions, row_count in dagster.execute(runs["count_made"], asked):
        made[run, step, attempt] = {"partitions": partitions, "row_count": row_count}
    return [of for run, job in jobs.items() for of in _of_run(run, job, _Course.of(turns[run]), made)]


def _of_run(
    run: str, job: str, course: _Course, made: Mapping[tuple[str, str, int], Mapping[str, Any]]
) -> list[Measured]:
    end = course.end
    if end is None:
        return []
    open_end = (CANCELED if end.kind == "PIPELINE_CANCELED" else PROCESS_GONE, None)
    steps = []
    for step, attempts in course.attempts.items():
        for attempt, of in enumerate(attempts, start=1):
            ended_at, reason = (of.ended_at, of.reason) if of.ended_at else (end.at, open_end)
            tally = made.get((run, step, attempt), {"partitions": 0, "row_count": None})
            span = of.began_at, max(of.began_at, ended_at)
            steps.append(_row(run, job, end.number, span, reason, step=step, attempt=attempt, **tally))
    tallies = [made_by for (of_run, *_), made_by in made.items() if of_run == run]
    told = [of["row_count"] for of in tallies if of["row_count"] is not None]
    tally = {
        "row_count": sum(told) if told else None,
        "partitions": max((of["partitions"] for of in tallies), default=0),
    }
    span = course.began_at or end.at, max(course.began_at or end.at, end.at)
    return [*steps, _row(run, job, end.number, span, _verdict(course, end), **tally)]


def _verdict(course: _Course, end: _Turn) -> tuple[str, str | None] | None:
    """Why a run did not do well: what its first failed step failed of, else what Dagster says of its end."""
    if end.kind == "PIPELINE_SUCCESS":
        return None
    if end.kind == "PIPELINE_CANCELED":
        return CANCELED, None
    last = [attempts[-1] for attempts in course.attempts.values()]
    if failed := next((of.reason for of in last if of.reason), None):
        return failed
    said = _reason(end.said or "{}")
    if said[0] != PROCESS_GONE:
        return said
    return (PROCESS_GONE if course.began_at else NEVER_BEGUN), said[1]


def _row(
    run: str,
    job: str,
    number: int,
    span: tuple[datetime, datetime],
    reason: tuple[str, str | None] | None,
    *,
    step: str = "",
    attempt: int = 1,
    row_count: int | None,
    partitions: int,
) -> Measured:
    error_class, error = reason or (None, None)
    return Measured(run, job, step, attempt, *span, error_class, row_count, partitions, number, error)


def _reason(said: str) -> tuple[str, str | None]:
    """The class of what went wrong, without what Dagster puts around it, and the sentence."""
    event = json.loads(said).get("dagster_event") or {}
    error = (event.get("event_specific_data") or {}).get("error")
    if not error:
        return PROCESS_GONE, event.get("message")
    chain = [error]
    while cause := chain[-1].get("cause"):
        chain.append(cause)
    really = next((of for of in chain if not _is_wrapper(of.get("cls_name") or "")), chain[-1])
    name = str(really.get("cls_name") or "Exception")
    message = str(really.get("message") or "").strip()
    module, named, sentence = message.partition(f"{name}: ")
    return name, sentence if named and " " not in module else message


def _is_wrapper(name: str) -> bool:
    return name.startswith(_WRAPPERS)
