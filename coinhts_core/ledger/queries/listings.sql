-- name: lock_listings
-- One writer at a time; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('listings', 0));

-- name: forget_listings
-- A day's list that is about to be recorded again.
DELETE FROM listings
WHERE day = %(day)s;

-- name: record_listing
-- A market that was on the list of a day.
INSERT INTO listings (day, symbol, korean_name, english_name, is_warned, cautions)
VALUES (%(day)s, %(symbol)s, %(korean_name)s, %(english_name)s, %(is_warned)s, %(cautions)s);

-- name: find_recorded_days
-- The last day up to the one asked for whose list is recorded, and the first such day of all.
SELECT max(day) FILTER (WHERE day <= %(day)s) AS last_day, min(day) AS first_day
FROM listings;

-- name: find_listings
-- What was listed on a day that is recorded.
SELECT symbol, korean_name, english_name, is_warned, cautions
FROM listings
WHERE day = %(day)s
ORDER BY symbol;
