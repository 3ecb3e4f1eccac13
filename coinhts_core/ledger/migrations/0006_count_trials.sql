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
