-- name: lock_metrics
-- One who measures at a time, so that each row is told once.
SELECT pg_advisory_xact_lock(hashtextextended('job_metrics', 0));

-- name: find_position
-- Dagster's number of the newest end that is measured: not the highest number, for another storage begins anew.
SELECT ended_event FROM job_metrics
WHERE step = ''
ORDER BY ended_at DESC, ended_event DESC
LIMIT 1;

-- name: find_measured
-- Those of some runs that are measured already.
SELECT run_id::text AS run_id FROM job_metrics
WHERE run_id = any(%(runs)s) AND step = '';

-- name: record_metric
-- One run, or one attempt of a step, unless it is there already.
INSERT INTO job_metrics (
    run_id, step, attempt, job, began_at, ended_at, success, error_class, row_count, partitions, ended_event
)
VALUES (
    %(run_id)s, %(step)s, %(attempt)s, %(job)s, %(began_at)s, %(ended_at)s, %(success)s, %(error_class)s,
    %(row_count)s, %(partitions)s, %(ended_event)s
)
ON CONFLICT (run_id, step, attempt) DO NOTHING
RETURNING run_id;

-- name: measure_runs
-- How the runs of each job did that ended within a time, read off one index.
SELECT
    job,
    '' AS step,
    count(*) AS count,
    count(*) FILTER (WHERE success) AS succeeded,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_s) AS percentiles_s,
    sum(row_count)::bigint AS rows_made,
    sum(duration_s) FILTER (WHERE row_count IS NOT NULL) AS making_s,
    max(ended_at) FILTER (WHERE success) AS succeeded_at
FROM job_metrics
WHERE
    step = '' AND ended_at >= %(since)s AND ended_at < %(until)s
    AND (%(job)s::text IS NULL OR job = %(job)s)
GROUP BY job
ORDER BY job;

-- name: measure_steps
-- How the steps of each job did, attempt by attempt, that ended within a time.
SELECT
    job,
    step,
    count(*) AS count,
    count(*) FILTER (WHERE success) AS succeeded,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_s) AS percentiles_s,
    sum(row_count)::bigint AS rows_made,
    sum(duration_s) FILTER (WHERE row_count IS NOT NULL) AS making_s,
    max(ended_at) FILTER (WHERE success) AS succeeded_at
FROM job_metrics
WHERE
    step <> '' AND ended_at >= %(since)s AND ended_at < %(until)s
    AND (%(job)s::text IS NULL OR job = %(job)s)
GROUP BY job, step
ORDER BY job, step;

-- name: measure_days
-- The time that 95 of 100 runs of each job took at most, day by day.
SELECT
    job,
    (ended_at AT TIME ZONE 'UTC')::date AS day,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_s) AS p95_s
FROM job_metrics
WHERE
    step = '' AND ended_at >= %(since)s AND ended_at < %(until)s
    AND (%(job)s::text IS NULL OR job = %(job)s)
GROUP BY job, day
ORDER BY job, day;

-- name: count_errors
-- What runs failed of, the most frequent first.
SELECT
    job,
    error_class,
    count(*) AS count
FROM job_metrics
WHERE step = '' AND NOT success AND ended_at >= %(since)s AND ended_at < %(until)s
GROUP BY job, error_class
ORDER BY count(*) DESC, job ASC, error_class ASC;

-- name: forget_metrics
-- What ended before a moment is told no more.
DELETE FROM job_metrics
WHERE ended_at < %(before)s;

-- name: find_old_metrics
-- What would not be told any more.
SELECT FROM job_metrics
WHERE ended_at < %(before)s;
