-- name: record_holding
-- A new one; none when its key is taken.
INSERT INTO holdings (
    key, asked_hash, state, version, symbol, opened_at, entry_price_krw, volume_base, entry_fee_rate, note,
    recorded_at, changed_at
)
VALUES (
    %(key)s, %(asked_hash)s, 'open', 1, %(symbol)s, %(opened_at)s, %(entry_price_krw)s, %(volume_base)s,
    %(entry_fee_rate)s, %(note)s, %(recorded_at)s, %(changed_at)s
)
ON CONFLICT (key) DO NOTHING
RETURNING number;

-- name: find_key
-- Which one was opened under a key, and the hash of what was asked then.
SELECT number, asked_hash
FROM holdings
WHERE key = %(key)s;

-- name: find_holding
-- One of them, as it is.
SELECT
    number, key, state, version, symbol, opened_at, entry_price_krw, volume_base, entry_fee_rate,
    closed_at, exit_price_krw, exit_fee_rate, slippage_krw, note, recorded_at, changed_at
FROM holdings
WHERE number = %(number)s;

-- name: lock_holding
-- Whoever changes one waits until whoever changes it has done so.
SELECT version
FROM holdings
WHERE number = %(number)s
FOR UPDATE;

-- name: find_holdings
-- Those of some states, of one coin or of all, the latest first, perhaps after those that are open; each beside the
-- number of all.
SELECT
    number, key, state, version, symbol, opened_at, entry_price_krw, volume_base, entry_fee_rate,
    closed_at, exit_price_krw, exit_fee_rate, slippage_krw, note, recorded_at, changed_at,
    count(*) OVER () AS matching
FROM holdings
WHERE state = any(%(states)s) AND symbol = coalesce(%(symbol)s, symbol)
ORDER BY (%(is_open_first)s AND state = 'open') DESC, opened_at DESC, number DESC
LIMIT %(most)s OFFSET %(skipped)s;

-- name: change_holding
-- The next version of one that is locked.
UPDATE holdings
SET
    state = %(state)s,
    version = %(version)s,
    opened_at = %(opened_at)s,
    entry_price_krw = %(entry_price_krw)s,
    volume_base = %(volume_base)s,
    entry_fee_rate = %(entry_fee_rate)s,
    closed_at = %(closed_at)s,
    exit_price_krw = %(exit_price_krw)s,
    exit_fee_rate = %(exit_fee_rate)s,
    slippage_krw = %(slippage_krw)s,
    note = %(note)s,
    changed_at = %(changed_at)s
WHERE number = %(number)s;

-- name: record_event
-- Who did what to one, and when; of each field what it was and what it is.
INSERT INTO holding_events (holding, version, what, changed, changed_at, changed_by)
VALUES (%(number)s, %(version)s, %(what)s, %(changed)s, %(moment)s, %(who)s);

-- name: find_events
-- All that was ever done to one, in order.
SELECT version, what, changed, changed_at, changed_by
FROM holding_events
WHERE holding = %(number)s
ORDER BY version;
