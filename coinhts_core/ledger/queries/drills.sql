-- name: check_constraints_again
-- Every row is held against every constraint once more, as if none had ever been; the first that fails is an error.
DO $$
DECLARE
    one record;
BEGIN
    UPDATE pg_constraint SET convalidated = false
    WHERE contype IN ('c', 'f') AND conrelid <> 0 AND connamespace = 'public'::regnamespace;
    FOR one IN
        SELECT conrelid::regclass AS of_table, conname
        FROM pg_constraint
        WHERE contype IN ('c', 'f') AND conrelid <> 0 AND connamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', one.of_table, one.conname);
    END LOOP;
END
$$;

-- name: count_constraints
-- How many there are, and how many of them hold of every row.
SELECT
    count(*) AS all_of_them,
    count(*) FILTER (WHERE convalidated) AS valid
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace;

-- name: measure_database
-- Its size in bytes, with what the catalogs carry along of earlier drills.
SELECT pg_database_size(current_database()) AS size;

-- name: empty_database
-- Nothing of what was restored is left, and it is as a new one is.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT nspname
        FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', one.nspname);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO public;
    COMMENT ON SCHEMA public IS 'standard public schema';
END
$$;
