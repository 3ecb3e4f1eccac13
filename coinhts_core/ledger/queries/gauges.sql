-- name: count_holdings
-- How many positions kept by hand stand how.
SELECT
    state,
    count(*) AS holdings
FROM holdings
GROUP BY state;

-- name: count_symbols
-- How many coins are followed, and how many were.
SELECT
    is_active,
    count(*) AS symbols
FROM symbols
GROUP BY is_active;

-- name: count_alerts
-- How many alerts were raised since a moment, by how grave they are.
SELECT
    level,
    count(*) AS alerts
FROM alerts
WHERE raised_at > %(since)s
GROUP BY level;

-- name: measure_databases
-- How large some databases of this server are.
SELECT
    datname,
    pg_database_size(oid) AS size
FROM pg_database
WHERE datname = any(%(names)s);
