-- name: find_start
-- In Dagster's storage: an end somewhat before one of its events, for an event may be seen later than another with a
-- higher number; the beginning, where the storage never gave that number, for then it is another storage. Kinds are
-- compared so that the index of kinds and numbers is read: there may be none of one kind among millions of events.
WITH kinds (kind) AS (
    VALUES ('PIPELINE_SUCCESS'), ('PIPELINE_FAILURE'), ('PIPELINE_CANCELED')
),

latest AS (
    SELECT ends.id
    FROM kinds
    INNER JOIN LATERAL (
        SELECT events.id FROM event_logs AS events
        WHERE
            (events.dagster_event_type, events.id) <= (kinds.kind, %(position)s)
            AND events.dagster_event_type >= kinds.kind
        ORDER BY events.dagster_event_type DESC, events.id DESC
        LIMIT 100
    ) AS ends ON TRUE
    ORDER BY ends.id DESC
    LIMIT 100
),

newest AS (SELECT max(id) AS id FROM event_logs)

SELECT CASE WHEN newest.id >= %(position)s THEN coalesce((SELECT min(latest.id) FROM latest), 1) - 1 ELSE 0 END AS place
FROM newest;

-- name: find_ended_runs
-- In Dagster's storage: the first runs that ended after one of its events; of one that was deleted, no job.
WITH kinds (kind) AS (
    VALUES ('PIPELINE_SUCCESS'), ('PIPELINE_FAILURE'), ('PIPELINE_CANCELED')
),

ended AS (
    SELECT
        ends.id,
        ends.run_id
    FROM kinds
    INNER JOIN LATERAL (
        SELECT
            events.id,
            events.run_id
        FROM event_logs AS events
        WHERE
            (events.dagster_event_type, events.id) > (kinds.kind, %(place)s)
            AND events.dagster_event_type <= kinds.kind
        ORDER BY events.dagster_event_type, events.id
        LIMIT %(most)s
    ) AS ends ON TRUE
    ORDER BY ends.id
    LIMIT %(most)s
)

SELECT
    ended.id,
    ended.run_id,
    runs.pipeline_name
FROM ended
LEFT JOIN runs
    ON ended.run_id = runs.run_id AND ended.run_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
ORDER BY ended.id;

-- name: find_turns
-- In Dagster's storage: what happened to some runs and their steps, in order; of what went wrong, all that was said.
SELECT
    id,
    run_id,
    dagster_event_type,
    coalesce(step_key, '') AS step,
    timestamp AT TIME ZONE 'UTC' AS happened_at,
    CASE WHEN dagster_event_type IN ('STEP_FAILURE', 'STEP_UP_FOR_RETRY', 'PIPELINE_FAILURE') THEN event END AS said
FROM event_logs
WHERE
    run_id = any(%(runs)s)
    AND dagster_event_type IN (
        'PIPELINE_START', 'PIPELINE_SUCCESS', 'PIPELINE_FAILURE', 'PIPELINE_CANCELED',
        'STEP_START', 'STEP_RESTARTED', 'STEP_SUCCESS', 'STEP_FAILURE', 'STEP_UP_FOR_RETRY'
    )
ORDER BY id;

-- name: count_made
-- In Dagster's storage: how many partitions each attempt of a step made, and how many rows, where it told. The number
-- stands before its label; whole events are not parsed, for a run may have made a hundred thousand.
WITH restarts AS MATERIALIZED (
    SELECT
        id,
        run_id,
        step_key
    FROM event_logs
    WHERE run_id = any(%(runs)s) AND dagster_event_type = 'STEP_RESTARTED'
),

made AS (
    SELECT
        events.run_id,
        events.step_key,
        events.partition,
        events.event,
        1 + (
            SELECT count(*) FROM restarts
            WHERE restarts.run_id = events.run_id AND restarts.step_key = events.step_key AND restarts.id < events.id
        ) AS attempt,
        coalesce(
            nullif(strpos(events.event, '}, "label": "dagster/partition_row_count"'), 0),
            nullif(strpos(events.event, '}, "label": "dagster/row_count"'), 0)
        ) AS place
    FROM event_logs AS events
    WHERE events.run_id = any(%(runs)s) AND events.dagster_event_type = 'ASSET_MATERIALIZATION'
)

SELECT
    run_id,
    step_key,
    attempt,
    count(partition) AS partitions,
    sum(substring(substr(event, place - 20, 20) FROM '"value": (\d+)$')::bigint)::bigint AS row_count
FROM made
GROUP BY run_id, step_key, attempt;
