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
