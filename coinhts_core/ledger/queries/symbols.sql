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

-- name: note_delisting
-- The last day of a symbol that left the venue's list.
UPDATE symbols
SET delisted_on = %(delisted_on)s
WHERE symbol = %(symbol)s;
