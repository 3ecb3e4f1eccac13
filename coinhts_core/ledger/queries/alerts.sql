-- name: lock_key
-- One at a time for a key, so that two who raise it at once make one alert.
SELECT pg_advisory_xact_lock(hashtextextended('alert|' || %(key)s, 0));

-- name: count_repeat
-- The same again, or less grave, while the last one is fresh: counted, not sent.
UPDATE alerts
SET repeats = repeats + 1, repeated_at = %(moment)s
WHERE
    number = (
        SELECT number FROM alerts
        WHERE key = %(key)s AND raised_at > %(since)s AND level = any(%(levels)s)
        ORDER BY number DESC
        LIMIT 1
    )
RETURNING number;

-- name: record_alert
-- A new alert.
INSERT INTO alerts (key, level, title, body, raised_at)
VALUES (%(key)s, %(level)s, %(title)s, %(body)s, %(moment)s)
RETURNING number;

-- name: record_delivery
-- An alert on its way to one place.
INSERT INTO deliveries (alert, sink, not_before)
VALUES (%(number)s, %(sink)s, %(moment)s);

-- name: count_sent
-- What a place was sent lately.
SELECT count(*) AS sent
FROM deliveries
WHERE sink = %(sink)s AND sent_at > %(since)s;

-- name: claim_delivery
-- The gravest, then oldest alert that waits for a place, kept from others until it is sent or the claim runs out.
WITH due AS (
    SELECT alert FROM deliveries
    WHERE sink = %(sink)s AND state = 'waiting' AND not_before <= %(moment)s
    FOR UPDATE SKIP LOCKED
),

chosen AS (
    SELECT alerts.number, alerts.key, alerts.level, alerts.title, alerts.body, alerts.raised_at, alerts.repeats
    FROM due
    INNER JOIN alerts ON due.alert = alerts.number
    ORDER BY array_position(ARRAY['critical', 'error', 'warning', 'info'], alerts.level), alerts.number
    LIMIT 1
)

UPDATE deliveries
SET attempts = deliveries.attempts + 1, not_before = %(until)s
FROM chosen
WHERE deliveries.alert = chosen.number AND deliveries.sink = %(sink)s
RETURNING
    deliveries.attempts, chosen.number, chosen.key, chosen.level, chosen.title, chosen.body,
    chosen.raised_at, chosen.repeats;

-- name: note_sent
-- It arrived.
UPDATE deliveries
SET state = 'sent', sent_at = %(moment)s, reason = NULL
WHERE alert = %(number)s AND sink = %(sink)s;

-- name: note_unsent
-- It did not, and why; it waits, or is given up.
UPDATE deliveries
SET state = %(state)s, not_before = %(not_before)s, reason = %(reason)s
WHERE alert = %(number)s AND sink = %(sink)s AND state = 'waiting';

-- name: find_unsent_errors
-- Places that did not take an error for too long, how many of them, and the latest reason.
WITH grave AS (
    SELECT number FROM alerts
    WHERE level IN ('error', 'critical') AND raised_at BETWEEN %(earliest)s AND %(latest)s
)

SELECT
    deliveries.sink,
    count(*) AS unsent,
    (array_agg(deliveries.reason ORDER BY deliveries.alert DESC))[1] AS reason
FROM deliveries
INNER JOIN grave ON deliveries.alert = grave.number
WHERE deliveries.state <> 'sent' AND deliveries.attempts > 0
GROUP BY deliveries.sink
ORDER BY deliveries.sink;

-- name: find_alerts
-- The latest alerts.
SELECT number, key, level, title, body, raised_at, repeats
FROM alerts
ORDER BY number DESC
LIMIT %(most)s;

-- name: find_deliveries
-- How the deliveries of some alerts stand.
SELECT alert, sink, state, attempts, reason
FROM deliveries
WHERE alert = any(%(numbers)s)
ORDER BY alert, sink;

-- name: count_deliveries
-- How many deliveries stand how.
SELECT state, count(*) AS deliveries
FROM deliveries
GROUP BY state;
