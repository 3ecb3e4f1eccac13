-- name: find_bad_bars
-- The bars of some days that were not believed, as they came.
SELECT day, rule, opened_at, bar
FROM quarantine
WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY day, number;

-- name: release_bad_bars
-- Days that were answered anew; what a later answer put there stays.
DELETE FROM quarantine
WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND day = ANY(%(days)s) AND asked_at <= %(asked_at)s;

-- name: quarantine_bar
-- A bar that was not believed, unless its day was answered later than this.
INSERT INTO quarantine (symbol, timeframe, day, number, opened_at, rule, bar, asked_at)
SELECT *
FROM (
    VALUES (
        %(symbol)s::market, %(timeframe)s::text, %(day)s::date, %(number)s::integer,
        %(opened_at)s::timestamptz, %(rule)s::text, %(bar)s::jsonb, %(asked_at)s::timestamptz
    )
) AS bad (symbol, timeframe, day, number, opened_at, rule, bar, asked_at)
WHERE
    NOT EXISTS (
        SELECT FROM coverage AS later
        WHERE
            later.symbol = bad.symbol AND later.timeframe = bad.timeframe AND later.day = bad.day
            AND later.asked_at > bad.asked_at
    )
ON CONFLICT (symbol, timeframe, day, number) DO NOTHING;
