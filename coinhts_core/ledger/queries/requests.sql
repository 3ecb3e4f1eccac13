-- name: submit_request
-- A new question, unless it was asked before or as many wait as may.
WITH waiting AS (
    SELECT count(*) AS queued FROM requests
    WHERE state = 'queued'
)

INSERT INTO requests (identity, kind, strategy, asked, created_at, changed_at, not_before)
SELECT
    %(identity)s, %(kind)s, %(strategy)s, %(asked)s,
    %(moment)s AS created_at, %(moment)s AS changed_at, %(moment)s AS not_before
FROM waiting
WHERE queued < %(most_queued)s
ON CONFLICT (identity) DO NOTHING
RETURNING identity, state, kind, strategy, asked, progress, step, error, attempts, created_at, changed_at;

-- name: find_request
-- One, by its identity.
SELECT identity, state, kind, strategy, asked, progress, step, error, attempts, created_at, changed_at
FROM requests
WHERE identity = %(identity)s;

-- name: find_identities
-- Those that begin so, two at most.
SELECT identity FROM requests
WHERE identity BETWEEN %(first)s AND %(last)s
ORDER BY identity
LIMIT 2;

-- name: find_requests
-- The latest, of those that are wanted; what a result came to is known once it is kept.
WITH worth AS (
    SELECT id FROM results
    WHERE total_return BETWEEN %(min_return)s AND %(max_return)s
)

SELECT identity, state, kind, strategy, asked, progress, step, error, attempts, created_at, changed_at
FROM requests
WHERE
    (%(state)s::text IS NULL OR state = %(state)s)
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(strategy)s::text IS NULL OR strategy = %(strategy)s)
    AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
    AND (NOT %(is_by_return)s OR identity IN (SELECT worth.id FROM worth))
ORDER BY created_at DESC, identity DESC
LIMIT %(most)s OFFSET %(skipped)s;

-- name: cancel_request
-- Whoever works on it finds that it is not his any more.
UPDATE requests
SET state = 'cancelled', changed_at = %(moment)s, step = 'cancelled'
WHERE identity = %(identity)s AND state IN ('queued', 'running')
RETURNING identity, state, kind, strategy, asked, progress, step, error, attempts, created_at, changed_at;

-- name: retry_request
-- Once more, as if it were new.
WITH waiting AS (
    SELECT count(*) AS queued FROM requests
    WHERE state = 'queued'
)

UPDATE requests
SET
    state = 'queued', changed_at = %(moment)s, not_before = %(moment)s, attempts = 0, progress = 0, step = '',
    error = NULL, is_told = FALSE
FROM waiting
WHERE
    requests.identity = %(identity)s AND requests.state IN ('failed', 'cancelled', 'dead')
    AND waiting.queued < %(most_queued)s
RETURNING identity, state, kind, strategy, asked, progress, step, error, attempts, created_at, changed_at;

-- name: claim_requests
-- The oldest that are due, each for one claimant alone.
WITH due AS MATERIALIZED (
    SELECT identity FROM requests
    WHERE state = 'queued' AND not_before <= %(moment)s
    ORDER BY created_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)

UPDATE requests
SET
    state = 'running', worker = %(worker)s, seen_at = %(moment)s, changed_at = %(moment)s,
    epoch = requests.epoch + 1, progress = 0, step = 'waits for a process'
FROM due
WHERE requests.identity = due.identity
RETURNING requests.identity, requests.epoch, requests.asked;

-- name: find_claims
-- What somebody claimed and has not settled.
SELECT identity, epoch, asked FROM requests
WHERE worker = %(worker)s AND state = 'running'
ORDER BY created_at;

-- name: find_workers
-- Who has claims that are not settled.
SELECT DISTINCT worker FROM requests
WHERE state = 'running'
ORDER BY worker;

-- name: keep_claims
-- Somebody is alive, and so are his claims; those that are not returned were taken from him.
UPDATE requests
SET seen_at = %(moment)s
WHERE worker = %(worker)s AND state = 'running'
RETURNING identity, epoch;

-- name: keep_claims_of
-- Their runs wait for their turn.
UPDATE requests SET seen_at = %(moment)s
WHERE worker = any(%(workers)s) AND state = 'running';

-- name: report_progress
-- How far it is, said by whoever works on it.
UPDATE requests
SET progress = %(progress)s, step = %(step)s, changed_at = %(moment)s, seen_at = %(moment)s
WHERE identity = %(identity)s AND state = 'running' AND epoch = %(epoch)s;

-- name: settle_request
-- How it ended, said by whoever works on it.
UPDATE requests
SET
    state = %(state)s, error = %(reason)s, changed_at = %(moment)s, step = %(state)s,
    progress = CASE WHEN %(state)s = 'completed' THEN 1 ELSE progress END
WHERE identity = %(identity)s AND state = 'running' AND epoch = %(epoch)s
RETURNING state;

-- name: put_back_request
-- It waits a little longer each time, and is given up in the end.
UPDATE requests
SET
    state = CASE WHEN attempts >= %(most_retries)s THEN 'dead' ELSE 'queued' END,
    attempts = attempts + 1,
    not_before = %(moment)s::timestamptz + make_interval(secs => power(2, least(attempts, 10))),
    error = %(reason)s, changed_at = %(moment)s, progress = 0,
    step = CASE WHEN attempts >= %(most_retries)s THEN 'dead' ELSE 'waits to be tried again' END
WHERE identity = %(identity)s AND state = 'running' AND epoch = %(epoch)s
RETURNING state;

-- name: requeue_orphans
-- Claimed by somebody who is not heard of any more, or is known to be gone.
UPDATE requests
SET
    state = CASE WHEN epoch >= %(most_epochs)s THEN 'dead' ELSE 'queued' END,
    not_before = %(moment)s, error = %(reason)s, changed_at = %(moment)s, progress = 0,
    step = CASE WHEN epoch >= %(most_epochs)s THEN 'dead' ELSE 'waits to be tried again' END
WHERE state = 'running' AND (seen_at < %(before)s OR worker = any(%(gone)s))
RETURNING identity;

-- name: cancel_claims
-- Whoever stopped the run wanted what it did to stop.
UPDATE requests
SET state = 'cancelled', changed_at = %(moment)s, step = 'cancelled'
WHERE worker = %(worker)s AND state = 'running'
RETURNING identity;

-- name: find_untold
-- Ended, and those who are to know were not told.
SELECT identity, state, kind, strategy, asked, progress, step, error, attempts, created_at, changed_at
FROM requests
WHERE state = any(%(states)s) AND NOT is_told AND changed_at <= %(before)s
ORDER BY changed_at
LIMIT %(most)s;

-- name: note_told
-- They know.
UPDATE requests SET is_told = TRUE
WHERE identity = %(identity)s AND state = %(state)s;

-- name: forget_lost_request
-- Answered once, and the answer is not kept any more.
DELETE FROM requests
WHERE
    requests.identity = %(identity)s AND requests.state = 'completed'
    AND NOT EXISTS (
        SELECT FROM results
        WHERE results.id = requests.identity
    )
RETURNING requests.identity;

-- name: count_requests
-- How many stand how.
SELECT state, count(*) AS requests FROM requests
GROUP BY state;
