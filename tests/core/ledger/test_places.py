import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from coinhts_core.errors import HomeUnusableError, LedgerStartError
from coinhts_core.ledger.places import Account, Place, place_of

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, Account(os.geteuid(), os.getegid()), tmp_path, tmp_path / "socket")


def test_the_socket_has_a_short_path_however_long_the_homes_is(server_home):
    """PostgreSQL allows a socket's path 107 bytes; a home may be much deeper."""
    deep = server_home.joinpath(*(["a long name with 'quotes\" and 100 % 한글"] * 8))
    place = place_of(deep)
    assert len(str(place.home)) > 300
    assert len(os.fsencode(place.socket_directory)) <= 80


def test_a_home_keeps_its_place_and_another_home_has_another(server_home):
    """Processes of one home meet; those of different homes never do."""
    places = [place_of(server_home), place_of(server_home), place_of(server_home / "other")]
    assert places[0] == places[1]
    assert places[0].socket_directory != places[2].socket_directory


def test_many_who_begin_at_once_find_one_place(server_home):
    """The first of them chooses, and the others read what it chose."""
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(place_of, [server_home] * 8))) == 1


def test_a_private_directory_is_made_for_its_account_only(place):
    """Whatever the umask, nobody else may enter."""
    assert place.private_directory(place.socket_directory).stat().st_mode & 0o777 == 0o700
    assert place.private_directory(place.socket_directory) == place.socket_directory


@pytest.mark.parametrize("fault", ["open to others", "a link", "a file", *(["somebody else's"] if IS_ROOT else [])])
def test_a_directory_prepared_by_somebody_else_is_refused(place, fault):
    """Anybody may write where sockets lie: what is found there is judged, never trusted or repaired."""
    directory = place.socket_directory
    if fault == "a link":
        (place.home / "elsewhere").mkdir(mode=0o700)
        directory.symlink_to(place.home / "elsewhere")
    elif fault == "a file":
        directory.touch(mode=0o600)
    else:
        directory.mkdir(mode=0o700)
    if fault == "open to others":
        directory.chmod(0o770)
    if fault == "somebody else's":
        os.chown(directory, 65_533, -1)
    with pytest.raises(LedgerStartError, match="only its own account may enter"):
        place.private_directory(directory)


def test_a_home_that_cannot_be_made_is_refused_in_one_sentence(tmp_path):
    """A file is in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusableError, match="cannot be used"):
        place_of(tmp_path / "file" / "home")


@pytest.mark.parametrize("named", ["/etc", "/var/lib/coinhts/..", "/var/lib/coinhts/../coinhts/0123456789abcdef", ""])
def test_a_home_that_names_a_strange_place_is_refused(tmp_path, named):
    """Root never works in a directory only because a file says so; nobody else works in root's at all."""
    (tmp_path / "postgres.path").write_text(named)
    with pytest.raises(HomeUnusableError, match="no server's place" if IS_ROOT else "made by root"):
        place_of(tmp_path)


def test_a_ledger_of_root_and_one_of_a_user_never_stand_beside_each_other(tmp_path):
    """Run as the other kind of user, coinhts would begin an empty ledger; it refuses instead."""
    if IS_ROOT:
        (tmp_path / "postgres").mkdir()
    else:
        (tmp_path / "postgres.path").touch()
    with pytest.raises(HomeUnusableError, match="its ledger"):
        place_of(tmp_path)
