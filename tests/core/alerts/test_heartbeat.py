from datetime import timedelta

import pytest

from coinhts_core.alerts.heartbeat import DeadMan, beat, last_beat
from coinhts_core.errors import LedgerUnreachableError
from tests.core.alerts.conftest import NOON

MINUTE = timedelta(minutes=1)


@pytest.fixture
def watched(office, ledger):
    """Give an office, and the switch that watches over it since noon."""
    opened = office()
    return opened, DeadMan(ledger, opened.settings, NOON)


def told(office):
    return [line["title"] for line in office.file]


def test_signs_of_life_keep_it_quiet(watched):
    """The latest counts; before the first, the moment somebody began to look."""
    office, dead_man = watched
    assert last_beat(office.settings) is None
    assert not dead_man.look(NOON + 4 * MINUTE)
    for minutes in range(4, 60, 4):
        beat(office.settings, NOON + minutes * MINUTE)
        assert not dead_man.look(NOON + (minutes + 4) * MINUTE)
    assert last_beat(office.settings) == NOON + 56 * MINUTE
    assert told(office) == []


def test_silence_is_told_once_an_hour_and_when_it_ends(watched):
    """Though nothing else delivers."""
    office, dead_man = watched
    beat(office.settings, NOON + MINUTE)
    for minutes in range(90):
        assert dead_man.look(NOON + minutes * MINUTE) == (minutes > 6)
    beat(office.settings, NOON + 90 * MINUTE)
    assert not dead_man.look(NOON + 90 * MINUTE)
    assert not dead_man.look(NOON + 91 * MINUTE)
    silent = "the daemon is silent since 2026-02-01 12:01:00 UTC (02-01 21:01 KST)"
    assert told(office) == [silent, silent, "the daemon is back"]
    assert "daemon.log" in office.file[0]["body"]


def test_a_sign_of_another_day_is_not_believed_before_one_looks(watched, caplog):
    """A house that was down for a week is not silent the moment it is up; one nobody can read is said to be there."""
    office, dead_man = watched
    beat(office.settings, NOON - timedelta(days=7))
    assert not dead_man.look(NOON + MINUTE)
    (office.settings.home / "heartbeat").write_text("half a")
    assert not dead_man.look(NOON + MINUTE)
    assert [of.msg for of in caplog.records] == ["a sign of life cannot be read"]
    assert dead_man.look(NOON + 6 * MINUTE)


def test_without_a_ledger_it_is_told_all_the_same(watched, ledger, monkeypatch, caplog):
    """Perhaps that is why the daemon is silent; what is wrong with it is in the log."""
    office, dead_man = watched

    def unreachable():
        raise LedgerUnreachableError(address="localhost", reason="gone")

    monkeypatch.setattr(ledger, "transaction", unreachable)
    assert dead_man.look(NOON + 6 * MINUTE)
    assert told(office) == ["the daemon is silent since 2026-02-01 12:00:00 UTC (02-01 21:00 KST)"]
    (passed_by,) = [of for of in caplog.records if of.msg == "the outbox is passed by"]
    assert passed_by.exc_info[0] is LedgerUnreachableError


def test_looking_never_raises(watched, ledger):
    """Not even when nothing at all can be written."""
    office, dead_man = watched
    (office.settings.home / "logs").write_text("in the way")
    ledger.close()
    assert dead_man.look(NOON + 6 * MINUTE)
