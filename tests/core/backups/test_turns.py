from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from threading import Event, Thread

import pytest

from coinhts_core.backups.manifest import name_of
from coinhts_core.backups.pruning import looked_over, prune
from coinhts_core.backups.turns import removing, taking
from coinhts_core.backups.verify import verify
from coinhts_core.errors import RetryableError
from coinhts_core.ledger import locks
from coinhts_core.settings import Settings
from tests.core.backups.conftest import TAKEN_AT

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.fixture
def _in_haste(monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE_S", 0.1)


@pytest.mark.usefixtures("_in_haste")
def test_any_number_take_at_once(settings):
    """Each copies what is missing, and none removes anything."""
    with taking(settings), taking(settings), taking(settings):
        pass


@pytest.mark.parametrize(("first", "second"), [(taking, removing), (removing, taking), (removing, removing)])
def test_who_removes_is_alone(settings, first, second):
    """The other waits until the first is done, and then has his turn."""
    begins, has_its_turn = Event(), Event()

    def come():
        begins.set()
        with second(settings):
            has_its_turn.set()

    comer = Thread(target=come)
    with first(settings):
        comer.start()
        assert begins.wait(10)
        assert not has_its_turn.wait(0.1)
    assert has_its_turn.wait(10)
    comer.join()


@pytest.mark.usefixtures("_in_haste")
def test_nobody_waits_for_ever_and_other_houses_do_not_wait(settings, tmp_path):
    """Who hangs is named by the file he holds."""
    held = r"the process that holds .*/home/backups\.lock"
    with (
        removing(settings),
        removing(Settings(home=tmp_path / "elsewhere")),
        pytest.raises(RetryableError, match=held),
        taking(settings),
    ):
        pytest.fail("it was let in")
    with taking(settings):
        pass


@pytest.mark.usefixtures("_in_haste")
def test_a_backup_is_not_taken_while_somebody_removes(in_directories):
    """Nothing of it is begun."""
    with removing(in_directories.settings), pytest.raises(RetryableError):
        in_directories.take()
    assert not in_directories.shelf.files()
    with taking(in_directories.settings):
        assert in_directories.take().name in in_directories.shelf.files()


def test_one_is_taken_while_another_is_and_a_pruning_waits_for_both(in_directories):
    """Both are whole, and whoever prunes finds the place as they left it."""
    shelf, settings, later, done = in_directories.shelf, in_directories.settings, TAKEN_AT + 2 * HOUR, []

    def remove():
        with removing(settings):
            found = [of.name for of in shelf.listed()]
        return found, prune(settings, shelf, looked_over(shelf, later), later)

    with ThreadPoolExecutor() as pool:

        def meanwhile(*_):
            if not done:
                done.append(in_directories.take(TAKEN_AT + HOUR).name)
                waiting.append(pool.submit(remove))
                assert not wait(waiting, 0.1).done

        waiting = []
        done.append(in_directories.take(TAKEN_AT, meanwhile).name)
        found, pruned = waiting[0].result(60)
    names = [name_of(TAKEN_AT + HOUR), name_of(TAKEN_AT)]
    assert [of.name for of in shelf.listed()] == found == names == done
    assert (pruned.backups, pruned.left_overs) == ((), ())
    for name in names:
        assert verify(shelf, name, later).damages == ()
