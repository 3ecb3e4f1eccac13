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

-- What people ask for: a row a question, whoever asks it and however often.
CREATE TABLE requests (
    identity text PRIMARY KEY,
    kind text NOT NULL,
    strategy text NOT NULL,
    asked jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued',
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    epoch integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    worker text,
    seen_at timestamptz,
    progress double precision NOT NULL DEFAULT 0,
    step text NOT NULL DEFAULT '',
    error text,
    is_told boolean NOT NULL DEFAULT FALSE,
    CONSTRAINT identity_is_a_hash CHECK (identity ~ '^[0-9a-f]{64}$'),
    CONSTRAINT kind_is_known CHECK (kind IN ('backtest', 'sweep', 'walkforward')),
    CONSTRAINT state_is_known CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled', 'dead')),
    CONSTRAINT counts_are_not_negative CHECK (epoch >= 0 AND attempts >= 0),
    CONSTRAINT progress_is_a_fraction CHECK (progress >= 0 AND progress <= 1),
    CONSTRAINT who_runs_is_known CHECK (state <> 'running' OR num_nulls(worker, seen_at) = 0),
    CONSTRAINT what_went_wrong_has_a_reason CHECK (state NOT IN ('failed', 'dead') OR error IS NOT NULL)
);

CREATE INDEX requests_queued ON requests (created_at) WHERE state = 'queued';
CREATE INDEX requests_running ON requests (worker) WHERE state = 'running';
CREATE INDEX requests_untold ON requests (changed_at) WHERE state IN ('completed', 'dead') AND NOT is_told;
CREATE INDEX requests_by_age ON requests (created_at, identity);

-- Whoever changes a request, and however: what is cancelled never completes, and what is completed stays so.
CREATE FUNCTION judge_request_state() RETURNS trigger AS $$
BEGIN
    IF (old.state, new.state) NOT IN (
        ('queued', 'running'), ('queued', 'cancelled'),
        ('running', 'completed'), ('running', 'failed'), ('running', 'cancelled'), ('running', 'dead'),
        ('running', 'queued'), ('failed', 'queued'), ('cancelled', 'queued'), ('dead', 'queued')
    ) THEN
        RAISE EXCEPTION 'a request that is % never turns %', old.state, new.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN new;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER request_state_is_judged BEFORE UPDATE ON requests
FOR EACH ROW WHEN (old.state <> new.state) EXECUTE FUNCTION judge_request_state();

-- What backtests, sweeps and walk-forwards came to, found by identity; their rows lie in the lake under the same.
CREATE TABLE results (
    id text COLLATE "C" PRIMARY KEY,
    question text NOT NULL,
    kind text NOT NULL,
    strategy text NOT NULL,
    mode text NOT NULL,
    symbols text[] NOT NULL,
    timeframe text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    total_return double precision,
    max_drawdown double precision,
    sharpe double precision,
    trades integer,
    asked jsonb NOT NULL,
    metrics jsonb NOT NULL,
    made_from jsonb NOT NULL,
    frames jsonb NOT NULL,
    is_pinned boolean NOT NULL DEFAULT FALSE,
    kept_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT id_is_an_identity CHECK (id ~ '^[0-9a-f]{64}$'),
    CONSTRAINT kind_is_known CHECK (kind IN ('backtest', 'sweep', 'walkforward')),
    CONSTRAINT mode_is_known CHECK (mode IN ('account', 'study')),
    CONSTRAINT symbols_are_named CHECK (cardinality(symbols) >= 1),
    CONSTRAINT last_day_is_not_before_first CHECK (last_day >= first_day),
    CONSTRAINT trades_are_not_negative CHECK (trades >= 0),
    CONSTRAINT total_return_is_finite CHECK (total_return > '-Infinity' AND total_return < 'Infinity'),
    CONSTRAINT max_drawdown_is_finite CHECK (max_drawdown > '-Infinity' AND max_drawdown < 'Infinity'),
    CONSTRAINT sharpe_is_finite CHECK (sharpe > '-Infinity' AND sharpe < 'Infinity')
);

CREATE INDEX results_newest ON results (kept_at DESC, id);

CREATE INDEX results_of_strategy ON results (strategy, kept_at DESC, id);

CREATE INDEX results_by_return ON results (total_return DESC NULLS LAST, kept_at DESC, id);

CREATE INDEX results_of_question ON results (question, kept_at DESC, id);

-- Every combination that was ever tried over some candles, once, and its Sharpe ratio a day: whoever judges the best of
-- them has to know how many there were, and how far apart.
CREATE TABLE trials (
    identity text COLLATE "C" PRIMARY KEY,
    strategy text NOT NULL,
    symbols text[] NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    sharpe double precision,
    tried_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identity_is_a_hash CHECK (identity ~ '^[0-9a-f]{64}$'),
    CONSTRAINT symbols_are_named CHECK (cardinality(symbols) >= 1),
    CONSTRAINT last_day_is_not_before_first CHECK (last_day >= first_day),
    CONSTRAINT sharpe_is_finite CHECK (sharpe > '-Infinity' AND sharpe < 'Infinity')
);

-- Positions that people keep by hand: the book `manual`, and no other.
CREATE TABLE holdings (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text UNIQUE,
    asked_hash text,
    state text NOT NULL,
    version integer NOT NULL,
    symbol market NOT NULL,
    opened_at timestamptz NOT NULL,
    entry_price_krw finite NOT NULL,
    volume_base finite NOT NULL,
    entry_fee_rate finite NOT NULL,
    closed_at timestamptz,
    exit_price_krw finite,
    exit_fee_rate finite,
    slippage_krw finite,
    note text NOT NULL,
    recorded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT key_comes_with_what_was_asked CHECK (num_nulls(key, asked_hash) IN (0, 2)),
    CONSTRAINT state_is_known CHECK (state IN ('open', 'closed', 'cancelled', 'deleted')),
    CONSTRAINT version_counts_from_one CHECK (version >= 1),
    CONSTRAINT is_bought_with_won CHECK (symbol LIKE 'KRW-%'),
    CONSTRAINT prices_are_positive CHECK (entry_price_krw > 0 AND exit_price_krw > 0),
    CONSTRAINT volume_is_positive CHECK (volume_base > 0),
    CONSTRAINT costs_are_not_negative CHECK (entry_fee_rate >= 0 AND exit_fee_rate >= 0 AND slippage_krw >= 0),
    CONSTRAINT exit_is_whole_or_absent CHECK (
        num_nulls(closed_at, exit_price_krw, exit_fee_rate, slippage_krw) IN (0, 4)
    ),
    CONSTRAINT exit_comes_with_its_state CHECK (
        state = 'deleted' OR (state = 'closed') = (closed_at IS NOT NULL)
    ),
    CONSTRAINT exit_is_not_before_entry CHECK (closed_at >= opened_at)
);

CREATE INDEX holdings_newest ON holdings (opened_at DESC, number DESC);

-- Everything that was ever done to one of them, for ever.
CREATE TABLE holding_events (
    holding bigint NOT NULL REFERENCES holdings (number),
    version integer NOT NULL,
    what text NOT NULL,
    changed jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (holding, version),
    CONSTRAINT version_counts_from_one CHECK (version >= 1),
    CONSTRAINT what_is_known CHECK (what IN ('opened', 'amended', 'annotated', 'closed', 'cancelled', 'deleted'))
);

-- Whoever changes one, and however: a change is the next version, and what has ended does not go on.
CREATE FUNCTION judge_holding() RETURNS trigger AS $$
BEGIN
    IF new.number <> old.number OR new.version <> old.version + 1 THEN
        RAISE EXCEPTION 'a position goes from version % to the next', old.version USING ERRCODE = 'check_violation';
    END IF;
    IF (old.state, new.state) NOT IN (
        ('open', 'open'), ('open', 'closed'), ('open', 'cancelled'),
        ('closed', 'closed'), ('closed', 'deleted'), ('cancelled', 'cancelled'), ('cancelled', 'deleted')
    ) THEN
        RAISE EXCEPTION 'a position that is % never turns %', old.state, new.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN new;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER holding_is_judged BEFORE UPDATE ON holdings
FOR EACH ROW EXECUTE FUNCTION judge_holding();

CREATE FUNCTION keep_for_ever() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'what is in % is never rewritten and never removed', tg_table_name USING ERRCODE = 'check_violation';
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER holding_is_kept BEFORE DELETE ON holdings
FOR EACH ROW EXECUTE FUNCTION keep_for_ever();

CREATE TRIGGER holding_event_is_kept BEFORE UPDATE OR DELETE ON holding_events
FOR EACH ROW EXECUTE FUNCTION keep_for_ever();

-- Every run of a job that has ended, and every attempt of its steps, once; a run's own row has no step. Who asks over
-- all of them reads one index, who asks over the last days the pages that these days lie in.
CREATE TABLE job_metrics (
    run_id uuid NOT NULL,
    step text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    job text COLLATE "C" NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    duration_s double precision GENERATED ALWAYS AS (extract(EPOCH FROM (ended_at - began_at))) STORED,
    success boolean NOT NULL,
    error_class text,
    row_count bigint,
    partitions integer NOT NULL,
    ended_event bigint NOT NULL,
    PRIMARY KEY (run_id, step, attempt),
    CONSTRAINT attempt_counts_from_one CHECK (attempt >= 1),
    CONSTRAINT end_is_not_before_beginning CHECK (ended_at >= began_at),
    CONSTRAINT failure_has_its_class CHECK (success = (error_class IS NULL)),
    CONSTRAINT counts_are_not_negative CHECK (row_count >= 0 AND partitions >= 0)
);

CREATE INDEX job_metrics_of_runs ON job_metrics (job, duration_s) INCLUDE (ended_at, success, row_count)
WHERE step = '';

CREATE INDEX job_metrics_by_end ON job_metrics USING brin (ended_at) WITH (pages_per_range = 16);

CREATE INDEX job_metrics_newest ON job_metrics (ended_at, ended_event) WHERE step = '';
