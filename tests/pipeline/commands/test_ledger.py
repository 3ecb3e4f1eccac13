import json
from time import sleep

import pytest

from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.ledger.migrate import migrations_in
from coinhts_core.settings import read_settings
from coinhts_pipeline.only_one import only_one

NAMES = [of.name for of in migrations_in()]


@pytest.fixture
def own(open_house, tmp_path):
    """Open a house whose ledger goes back and forth."""
    with open_house(tmp_path, symbols="KRW-BTC") as house:
        yield house


def test_one_step_back_and_forward_again(own, answer):
    """Each with a backup before it; a command that works on data goes forward by itself."""
    code, out, err = answer("ledger", "rollback", "--json")
    assert (code, out) == (1, "")
    assert f"taking back {NAMES[-1]} loses what they brought; add --yes" in err
    code, out, _ = answer("ledger", "rollback", "--yes", "--json")
    told = json.loads(out)
    assert (code, told["taken_back"]) == (0, NAMES[-1:])
    shelf = BackupShelf.open(own.installation.settings)
    assert [of.name for of in shelf.listed()] == [told["backup"]]
    code, out, _ = answer("ledger", "status", "--json")
    assert [of["migration"] for of in json.loads(out) if of["applied_at"] is None] == NAMES[-1:]
    sleep(1.1)  # a backup is named by its second
    code, out, _ = answer("ledger", "migrate", "--json")
    assert (code, json.loads(out)) == (0, NAMES[-1:])
    assert len(shelf.listed()) == 2
    code, out, _ = answer("ledger", "migrate")
    assert (code, out) == (0, "nothing was missing\n")


def test_nothing_is_taken_back_under_a_house_that_is_up(own, answer):
    """Its processes know the newer tables."""
    with only_one(own.installation.settings.home):
        code, out, err = answer("ledger", "rollback", "--yes")
    assert (code, out) == (1, "")
    assert "coinhts is already up on" in err
    assert not BackupShelf.open(read_settings()).listed()


def test_where_there_is_nothing_to_take_back_nothing_is_done(own, answer):
    """Asked to go where it is."""
    code, out, _ = answer("ledger", "rollback", "--to", str(len(NAMES)), "--yes")
    assert (code, out) == (0, "nothing was to be taken back\n")
    assert own.installation
