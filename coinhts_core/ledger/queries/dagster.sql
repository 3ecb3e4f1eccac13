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

-- name: take_time
-- For a look over everything, as long as this transaction lasts.
SELECT set_config('statement_timeout', '0', TRUE);

-- name: find_spent_events
-- What was told before a moment by runs that are over, but for the last word on each partition of an asset and on each
-- check of it: those are what lineage and data versions are read from.
WITH at_work AS (
    SELECT run_id FROM runs
    WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED') OR update_timestamp AT TIME ZONE 'UTC' >= %(before)s
),

judged AS (
    SELECT max(id) AS id FROM asset_check_executions
    GROUP BY asset_key, check_name, partition, execution_status = 'PLANNED'
),

lasting AS (
    SELECT max(id) AS id FROM event_logs
    WHERE dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')
    GROUP BY asset_key, dagster_event_type, partition
    UNION
    SELECT evaluation_event_storage_id AS id FROM asset_check_executions
    WHERE EXISTS (
        SELECT FROM judged
        WHERE judged.id = asset_check_executions.id
    )
)

SELECT id, octet_length(event) AS size
FROM event_logs
WHERE
    timestamp AT TIME ZONE 'UTC' < %(before)s
    AND NOT EXISTS (
        SELECT FROM at_work
        WHERE at_work.run_id = event_logs.run_id
    )
    AND NOT EXISTS (
        SELECT FROM lasting
        WHERE lasting.id = event_logs.id
    );

-- name: forget_event_tags
-- Of some events.
DELETE FROM asset_event_tags
WHERE event_id = any(%(ids)s);

-- name: forget_events
-- Those themselves.
DELETE FROM event_logs
WHERE id = any(%(ids)s);

-- name: find_spent_evaluations
-- Of checks that were asked again since.
WITH judged AS (
    SELECT max(id) AS id FROM asset_check_executions
    GROUP BY asset_key, check_name, partition, execution_status = 'PLANNED'
)

SELECT id, octet_length(evaluation_event) AS size
FROM asset_check_executions
WHERE
    create_timestamp AT TIME ZONE 'UTC' < %(before)s
    AND NOT EXISTS (
        SELECT FROM judged
        WHERE judged.id = asset_check_executions.id
    );

-- name: forget_evaluations
-- Those.
DELETE FROM asset_check_executions
WHERE id = any(%(ids)s);

-- name: find_spent_runs
-- Over before a moment, and not the ones that the last word on something came from.
WITH lasting AS (
    SELECT max(id) AS id FROM event_logs
    WHERE dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')
    GROUP BY asset_key, dagster_event_type, partition
),

judged AS (
    SELECT max(id) AS id FROM asset_check_executions
    GROUP BY asset_key, check_name, partition, execution_status = 'PLANNED'
),

named AS (
    SELECT run_id FROM event_logs
    WHERE
        EXISTS (
            SELECT FROM lasting
            WHERE lasting.id = event_logs.id
        )
    UNION
    SELECT run_id FROM asset_check_executions
    WHERE
        EXISTS (
            SELECT FROM judged
            WHERE judged.id = asset_check_executions.id
        )
    UNION
    SELECT last_run_id AS run_id FROM asset_keys
)

SELECT run_id, octet_length(run_body) AS size
FROM runs
WHERE
    status IN ('SUCCESS', 'FAILURE', 'CANCELED')
    AND update_timestamp AT TIME ZONE 'UTC' < %(before)s
    AND NOT EXISTS (
        SELECT FROM named
        WHERE named.run_id = runs.run_id
    );

-- name: forget_runs
-- Those, and with each its tags.
DELETE FROM runs
WHERE run_id = any(%(ids)s);

-- name: find_spent_backfills
-- Asked for in the UI, and over before a moment.
SELECT
    key,
    octet_length(body) AS size
FROM bulk_actions
WHERE
    status IN ('COMPLETED', 'COMPLETED_SUCCESS', 'COMPLETED_FAILED', 'FAILED', 'CANCELED')
    AND timestamp AT TIME ZONE 'UTC' < %(before)s;

-- name: forget_backfill_tags
-- Of some backfills.
DELETE FROM backfill_tags
WHERE backfill_id = any(%(ids)s);

-- name: forget_backfills
-- Those themselves.
DELETE FROM bulk_actions
WHERE key = any(%(ids)s);

-- name: find_events_of_partitions
-- All that was told of some partitions of an asset.
SELECT
    id,
    octet_length(event) AS size
FROM event_logs
WHERE asset_key = %(asset_key)s AND partition = any(%(partitions)s);
