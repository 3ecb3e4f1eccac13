-- name: list_symbols
-- Every symbol ever registered, in the order of registration.
SELECT symbol, first_day, anchor, delisted_on, is_active
FROM symbols
ORDER BY registered_at, symbol;

-- name: deactivate_others
-- Symbols that the settings no longer name stay readable and are skipped by schedules.
UPDATE symbols
SET is_active = FALSE
WHERE is_active AND symbol <> all(%(symbols)s);

-- name: register_symbol
-- A symbol named for the first time, or again, or with another anchor.
INSERT INTO symbols (symbol, first_day, anchor, delisted_on, is_active)
VALUES (%(symbol)s, %(first_day)s, %(anchor)s, %(delisted_on)s, TRUE)
ON CONFLICT (symbol) DO UPDATE
    SET anchor = excluded.anchor, delisted_on = excluded.delisted_on, is_active = TRUE;

-- name: find_last_sign
-- The end of a symbol that the venue knows no more: as noted before, else the last day with candles, or on a list.
SELECT
    coalesce(
        symbols.delisted_on,
        (
            SELECT max(coverage.day) FROM coverage
            WHERE coverage.symbol = symbols.symbol AND coverage.row_count > 0
        ),
        (
            SELECT max(listings.day) FROM listings
            WHERE listings.symbol = symbols.symbol
        )
    ) AS last_day
FROM symbols
WHERE symbols.symbol = %(symbol)s;

-- name: note_delisting
-- The last day of a symbol that left the venue's list, or none when it is listed.
UPDATE symbols
SET delisted_on = %(delisted_on)s
WHERE symbol = %(symbol)s;
