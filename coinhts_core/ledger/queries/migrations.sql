-- name: prepare_migrations
-- One at a time, with patience for the other's work, and somewhere to record it.
SELECT set_config('lock_timeout', '60s', true), set_config('statement_timeout', '0', true);
SELECT pg_advisory_xact_lock(7310579631); -- any number, as long as nobody else takes it
CREATE TABLE IF NOT EXISTS migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: find_applied_migrations
-- What this ledger has been through, in order.
SELECT number, name, checksum, applied_at FROM migrations
ORDER BY number;

-- name: record_migration
-- In the transaction of the migration itself, so that neither exists without the other.
INSERT INTO migrations (number, name, checksum) VALUES (%(number)s, %(name)s, %(checksum)s);

-- name: forget_migration
-- In the transaction that takes the migration back.
DELETE FROM migrations
WHERE number = %(number)s;
