import logging
from datetime import UTC, datetime

import psycopg
import pytest

from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.errors import CheckFailedError, RefusedError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.migrate import migrate, migrations_in, rollback, status
from coinhts_core.settings import read_settings
from coinhts_pipeline.schema import bring_forward, judge, keep_all, steps_back, take_back

NAMES = [of.name for of in migrations_in()]


@pytest.fixture
def settings(tmp_path):
    """Name a home of its own."""
    return read_settings({"COINHTS_HOME": str(tmp_path)})


@pytest.fixture
def kept():
    """Take backups that only know what the ledger had been through."""

    class Kept(list):
        def of(self, ledger):
            def keep(_, moment):
                assert moment.tzinfo is UTC or isinstance(moment, datetime)
                self.append(applied(ledger))
                return "20260102T030405Z"

            return keep

    return Kept()


def applied(ledger):
    return [step.name for step in status(ledger) if step.applied_at]


def test_an_empty_ledger_is_migrated_and_nothing_is_backed_up(settings, empty_ledger, kept):
    """There is nothing to lose; the second time there is nothing to do."""
    assert bring_forward(settings, empty_ledger, kept.of(empty_ledger)) == NAMES
    assert bring_forward(settings, empty_ledger, kept.of(empty_ledger)) == []
    assert kept == []


def test_a_ledger_with_data_is_backed_up_before_it_is_migrated(settings, ledger, kept, caplog):
    """Once, as it was; each stage is a sentence in the log."""
    caplog.set_level(logging.INFO, "coinhts.start")
    rollback(ledger, to=len(NAMES) - 2)
    assert bring_forward(settings, ledger, kept.of(ledger)) == NAMES[-2:]
    assert kept == [NAMES[:-2]]
    assert caplog.messages == [
        "backup 20260102T030405Z was taken before 2 migrations",
        f"the ledger went through 2 migrations: {', '.join(NAMES[-2:])}",
    ]
    judge(ledger)
    assert caplog.messages[-1] == "the ledger's schema is the one this coinhts knows"


def test_without_a_backup_nothing_is_migrated(settings, ledger):
    """One sentence, the one of whoever could not take it; nothing is half done."""
    rollback(ledger, to=len(NAMES) - 1)

    def full(*_):
        raise RefusedError(reason="there is no room for a backup")

    with pytest.raises(RefusedError, match="there is no room for a backup"):
        bring_forward(settings, ledger, full)
    assert applied(ledger) == NAMES[:-1]


def test_a_schema_that_was_changed_by_hand_is_refused_after_a_migration(settings, ledger, kept):
    """The migration is applied, and stays so; whoever starts next is told the same."""
    rollback(ledger, to=len(NAMES) - 1)
    with ledger.transaction() as connection:
        connection.execute("ALTER TABLE positions DROP COLUMN chain_id")
    with pytest.raises(CheckFailedError, match=r"lacks column positions\.chain_id"):
        bring_forward(settings, ledger, kept.of(ledger))
    assert applied(ledger) == NAMES
    with pytest.raises(CheckFailedError, match=r"lacks column positions\.chain_id"):
        judge(ledger)


def test_what_is_taken_back_is_backed_up_before(settings, ledger, kept):
    """The last step, or all down to a number; forward again it is as it was."""
    assert steps_back(ledger, None) == NAMES[-1:]
    assert steps_back(ledger, 0) == NAMES[::-1]
    assert take_back(settings, ledger, None, kept.of(ledger)) == ("20260102T030405Z", NAMES[-1:])
    assert take_back(settings, ledger, 5, kept.of(ledger)) == ("20260102T030405Z", NAMES[5:-1][::-1])
    assert kept == [NAMES, NAMES[:-1]]
    assert take_back(settings, ledger, 5, kept.of(ledger)) == (None, [])
    assert bring_forward(settings, ledger, kept.of(ledger)) == NAMES[5:]
    judge(ledger)


def test_a_number_that_was_never_reached_is_refused(ledger, empty_ledger):
    """Naming where the ledger is."""
    with pytest.raises(RefusedError, match=f"never went through migration 99; it is at {len(NAMES)}"):
        steps_back(ledger, 99)
    assert steps_back(empty_ledger, None) == []


def test_the_backup_before_is_a_real_one(open_house, tmp_path):
    """Taken, read back and listed, with the ledger as it was."""
    with open_house(tmp_path, symbols="KRW-BTC") as house:
        settings = house.installation.settings
        with psycopg.connect(house.rooms.ledger.url) as connection:
            connection.execute("INSERT INTO settings (name, value) VALUES ('stop_loss_pct', '7')")
        name = keep_all(settings, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        found = BackupShelf.open(settings).listed()
        assert [of.name for of in found] == [name] == ["20260102T030405Z"]
        assert found[0].is_whole
        assert found[0].manifest.databases["ledger"].tables["public.settings"].rows == 1


def test_two_who_start_at_once_migrate_once(settings, ledger, kept):
    """The second waits for the first, and finds nothing missing."""
    rollback(ledger, to=len(NAMES) - 1)

    def keep(_, moment):
        with Ledger.open(ledger.url) as other:
            migrate(other)  # somebody of another home was faster
        return kept.of(ledger)(_, moment)

    assert bring_forward(settings, ledger, keep) == []
    assert applied(ledger) == NAMES
