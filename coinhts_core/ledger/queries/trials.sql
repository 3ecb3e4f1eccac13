-- name: record_trials
-- Combinations that were tried; those that were tried before are counted already.
INSERT INTO trials (identity, strategy, symbols, first_day, last_day, sharpe)
SELECT
    tried.identity, tried.strategy, string_to_array(tried.symbols, ','), tried.first_day, tried.last_day, tried.sharpe
FROM
    unnest(
        %(identities)s::text[], %(strategies)s::text[], %(symbols)s::text[],
        %(first_days)s::date[], %(last_days)s::date[], %(sharpes)s::double precision[]
    ) AS tried (identity, strategy, symbols, first_day, last_day, sharpe)
ON CONFLICT (identity) DO NOTHING;

-- name: count_trials
-- How many there are, how far their Sharpe ratios are apart, and how many are of one strategy.
SELECT
    count(*) AS trials,
    var_samp(sharpe) AS variance,
    count(*) FILTER (WHERE strategy = %(strategy)s) AS of_strategy
FROM trials;

-- name: count_all_trials
-- The same of each strategy at once: how many are its own; in the row without a strategy, of all.
SELECT strategy, count(*) AS trials, var_samp(sharpe) AS variance
FROM trials
GROUP BY GROUPING SETS ((strategy), ());
