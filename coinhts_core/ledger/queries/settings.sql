-- name: lock_settings
-- One change at a time, so that changes are numbered in the order in which they become visible.
SELECT pg_advisory_xact_lock(hashtextextended('settings', 0));

-- name: find_settings_version
-- The number of the latest change, which tells whether anything was changed since.
SELECT coalesce(max(number), 0) AS version
FROM settings_history;

-- name: find_settings
-- What differs from its default.
SELECT name, value
FROM settings
ORDER BY name;

-- name: record_setting
-- A value other than the default.
INSERT INTO settings (name, value, changed_at)
VALUES (%(name)s, %(value)s, %(moment)s)
ON CONFLICT (name) DO UPDATE
    SET value = excluded.value, changed_at = excluded.changed_at;

-- name: forget_setting
-- Back to the default.
DELETE FROM settings
WHERE name = %(name)s;

-- name: record_change
-- Who changed what, and when; nothing stands for the default.
INSERT INTO settings_history (name, value_before, value_after, changed_at, changed_by)
VALUES (%(name)s, %(before)s, %(after)s, %(moment)s, %(who)s);

-- name: find_changes
-- Changes of one setting, or of all, the latest first.
SELECT number, name, value_before, value_after, changed_at, changed_by
FROM settings_history
WHERE name = coalesce(%(name)s, name)
ORDER BY number DESC
LIMIT %(most)s;

-- name: ring
-- Heard by every process that listens, once the change is committed.
NOTIFY coinhts_settings;

-- name: hear
-- From now on.
LISTEN coinhts_settings;
