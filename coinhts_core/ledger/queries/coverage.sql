-- name: find_coverage
-- What was asked and answered for some days of a symbol.
SELECT day, answer, row_count, content_hash, reason
FROM coverage
WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND day BETWEEN %(first)s AND %(last)s;

-- name: record_answer
-- The latest answer wins; a question that failed never hides what was answered before.
INSERT INTO coverage (symbol, timeframe, day, answer, row_count, content_hash, asked_at, reason)
VALUES (
    %(symbol)s, %(timeframe)s, %(day)s, %(answer)s, %(row_count)s, %(content_hash)s, %(asked_at)s, %(reason)s
)
ON CONFLICT (symbol, timeframe, day) DO UPDATE
    SET
        answer = excluded.answer,
        row_count = excluded.row_count,
        content_hash = excluded.content_hash,
        asked_at = excluded.asked_at,
        reason = excluded.reason
    WHERE coverage.asked_at <= excluded.asked_at
    AND (excluded.answer <> 'unavailable' OR coverage.answer = 'unavailable');

-- name: find_newest_days
-- The newest day whose minutes were answered, of each active symbol that has one.
WITH newest AS (
    SELECT
        symbols.symbol,
        (
            SELECT max(coverage.day) FROM coverage
            WHERE
                coverage.symbol = symbols.symbol
                AND coverage.timeframe = '1m'
                AND coverage.answer <> 'unavailable'
        ) AS day
    FROM symbols
    WHERE symbols.is_active
)

SELECT symbol, day
FROM newest
WHERE day IS NOT NULL
ORDER BY symbol;
