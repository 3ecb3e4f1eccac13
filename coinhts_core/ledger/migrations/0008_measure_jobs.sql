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
