-- name: record_revision
-- A day that was told differently, once: only while the answer that it replaces is still the recorded one.
INSERT INTO revisions (
    symbol, timeframe, day, asked_at, hash_before, hash_after, bars_changed, first_changed_at
)
SELECT
    symbol, timeframe, day, %(asked_at)s::timestamptz, content_hash, %(hash_after)s,
    %(bars_changed)s::integer, %(first_changed_at)s::timestamptz
FROM coverage
WHERE
    symbol = %(symbol)s AND timeframe = %(timeframe)s AND day = %(day)s
    AND answer = 'complete' AND content_hash = %(hash_before)s AND asked_at <= %(asked_at)s
FOR UPDATE
ON CONFLICT (symbol, timeframe, day, asked_at) DO NOTHING;

-- name: find_revised_days
-- The days that were told differently at least once.
SELECT DISTINCT day
FROM revisions
WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY day;
