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
