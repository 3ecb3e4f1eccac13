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
