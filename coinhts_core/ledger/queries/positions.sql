-- name: lock_book
-- One writer at a time for a book's symbol; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended(%(book)s || '|' || %(symbol)s, 0));

-- name: forget_days
-- The days about to be written again.
WITH forgotten AS (
    DELETE FROM positions
    WHERE book = %(book)s AND symbol = %(symbol)s AND day = any(%(days)s)
)

DELETE FROM position_days
WHERE book = %(book)s AND symbol = %(symbol)s AND day = any(%(days)s);

-- name: copy_days
-- The days of a book that have been worked out, also those without a position.
COPY position_days (book, symbol, day, chain_id) FROM STDIN;

-- name: copy_positions
-- Positions held at any time of a day.
COPY positions (
    book, symbol, day, position, opened_at, entry_price_krw, volume_base, entry_fee_krw,
    closed_at, exit_price_krw, exit_fee_krw, mark_price_krw, profit_krw, chain_id
) FROM STDIN;

-- name: find_positions
-- A book's positions in some symbols and days.
SELECT
    symbol, day, position, opened_at, entry_price_krw, volume_base, entry_fee_krw,
    closed_at, exit_price_krw, exit_fee_krw, mark_price_krw, profit_krw, chain_id
FROM positions
WHERE book = %(book)s AND symbol = any(%(symbols)s) AND day BETWEEN %(first)s AND %(last)s
ORDER BY symbol, day, position;

-- name: find_position_days
-- Which chain each day of a book was read off.
SELECT day, chain_id
FROM position_days
WHERE book = %(book)s AND symbol = %(symbol)s AND day BETWEEN %(first)s AND %(last)s;
