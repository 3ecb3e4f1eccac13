-- name: has_tables
-- Whether Dagster has laid out its storage in this database.
SELECT 1
WHERE to_regclass('runs') IS NOT NULL AND to_regclass('daemon_heartbeats') IS NOT NULL;

-- name: find_begun_runs
-- Runs that somebody should be at work on, and when they were last heard of.
SELECT run_id, update_timestamp AT TIME ZONE 'UTC'
FROM runs
WHERE status IN ('STARTING', 'STARTED', 'CANCELING');

-- name: find_failed_runs
-- Runs that have failed since a moment.
SELECT run_id
FROM runs
WHERE status = 'FAILURE' AND update_timestamp AT TIME ZONE 'UTC' > %(since)s;

-- name: list_heartbeats
-- When each of the daemon's parts was last alive, and what it complained of.
SELECT
    daemon_type,
    body,
    timestamp AT TIME ZONE 'UTC'
FROM daemon_heartbeats
ORDER BY daemon_type;
