-- name: mark_venue
-- The first venue is the ledger's for ever.
INSERT INTO installation (name, value)
VALUES ('venue', %(venue)s)
ON CONFLICT (name) DO NOTHING;

-- name: find_venue
-- Whose data this ledger holds.
SELECT value
FROM installation
WHERE name = 'venue';

-- name: find_beginning
-- Since when there is this house.
SELECT min(recorded_at)
FROM installation;

-- name: tell_time
-- What the server's clock shows.
SELECT clock_timestamp();
