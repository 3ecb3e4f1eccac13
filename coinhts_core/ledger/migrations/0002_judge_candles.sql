-- A day whose bars were all but a few believed is stored without those; it is worth asking for again.
ALTER TABLE coverage DROP CONSTRAINT answer_is_known;
ALTER TABLE coverage ADD CONSTRAINT answer_is_known CHECK (answer IN ('complete', 'partial', 'unavailable'));

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
