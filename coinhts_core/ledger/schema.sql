-- The ledger as it is today, for reading. Migrations make it; a test keeps the two equal.

CREATE TABLE migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- NaN sorts above every number in PostgreSQL, infinity included: one bound refuses both.
CREATE DOMAIN finite AS numeric CONSTRAINT is_finite CHECK (value > '-Infinity' AND value < 'Infinity');

CREATE DOMAIN market AS text CONSTRAINT is_a_market_code CHECK (value ~ '^[A-Z]{2,6}-[A-Z0-9]{1,16}$');

CREATE TABLE installation (
    name text PRIMARY KEY,
    value text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE symbols (
    symbol market PRIMARY KEY,
    first_day date NOT NULL,
    anchor date NOT NULL,
    is_active boolean NOT NULL,
    delisted_on date,
    registered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT anchor_is_not_before_first_day CHECK (anchor >= first_day)
);

CREATE TABLE coverage (
    symbol market NOT NULL REFERENCES symbols (symbol),
    timeframe text NOT NULL,
    day date NOT NULL,
    answer text NOT NULL,
    row_count integer NOT NULL,
    content_hash text,
    asked_at timestamptz NOT NULL,
    reason text,
    PRIMARY KEY (symbol, timeframe, day),
    CONSTRAINT answer_is_known CHECK (answer IN ('complete', 'partial', 'unavailable')),
    CONSTRAINT row_count_is_not_negative CHECK (row_count >= 0)
);

-- Bars that were not believed, as they came, and the rule each broke.
CREATE TABLE quarantine (
    symbol market NOT NULL REFERENCES symbols (symbol),
    timeframe text NOT NULL,
    day date NOT NULL,
    number integer NOT NULL,
    opened_at timestamptz,
    rule text NOT NULL,
    bar jsonb NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (symbol, timeframe, day, number),
    CONSTRAINT bars_count_from_one CHECK (number >= 1)
);

-- Days that the exchange told differently when it was asked again; nobody knows how many bars changed when the rows of
-- before were gone.
CREATE TABLE revisions (
    symbol market NOT NULL REFERENCES symbols (symbol),
    timeframe text NOT NULL,
    day date NOT NULL,
    asked_at timestamptz NOT NULL,
    hash_before text NOT NULL,
    hash_after text NOT NULL,
    bars_changed integer,
    first_changed_at timestamptz,
    PRIMARY KEY (symbol, timeframe, day, asked_at),
    CONSTRAINT revision_changes_something CHECK (hash_before <> hash_after),
    CONSTRAINT bars_changed_is_not_negative CHECK (bars_changed >= 0)
);

-- The exchange's list as it was on a day, so that a universe of the past is not chosen with today's eyes.
CREATE TABLE listings (
    day date NOT NULL,
    symbol market NOT NULL,
    korean_name text NOT NULL,
    english_name text NOT NULL,
    is_warned boolean NOT NULL,
    cautions text[] NOT NULL,
    PRIMARY KEY (day, symbol)
);

CREATE TABLE position_days (
    book text NOT NULL,
    symbol market NOT NULL,
    day date NOT NULL,
    chain_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (book, symbol, day)
);

CREATE TABLE positions (
    book text NOT NULL,
    symbol market NOT NULL,
    day date NOT NULL,
    position bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    entry_price_krw finite NOT NULL,
    volume_base finite NOT NULL,
    entry_fee_krw finite NOT NULL,
    closed_at timestamptz,
    exit_price_krw finite,
    exit_fee_krw finite,
    mark_price_krw finite NOT NULL,
    profit_krw finite NOT NULL,
    chain_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (book, symbol, day, position),
    CONSTRAINT position_counts_from_one CHECK (position >= 1),
    CONSTRAINT prices_are_positive CHECK (entry_price_krw > 0 AND mark_price_krw > 0 AND exit_price_krw > 0),
    CONSTRAINT volume_is_positive CHECK (volume_base > 0),
    CONSTRAINT fees_are_not_negative CHECK (entry_fee_krw >= 0 AND exit_fee_krw >= 0),
    CONSTRAINT exit_is_whole_or_absent CHECK (num_nulls(closed_at, exit_price_krw, exit_fee_krw) IN (0, 3)),
    CONSTRAINT exit_is_not_before_entry CHECK (closed_at >= opened_at)
);

-- Who is logged in: a browser holds the token, the ledger only its hash.
CREATE TABLE sessions (
    token_hash text PRIMARY KEY,
    role text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT role_is_known CHECK (role IN ('owner', 'viewer')),
    CONSTRAINT session_ends_after_it_begins CHECK (expires_at > begun_at)
);

-- What governs trading, risk and alerts, where it differs from its default.
CREATE TABLE settings (
    name text PRIMARY KEY,
    value text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Every change of a setting, for ever.
CREATE TABLE settings_history (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    value_before text,
    value_after text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL
);

-- What people are to be told: written first, sent afterwards, never twice.
CREATE TABLE alerts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    level text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT now(),
    repeats integer NOT NULL DEFAULT 0,
    repeated_at timestamptz,
    CONSTRAINT level_is_known CHECK (level IN ('info', 'warning', 'error', 'critical')),
    CONSTRAINT repeats_are_not_negative CHECK (repeats >= 0)
);

CREATE INDEX alerts_by_key ON alerts (key, raised_at);

-- An alert on its way to one place.
CREATE TABLE deliveries (
    alert bigint NOT NULL REFERENCES alerts (number),
    sink text NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    reason text,
    PRIMARY KEY (alert, sink),
    CONSTRAINT state_is_known CHECK (state IN ('waiting', 'sent', 'dead')),
    CONSTRAINT attempts_are_not_negative CHECK (attempts >= 0)
);

CREATE INDEX deliveries_waiting ON deliveries (not_before) WHERE state = 'waiting';
