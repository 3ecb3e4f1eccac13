import pytest

from coinhts_core.errors import CheckFailedError
from coinhts_core.ledger.shape import shape_of, validate


def test_a_migrated_ledger_is_as_written(ledger):
    """Name by name, and looking leaves nothing behind."""
    shape = validate(ledger)
    assert (shape.lacks, shape.besides) == ((), ())
    with ledger.transaction() as connection:
        assert connection.execute("SELECT to_regnamespace('shape_as_written')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ("ALTER TABLE requests DROP COLUMN worker CASCADE", "column requests.worker text"),
        ("ALTER TABLE positions ALTER COLUMN chain_id TYPE varchar", "column positions.chain_id text NOT NULL"),
        ("ALTER TABLE positions ALTER COLUMN chain_id DROP NOT NULL", "column positions.chain_id text NOT NULL"),
        ("ALTER TABLE deliveries DROP CONSTRAINT state_is_known", "constraint state_is_known of deliveries"),
        ("ALTER DOMAIN finite DROP CONSTRAINT is_finite", "constraint is_finite of finite"),
        ("DROP INDEX results_newest", "index CREATE INDEX results_newest"),
        ("DROP TRIGGER holding_is_judged ON holdings", "trigger CREATE TRIGGER holding_is_judged"),
        ("DROP TABLE sessions", "table sessions"),
        (
            "CREATE OR REPLACE FUNCTION keep_for_ever() RETURNS trigger AS 'BEGIN RETURN old; END' LANGUAGE plpgsql",
            "function keep_for_ever",
        ),
    ],
)
def test_what_was_changed_by_hand_is_refused_by_name(ledger, change, lacks):
    """Whatever it is: the code would find out later, and half-way through."""
    with ledger.transaction() as connection:
        connection.execute(change)
    assert any(line.startswith(lacks) for line in shape_of(ledger).lacks)
    with pytest.raises(CheckFailedError, match=r"the ledger's schema failed: .*restore a backup.*; it lacks \w+ "):
        validate(ledger)


def test_what_was_added_by_hand_is_told_and_harms_nobody(ledger):
    """An index for a report of one's own, a table beside ours."""
    with ledger.transaction() as connection:
        connection.execute("CREATE INDEX mine ON positions (day); CREATE TABLE notes (word text)")
    assert {line.split(" ")[0] for line in validate(ledger).besides} == {"index", "table", "column"}
