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
