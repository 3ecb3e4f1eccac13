-- name: pin_texts
-- The same row becomes the same text on every server; and nothing hurries a long look.
SELECT
    set_config('TimeZone', 'UTC', true),
    set_config('DateStyle', 'ISO, MDY', true),
    set_config('IntervalStyle', 'postgres', true),
    set_config('extra_float_digits', '1', true),
    set_config('bytea_output', 'hex', true),
    set_config('xmloption', 'content', true),
    set_config('search_path', 'public', true),
    set_config('statement_timeout', '0', true),
    set_config('lock_timeout', '60s', true),
    set_config('idle_in_transaction_session_timeout', '0', true);

-- name: export_snapshot
-- What others are to see, too, and whose server tells it.
SELECT
    pg_export_snapshot() AS snapshot,
    current_setting('server_version') AS version,
    current_setting('server_version_num')::integer / 10000 AS major;

-- name: list_tables
-- Every table that holds rows of its own.
SELECT
    pg_namespace.nspname AS schema,
    pg_class.relname AS name
FROM pg_class
INNER JOIN pg_namespace ON pg_class.relnamespace = pg_namespace.oid
WHERE
    pg_class.relkind = 'r'
    AND pg_class.relpersistence <> 't'
    AND pg_namespace.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY pg_namespace.nspname, pg_class.relname;

-- name: describe_structure
-- Columns, constraints, indexes, triggers, functions and types, a line each.
WITH ours AS (
    SELECT oid, nspname
    FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname NOT LIKE 'pg\_temp\_%'
)

SELECT
    concat_ws(
        ' ', 'column', ours.nspname, pg_class.relname, pg_class.relkind, pg_attribute.attname,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod), pg_attribute.attnotnull, pg_attribute.attidentity,
        pg_attribute.attgenerated, pg_attribute.attcollation::regcollation,
        pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid)
    ) AS line
FROM ours
INNER JOIN pg_class ON ours.oid = pg_class.relnamespace
INNER JOIN pg_attribute ON pg_class.oid = pg_attribute.attrelid
LEFT JOIN pg_attrdef ON pg_attribute.attrelid = pg_attrdef.adrelid AND pg_attribute.attnum = pg_attrdef.adnum
WHERE pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped AND pg_class.relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL
SELECT
    concat_ws(
        ' ', 'constraint', ours.nspname, pg_constraint.conrelid::regclass, pg_constraint.contypid::regtype,
        pg_constraint.conname, pg_constraint.convalidated, pg_get_constraintdef(pg_constraint.oid)
    )
FROM ours
INNER JOIN pg_constraint ON ours.oid = pg_constraint.connamespace
UNION ALL
SELECT concat_ws(' ', 'index', ours.nspname, pg_index.indisvalid, pg_get_indexdef(pg_index.indexrelid))
FROM ours
INNER JOIN pg_class ON ours.oid = pg_class.relnamespace
INNER JOIN pg_index ON pg_class.oid = pg_index.indexrelid
UNION ALL
SELECT concat_ws(' ', 'trigger', ours.nspname, pg_trigger.tgenabled, pg_get_triggerdef(pg_trigger.oid))
FROM ours
INNER JOIN pg_class ON ours.oid = pg_class.relnamespace
INNER JOIN pg_trigger ON pg_class.oid = pg_trigger.tgrelid
WHERE NOT pg_trigger.tgisinternal
UNION ALL
SELECT concat_ws(' ', 'function', ours.nspname, pg_get_functiondef(pg_proc.oid))
FROM ours
INNER JOIN pg_proc ON ours.oid = pg_proc.pronamespace
WHERE pg_proc.prokind IN ('f', 'p')
UNION ALL
SELECT
    concat_ws(
        ' ', 'type', ours.nspname, pg_type.typname, pg_type.typtype, pg_type.typnotnull,
        format_type(pg_type.typbasetype, pg_type.typtypmod),
        string_agg(pg_enum.enumlabel, ',' ORDER BY pg_enum.enumsortorder)
    )
FROM ours
INNER JOIN pg_type ON ours.oid = pg_type.typnamespace
LEFT JOIN pg_enum ON pg_type.oid = pg_enum.enumtypid
WHERE pg_type.typtype IN ('d', 'e')
GROUP BY
    ours.nspname, pg_type.typname, pg_type.typtype, pg_type.typnotnull, pg_type.typbasetype, pg_type.typtypmod
ORDER BY line;

-- name: list_days_answered
-- Of each symbol, the days whose minutes lie in the lake if the ledger is right.
SELECT symbol, array_agg(day ORDER BY day) AS days
FROM coverage
WHERE timeframe = '1m' AND answer <> 'unavailable' AND content_hash IS NOT null
GROUP BY symbol
ORDER BY symbol;

-- name: list_frames_kept
-- The frames that lie in the lake if the ledger is right, result by result.
SELECT results.id, array_agg(frame.name ORDER BY frame.name) AS names
FROM results
CROSS JOIN LATERAL jsonb_object_keys(results.frames) AS frame (name)
GROUP BY results.id
ORDER BY results.id;
