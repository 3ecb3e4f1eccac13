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
