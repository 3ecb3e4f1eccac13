-- name: record_result
-- A result's row; kept again, its rows are those that lie in the lake now, and what people said of it stays.
INSERT INTO results (
    id, question, kind, strategy, mode, symbols, timeframe, first_day, last_day,
    total_return, max_drawdown, sharpe, trades, asked, metrics, made_from, frames
) VALUES (
    %(id)s, %(question)s, %(kind)s, %(strategy)s, %(mode)s, %(symbols)s, %(timeframe)s, %(first_day)s, %(last_day)s,
    %(total_return)s, %(max_drawdown)s, %(sharpe)s, %(trades)s, %(asked)s, %(metrics)s, %(made_from)s, %(frames)s
)
ON CONFLICT (id) DO UPDATE SET frames = excluded.frames, metrics = excluded.metrics;

-- name: find_results
-- Those whose ids begin so.
SELECT
    id, question, kind, strategy, mode, symbols, timeframe, first_day, last_day,
    total_return, max_drawdown, sharpe, trades, is_pinned, kept_at, asked, metrics, made_from, frames
FROM results
WHERE id >= %(prefix)s AND id < %(prefix)s || 'g'
ORDER BY id
LIMIT 2;

-- name: list_results
-- Those that a person looks for, in the order asked for; what is not asked for is null.
SELECT
    id, question, kind, strategy, mode, symbols, timeframe, first_day, last_day,
    total_return, max_drawdown, sharpe, trades, is_pinned, kept_at
FROM results
WHERE
    (%(strategy)s::text IS NULL OR strategy = %(strategy)s)
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(symbol)s::text IS NULL OR %(symbol)s = any(symbols))
    AND (%(since)s::timestamptz IS NULL OR kept_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR kept_at < %(until)s)
    AND (%(min_return)s::double precision IS NULL OR total_return >= %(min_return)s)
    AND (%(max_return)s::double precision IS NULL OR total_return <= %(max_return)s)
ORDER BY
    CASE %(sort)s::text
        WHEN 'return' THEN total_return
        WHEN 'sharpe' THEN sharpe
        WHEN 'drawdown' THEN max_drawdown
        WHEN 'trades' THEN trades
    END DESC NULLS LAST,
    kept_at DESC,
    id ASC
LIMIT %(most)s OFFSET %(skipped)s;

-- name: find_moments
-- Of some results, what tells how sure their Sharpe ratios are.
SELECT
    id,
    (metrics ->> 'skew')::double precision AS skew,
    (metrics ->> 'excess_kurtosis')::double precision AS excess_kurtosis
FROM results
WHERE id = any(%(ids)s);

-- name: find_answers
-- Every result as far as it matters for what may go, the oldest first.
SELECT id, question, strategy, kept_at, is_pinned
FROM results
ORDER BY kept_at, id;

-- name: pin_result
-- It stays, or may go, whatever comes after it.
UPDATE results SET is_pinned = %(is_pinned)s
WHERE id = %(id)s;

-- name: forget_result
-- One that nobody has pinned meanwhile, and that a newer answer stands for.
DELETE FROM results
WHERE
    id = %(id)s AND NOT is_pinned AND EXISTS (
        SELECT 1 FROM results AS newer
        WHERE newer.question = results.question AND (newer.kept_at, newer.id) > (results.kept_at, results.id)
    )
RETURNING id;

-- name: rank_results
-- A page of coins, by name: of each strategy the best of its newest answers about the coin alone, and their count.
WITH newest AS (
    SELECT DISTINCT ON (question) id, strategy, symbols, sharpe
    FROM results
    WHERE
        kind = 'backtest' AND mode = 'account' AND cardinality(symbols) = 1
        AND (%(symbol)s::text IS NULL OR symbols[1] = %(symbol)s)
        AND last_day - first_day + 1 >= %(days)s
    ORDER BY question ASC, kept_at DESC, id DESC
),

placed AS (
    SELECT
        id,
        count(*) OVER of_pair AS answers,
        row_number() OVER (of_pair ORDER BY sharpe DESC NULLS LAST, id ASC) AS place,
        dense_rank() OVER (ORDER BY symbols[1]) AS coin
    FROM newest
    WINDOW of_pair AS (PARTITION BY symbols[1], strategy)
),

best AS (
    SELECT id, answers
    FROM placed
    WHERE place = 1 AND coin > %(skipped)s AND coin <= %(skipped)s + %(most)s
)

SELECT
    results.strategy, results.id, results.timeframe, results.first_day, results.last_day, results.total_return,
    results.max_drawdown, results.sharpe, results.trades, best.answers,
    results.symbols[1] AS symbol,
    (results.metrics ->> 'skew')::double precision AS skew,
    (results.metrics ->> 'excess_kurtosis')::double precision AS excess_kurtosis
FROM best
INNER JOIN results ON best.id = results.id
ORDER BY symbol ASC, results.sharpe DESC NULLS LAST, results.strategy ASC;
