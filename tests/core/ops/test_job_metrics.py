import sys
import time
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.errors import RefusedRowError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.ops.job_metrics import (
    KEPT,
    Measured,
    Window,
    daily,
    errors,
    figures,
    forget,
    keep,
    position,
    unmeasured,
)

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
ALWAYS = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def measured(took_s=1.0, *, job="collect", step="", ended_at=NOON, error_class=None, row_count=None, **facts):
    began_at = ended_at - timedelta(seconds=took_s)
    rest = {"run_id": str(uuid4()), "attempt": 1, "partitions": 1, "ended_event": 1} | facts
    return Measured(
        job=job,
        step=step,
        began_at=began_at,
        ended_at=ended_at,
        error_class=error_class,
        row_count=row_count,
        **rest,
    )


def kept(ledger, rows):
    return keep(ledger, rows, lambda _: None)


@pytest.fixture(scope="module")
def shared(postgres, _template):
    """Give one ledger whose metrics an example may forget."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE metrics TEMPLATE {_template}".encode())
        with Ledger.open(postgres.url("metrics")) as ledger:
            yield ledger
        connection.execute(b"DROP DATABASE metrics WITH (FORCE)")


def test_nothing_was_measured_at_first(ledger):
    """No figures, no days, no errors, and the beginning of the event log."""
    assert figures(ledger, ALWAYS) == []
    assert daily(ledger, ALWAYS) == {}
    assert errors(ledger, ALWAYS) == {}
    assert position(ledger) == 0


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 10**9), st.booleans(), st.none() | st.integers(0, 10**6)),
        min_size=1,
        max_size=40,
    )
)
def test_figures_are_those_of_numpy(shared, rows):
    """Percentiles as everybody interpolates them; rates of what did well, and of rows where they were told."""
    forget(shared, ALWAYS.until)
    kept(
        shared,
        [measured(us / 1e6, job=job, error_class=None if ok else "E", row_count=made) for job, us, ok, made in rows],
    )
    for found in figures(shared, ALWAYS):
        own = [row for row in rows if row[0] == found.job]
        took_s = [us / 1e6 for _, us, *_ in own]
        assert (found.p50_s, found.p95_s, found.p99_s) == pytest.approx(tuple(np.percentile(took_s, [50, 95, 99])))
        assert (found.count, found.succeeded) == (len(own), sum(ok for *_, ok, _ in own))
        assert found.success_rate == found.succeeded / found.count
        made = [row for row in own if row[3] is not None]
        making_s = sum(us for _, us, *_ in made) / 1e6
        assert found.rows_made == (sum(row[3] for row in made) if made else None)
        assert found.rows_per_s == (pytest.approx(found.rows_made / making_s) if making_s else None)
        assert (found.succeeded_at is None) == (not found.succeeded)
    assert {of.job for of in figures(shared, ALWAYS)} == {job for job, *_ in rows}


def test_kept_again_nothing_is_counted_or_told_twice(ledger):
    """What is new among what is known is told alone."""
    first, second, told = measured(), measured(), []
    assert keep(ledger, [first], told.extend) == [first]
    assert keep(ledger, [first, second], told.extend) == [second]
    assert keep(ledger, [first, second], told.extend) == []
    assert told == [first, second]
    assert figures(ledger, ALWAYS)[0].count == 2


def test_what_cannot_be_told_is_not_kept(ledger):
    """So that it is told the next time."""

    def fails(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        keep(ledger, [measured()], fails)
    assert figures(ledger, ALWAYS) == []


def test_attempts_and_steps_are_apart_from_runs(ledger):
    """Each attempt of a step counts for the step, and the run once."""
    run = str(uuid4())
    steps = [measured(attempt, run_id=run, step="made", attempt=attempt, error_class="E") for attempt in (1, 2)]
    kept(ledger, [*steps, measured(9, run_id=run, step="made", attempt=3), measured(12, run_id=run)])
    (of_run,) = figures(ledger, ALWAYS)
    (of_step,) = figures(ledger, ALWAYS, by_step=True)
    assert (of_run.step, of_run.count, of_run.p50_s) == ("", 1, 12)
    assert (of_step.step, of_step.count, of_step.succeeded, of_step.p50_s) == ("made", 3, 1, 2)


def test_a_window_holds_what_ended_in_it(ledger):
    """Its last moment is not in it; one job may be looked at alone."""
    kept(ledger, [measured(place, job="ab"[place % 2], ended_at=NOON + timedelta(hours=place)) for place in range(4)])
    assert [(of.job, of.count) for of in figures(ledger, Window(NOON, NOON + timedelta(hours=3)))] == [
        ("a", 2),
        ("b", 1),
    ]
    assert [of.job for of in figures(ledger, Window(NOON, NOON + timedelta(hours=3), "b"))] == ["b"]
    assert figures(ledger, Window(NOON, NOON)) == []


def test_days_are_those_of_utc(ledger):
    """A run that ends at midnight ends on the next day."""
    midnight = datetime(2026, 2, 2, tzinfo=UTC)
    ends = (midnight - timedelta(microseconds=1), midnight)
    kept(ledger, [measured(took_s, ended_at=at) for took_s, at in zip((1, 2), ends, strict=True)])
    assert daily(ledger, ALWAYS) == {"collect": {date(2026, 2, 1): 1.0, date(2026, 2, 2): 2.0}}


def test_errors_are_counted_by_their_class(ledger):
    """Of runs; what steps failed of on their way is not counted again."""
    kept(ledger, [measured(error_class=name) for name in ("A", "B", "B")])
    kept(ledger, [measured(step="made", error_class="C"), measured()])
    assert errors(ledger, ALWAYS) == {"collect": {"B": 2, "A": 1}}


def test_the_place_is_that_of_the_newest_end(ledger):
    """Not the highest number: Dagster's storage may be another by now, whose numbers began anew."""
    rows = [
        measured(ended_event=number, ended_at=NOON + timedelta(hours=at)) for number, at in ((7, 0), (9, 1), (8, 1))
    ]
    kept(ledger, rows)
    assert position(ledger) == 9
    kept(ledger, [measured(ended_event=2, ended_at=NOON + timedelta(hours=2))])
    kept(ledger, [measured(ended_event=5, ended_at=NOON + timedelta(hours=3), step="made")])
    assert position(ledger) == 2


def test_what_is_not_kept_yet_is_named(ledger):
    """However it is asked for."""
    rows = [measured()]
    kept(ledger, rows)
    unknown = str(uuid4())
    assert unmeasured(ledger, [unknown, rows[0].run_id]) == {unknown}
    assert unmeasured(ledger, []) == set()


def test_what_is_old_is_forgotten(ledger):
    """More than a year is kept, so that a year can be looked back at."""
    kept(ledger, [measured(ended_at=NOON - KEPT + timedelta(days=days)) for days in (-1, 0, 1)])
    assert forget(ledger, NOON - KEPT, only_looks=True) == 1
    assert forget(ledger, NOON - KEPT) == 1
    assert figures(ledger, ALWAYS)[0].count == 2
    assert timedelta(days=366) < KEPT


def test_an_end_before_its_beginning_is_refused(ledger):
    """Whoever measures says how long it took at least."""
    with pytest.raises(RefusedRowError, match="end_is_not_before_beginning"):
        kept(ledger, [measured(-1)])


_FILL = """
    INSERT INTO job_metrics (
        run_id, step, attempt, job, began_at, ended_at, success, error_class, row_count, partitions, ended_event
    )
    SELECT
        gen_random_uuid(), step, 1, 'job_' || run %% 12, ended_at - random() * random() * interval '120 s', ended_at,
        run %% 40 > 0, CASE WHEN run %% 40 = 0 THEN 'RefusedRowError' END, (random() * 1e6)::bigint, 3, run
    FROM generate_series(1, %(runs)s) AS run
    CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01' + run * interval '315 s' AS ended_at) AS ends
    CROSS JOIN unnest(ARRAY['', 'candles__minute', 'signals__sma_cross', 'backtests__sma_cross']) AS step
"""


@pytest.mark.slow
def test_percentiles_of_100_000_runs(ledger):
    """A year of runs, each with three steps, is read off one index, of a table that stays small."""
    with ledger.transaction() as connection:
        connection.execute(_FILL, {"runs": 100_000})
    with ledger._connection() as connection:
        connection.set_autocommit(True)
        connection.execute("VACUUM (ANALYZE) job_metrics")
        connection.set_autocommit(False)
    took_s = {}
    looks = {
        "percentiles of 100,000 runs": lambda: figures(ledger, ALWAYS),
        "of their 300,000 steps": lambda: figures(ledger, ALWAYS, by_step=True),
        "of the runs of the last day": lambda: figures(ledger, Window(NOON + timedelta(days=360), ALWAYS.until)),
        "by day": lambda: daily(ledger, ALWAYS),
        "the place in the event log": lambda: position(ledger),
    }
    for what, look in looks.items():
        took_s[what] = min(_timed(look) for _ in range(5))
        sys.stdout.write(f"{what}: {took_s[what] * 1_000:.1f} ms\n")
    with ledger.transaction() as connection:
        explained = f"EXPLAIN (ANALYZE, BUFFERS) {load_queries('job_metrics')['measure_runs']}"
        plan = connection.execute(explained.encode(), vars(ALWAYS)).fetchall()
        (size,) = connection.execute("SELECT pg_total_relation_size('job_metrics')").fetchone()
    sys.stdout.write("".join(f"    {line}\n" for (line,) in plan))
    sys.stdout.write(f"400,000 rows with their indexes: {size / 2**20:.0f} MiB\n")
    assert any("Index Only Scan using job_metrics_of_runs" in line for (line,) in plan)
    assert size < 150 * 2**20
    assert forget(ledger, NOON + timedelta(days=180)) > 100_000


def _timed(look):
    began = time.perf_counter()
    look()
    return time.perf_counter() - began
