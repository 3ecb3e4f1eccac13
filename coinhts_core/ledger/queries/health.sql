-- name: list_followed
-- Each coin that is followed: the days it is wanted for, and the newest whose minutes were answered.
SELECT
    symbols.symbol,
    symbols.anchor,
    symbols.delisted_on,
    (
        SELECT max(coverage.day) FROM coverage
        WHERE
            coverage.symbol = symbols.symbol
            AND coverage.timeframe = '1m'
            AND coverage.answer <> 'unavailable'
    ) AS answered
FROM symbols
WHERE symbols.is_active
ORDER BY symbols.symbol;

-- name: has_migrations
-- Whether anybody has laid out a ledger in this database.
SELECT 1
WHERE to_regclass('migrations') IS NOT NULL;

-- name: find_newest_migration
-- How far the schema of this ledger has come.
SELECT
    number,
    name
FROM migrations
ORDER BY number DESC
LIMIT 1;

-- name: find_newest_tick
-- When a schedule or a sensor was last looked at, whatever came of it.
SELECT timestamp AT TIME ZONE 'UTC'
FROM job_ticks
ORDER BY id DESC
LIMIT 1;

-- name: find_failed_ticks
-- Schedules and sensors whose last look failed, since a moment.
WITH newest AS (
    SELECT
        (
            SELECT job_ticks.id FROM job_ticks
            WHERE job_ticks.selector_id = instigators.selector_id AND job_ticks.status <> 'STARTED'
            ORDER BY job_ticks.timestamp DESC
            LIMIT 1
        ) AS id
    FROM instigators
)

SELECT tick_body
FROM job_ticks
WHERE
    id IN (SELECT newest.id FROM newest)
    AND status = 'FAILURE'
    AND timestamp AT TIME ZONE 'UTC' > %(since)s;

-- name: find_newest_partitions
-- The newest partition of each asset that has one.
SELECT
    wanted.asset_key,
    (
        SELECT max(event_logs.partition) FROM event_logs
        WHERE
            event_logs.asset_key = wanted.asset_key
            AND event_logs.dagster_event_type = 'ASSET_MATERIALIZATION'
            AND event_logs.partition IS NOT NULL
    ) AS newest_partition
FROM unnest(%(assets)s::text[]) AS wanted (asset_key);

-- name: find_materialized
-- Which of some partitions of some assets were ever materialised.
SELECT DISTINCT asset_key, partition
FROM event_logs
WHERE
    asset_key = any(%(assets)s)
    AND dagster_event_type = 'ASSET_MATERIALIZATION'
    AND partition = any(%(partitions)s);
