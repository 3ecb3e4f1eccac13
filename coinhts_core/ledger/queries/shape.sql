-- name: describe_schema
-- Everything that the current schema is made of, a line each, without the schema's own name.
WITH here AS (
    SELECT oid FROM pg_namespace
    WHERE nspname = current_schema()
)

SELECT format('table %s', pg_class.relname) AS line
FROM pg_class
INNER JOIN here ON pg_class.relnamespace = here.oid
WHERE pg_class.relkind IN ('r', 'p', 'v', 'm', 'S')

UNION ALL

SELECT
    format(
        'column %s.%s %s%s%s', pg_class.relname, pg_attribute.attname,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod),
        CASE WHEN pg_attribute.attnotnull THEN ' NOT NULL' END,
        ' DEFAULT ' || pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid)
    ) AS line
FROM pg_attribute
INNER JOIN pg_class ON pg_attribute.attrelid = pg_class.oid
INNER JOIN here ON pg_class.relnamespace = here.oid
LEFT JOIN pg_attrdef ON pg_attribute.attrelid = pg_attrdef.adrelid AND pg_attribute.attnum = pg_attrdef.adnum
WHERE pg_class.relkind IN ('r', 'p') AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped

UNION ALL

SELECT
    format(
        'constraint %s of %s %s', pg_constraint.conname,
        coalesce(pg_class.relname, pg_type.typname), pg_get_constraintdef(pg_constraint.oid, TRUE)
    ) AS line
FROM pg_constraint
INNER JOIN here ON pg_constraint.connamespace = here.oid
LEFT JOIN pg_class ON pg_constraint.conrelid = pg_class.oid
LEFT JOIN pg_type ON pg_constraint.contypid = pg_type.oid

UNION ALL

SELECT format('index %s', replace(pg_get_indexdef(pg_index.indexrelid), current_schema() || '.', '')) AS line
FROM pg_index
INNER JOIN pg_class ON pg_index.indexrelid = pg_class.oid
INNER JOIN here ON pg_class.relnamespace = here.oid

UNION ALL

SELECT format('domain %s %s', pg_type.typname, format_type(pg_type.typbasetype, pg_type.typtypmod)) AS line
FROM pg_type
INNER JOIN here ON pg_type.typnamespace = here.oid
WHERE pg_type.typtype = 'd'

UNION ALL

SELECT format('function %s %s', pg_proc.proname, md5(pg_proc.prosrc)) AS line
FROM pg_proc
INNER JOIN here ON pg_proc.pronamespace = here.oid

UNION ALL

SELECT format('trigger %s', replace(pg_get_triggerdef(pg_trigger.oid, TRUE), current_schema() || '.', '')) AS line
FROM pg_trigger
INNER JOIN pg_class ON pg_trigger.tgrelid = pg_class.oid
INNER JOIN here ON pg_class.relnamespace = here.oid
WHERE NOT pg_trigger.tgisinternal;

-- name: begin_anew
-- An empty schema that everything unnamed goes to, until the transaction is taken back.
CREATE SCHEMA shape_as_written;
SELECT set_config('search_path', 'shape_as_written', TRUE);
