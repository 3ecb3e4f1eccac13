-- name: count_expired_sessions
-- Those that are over.
SELECT count(*) AS sessions
FROM sessions
WHERE expires_at <= %(now)s;

-- name: find_old_alerts
-- Told or given up everywhere, long ago.
SELECT
    alerts.number,
    octet_length(alerts.title) + octet_length(alerts.body) AS size
FROM alerts
WHERE
    alerts.raised_at < %(before)s AND coalesce(alerts.repeated_at < %(before)s, TRUE)
    AND NOT EXISTS (
        SELECT FROM deliveries
        WHERE deliveries.alert = alerts.number AND deliveries.state = 'waiting'
    );

-- name: forget_deliveries
-- Of some alerts.
DELETE FROM deliveries
WHERE alert = any(%(numbers)s);

-- name: forget_alerts
-- Those themselves.
DELETE FROM alerts
WHERE number = any(%(numbers)s);

-- name: find_spent_requests
-- Ended without an answer long ago, or answered with a result that is not kept any more.
SELECT identity
FROM requests
WHERE
    (state IN ('failed', 'cancelled', 'dead') AND changed_at < %(before)s)
    OR (
        state = 'completed' AND is_told AND changed_at < %(answered_before)s
        AND NOT EXISTS (
            SELECT FROM results
            WHERE results.id = requests.identity
        )
    )
ORDER BY identity;

-- name: forget_requests
-- Unless somebody begins them again this moment.
DELETE FROM requests
WHERE identity = any(%(identities)s) AND state NOT IN ('queued', 'running');

-- name: find_all_identities
-- Of every request there is.
SELECT identity
FROM requests;

-- name: find_worn_tables
-- Where a tenth of the rows, and not only a few, is dead, or was changed since the planner last looked.
SELECT
    relname,
    n_dead_tup,
    pg_total_relation_size(relid) AS size
FROM pg_stat_user_tables
WHERE greatest(n_dead_tup, n_mod_since_analyze) > greatest(%(few)s, n_live_tup / 10)
ORDER BY relname;
