"""Metrics of jobs: how long runs and steps took, how they ended, and what follows for each job.

What lives here: `Measured`, which the ledger keeps once for each run and each attempt of a step, and figures over a
time. What to add: a figure, where SQL works it out. What stays out: reading Dagster (`coinhts_pipeline.measuring`).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from coinhts_core.hashes import Fact
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries

KEPT: Final = timedelta(days=400)  # a year, and whoever looks back at it a month later
LEAST_SUCCESS: Final = 0.95
LONG_S: Final = 60.0
TOO_LONG_S: Final = 120.0


@dataclass(frozen=True)
class Measured:
    """A run that ended, or an attempt of one of its steps; a run's own has no step."""

    run_id: str
    job: str
    step: str
    attempt: int
    began_at: datetime
    ended_at: datetime
    error_class: str | None
    row_count: int | None
    partitions: int
    ended_event: int
    error: str | None = None  # the sentence, which the ledger does not keep

    @property
    def success(self) -> bool:
        return self.error_class is None

    @property
    def row(self) -> dict[str, Any]:
        return {**vars(self), "success": self.success}

    @property
    def line(self) -> dict[str, Fact]:
        """What a line of the log says of it."""
        return {
            "metric_type": "step" if self.step else "job",
            "job_name": self.job,
            "duration_ms": round((self.ended_at - self.began_at).total_seconds() * 1_000, 2),
            "success": self.success,
            "error": self.error,
            "timestamp": self.ended_at.isoformat(),
            "run_id": self.run_id,
            "step": self.step,
            "attempt": self.attempt,
            "began_at": self.began_at.isoformat(),
            "rows": self.row_count,
            "partitions": self.partitions,
            "error_class": self.error_class,
        }


@dataclass(frozen=True)
class Figures:
    """What the runs of a job, or the attempts of a step, came to."""

    job: str
    step: str
    count: int
    succeeded: int
    p50_s: float
    p95_s: float
    p99_s: float
    rows_made: int | None
    rows_per_s: float | None
    succeeded_at: datetime | None

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        job, step, count, succeeded, (p50_s, p95_s, p99_s), rows_made, making_s, succeeded_at = row
        rate = rows_made / making_s if rows_made is not None and making_s else None
        return cls(job, step, count, succeeded, p50_s, p95_s, p99_s, rows_made, rate, succeeded_at)

    @property
    def success_rate(self) -> float:
        return self.succeeded / self.count

    @property
    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "success_rate": self.success_rate}


@dataclass(frozen=True)
class Window:
    """When what is looked at ended, the last moment not included; of one job, or of all."""

    since: datetime
    until: datetime
    job: str | None = None


def keep(ledger: Ledger, measured: Sequence[Measured], tell: Callable[[Sequence[Measured]], None]) -> list[Measured]:
    """Give what is new. It is told before it is kept for good: who dies between tells it twice, never not at all."""
    queries = load_queries("job_metrics")
    if not measured:
        return []
    with ledger.transaction() as connection:
        connection.execute(queries["lock_metrics"])
        new = [of for of in measured if connection.execute(queries["record_metric"], of.row).fetchone()]
        if new:
            tell(new)
    return new


def position(ledger: Ledger) -> int:
    """Up to which of Dagster's events ends are measured, but for stragglers."""
    with ledger.transaction() as connection:
        found = connection.execute(load_queries("job_metrics")["find_position"]).fetchone()
    return int(found[0]) if found else 0


def unmeasured(ledger: Ledger, runs: Collection[str]) -> set[str]:
    """Those of some runs that are not kept."""
    asked = {"runs": [UUID(run) for run in runs]}
    with ledger.transaction() as connection:
        known = connection.execute(load_queries("job_metrics")["find_measured"], asked).fetchall()
    return set(runs) - {run for (run,) in known}


def figures(ledger: Ledger, window: Window, *, by_step: bool = False) -> list[Figures]:
    """By job, or by job and step, of what ended within the window."""
    statement = load_queries("job_metrics")["measure_steps" if by_step else "measure_runs"]
    with ledger.transaction() as connection:
        rows = connection.execute(statement, vars(window)).fetchall()
    return [Figures.of(row) for row in rows]


def daily(ledger: Ledger, window: Window) -> dict[str, dict[date, float]]:
    """Of each job, the seconds that 95 of 100 runs took at most, by the day they ended."""
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("job_metrics")["measure_days"], vars(window)).fetchall()
    found: dict[str, dict[date, float]] = {}
    for job, day, p95_s in rows:
        found.setdefault(job, {})[day] = p95_s
    return found


def errors(ledger: Ledger, window: Window) -> dict[str, dict[str, int]]:
    """Of each job that failed, of what and how often."""
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("job_metrics")["count_errors"], vars(window)).fetchall()
    found: dict[str, dict[str, int]] = {}
    for job, error_class, count in rows:
        found.setdefault(job, {})[error_class] = count
    return found


def forget(ledger: Ledger, before: datetime, *, only_looks: bool = False) -> int:
    """Count the rows that ended before a moment, and are gone now unless one only looks."""
    query = load_queries("job_metrics")["find_old_metrics" if only_looks else "forget_metrics"]
    with ledger.transaction() as connection:
        return connection.execute(query, {"before": before}).rowcount
