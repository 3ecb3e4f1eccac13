"""The embedded server, whoever is killed and whenever: the next start finds it or brings it back."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from coinhts_core.errors import LedgerUnreachableError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer

_NOBODY = 65_534


def postmaster_of(server) -> psutil.Process:
    return psutil.Process(int((server.data_directory / "postmaster.pid").read_text().split("\n")[0]))


def is_alive(process: psutil.Process) -> bool:
    """Say whether it runs; what waits only for its parent to notice its end does not."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def has_ended(process: psutil.Process) -> bool:
    """Say whether it ends within a moment: its locks are free a little before it is gone."""
    deadline = time.monotonic() + 2
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(process)


def kill_all_of(server) -> None:
    postmaster = postmaster_of(server)
    for process in (postmaster, *postmaster.children(recursive=True)):
        process.kill()


def record(server, number: int) -> None:
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number bigint)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def recorded(server) -> list[int]:
    with psycopg.connect(server.url("postgres")) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]


@pytest.fixture
def users_home():
    """Give a home of an ordinary user: somebody else's when the tests run as root."""
    uid = _NOBODY if os.geteuid() == 0 else os.geteuid()
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, uid, -1)
    yield folder / "home", uid
    shutil.rmtree(folder)


def test_killed_owner_leaves_a_server_that_the_next_one_adopts_and_stops(server_home, share_elsewhere):
    """The orphan is found, is the same process, and is gone with the last who shared it."""
    owner = share_elsewhere(server_home).arrive()
    orphan = postmaster_of(owner)
    owner.kill()
    assert is_alive(orphan)
    with EmbeddedServer.share(server_home) as server:
        assert postmaster_of(server) == orphan
    assert has_ended(orphan)
    assert not server.socket_directory.exists()


@pytest.mark.parametrize("is_owner_killed_too", [False, True])
def test_killed_postgres_is_brought_back_with_every_committed_row(server_home, share_elsewhere, is_owner_killed_too):
    """All its processes die at once, also together with their owner: what was committed is there."""
    owner = share_elsewhere(server_home).arrive()
    with EmbeddedServer.share(server_home) as server:
        record(server, 1)
        kill_all_of(server)
        if is_owner_killed_too:
            owner.kill()
        with EmbeddedServer.share(server_home) as again:
            assert recorded(again) == [1]
            assert again.url("postgres") == server.url("postgres")


def test_killed_postmaster_alone_is_replaced_once_its_children_have_gone(server_home):
    """A new server never runs beside remains of the old one on the same data."""
    with EmbeddedServer.share(server_home) as server:
        record(server, 1)
        postmaster = postmaster_of(server)
        children = postmaster.children(recursive=True)
        busy = psycopg.connect(server.url("postgres"))
        postmaster.kill()
        with EmbeddedServer.share(server_home) as again:
            assert all(has_ended(child) for child in children)
            assert recorded(again) == [1]
        busy.close()


@pytest.mark.parametrize("is_initdb_left_running", [False, True])
def test_killed_while_making_the_data_directory_begins_anew(server_home, share_elsewhere, is_initdb_left_running):
    """Half a data directory is never used, nor written to by two at once."""
    first = share_elsewhere(server_home)
    starter = psutil.Process(first.process.pid)
    while not any(child.name() == "initdb" for child in starter.children()):
        time.sleep(0.001)
    time.sleep(0.05)
    children = starter.children(recursive=True)
    first.kill()
    if not is_initdb_left_running:
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
    files = place_of(server_home).files
    assert (files / "data.new").exists()
    assert not (files / "data").exists()
    with EmbeddedServer.share(server_home) as server:
        record(server, 1)
        assert recorded(server) == [1]
    assert not (files / "data.new").exists()


def test_stale_notes_naming_a_living_stranger_do_not_hinder_a_start(server_home):
    """After a reboot the number in a pid file may be another process', which is left alone."""
    with EmbeddedServer.share(server_home) as server:
        note = (server.data_directory / "postmaster.pid").read_text()
        kill_all_of(server)
        account = place_of(server_home).account
        stranger = subprocess.Popen(["sleep", "60"], cwd="/", **account.to_run_as())
        stale = note.replace(note.split("\n")[0], str(stranger.pid), 1)
        (server.data_directory / "postmaster.pid").write_text(stale)
        (server.socket_directory / ".s.PGSQL.5432.lock").write_text(stale)
        with EmbeddedServer.share(server_home) as again:
            assert postmaster_of(again).pid != stranger.pid
        assert stranger.poll() is None
        stranger.kill()
        stranger.wait()


def test_many_starting_at_once_share_one_server_and_the_last_stops_it(server_home, share_elsewhere):
    """However many race, one server runs; it stays for the last of them and no longer."""
    sharers = [share_elsewhere(server_home) for _ in range(3)]
    postmasters = {postmaster_of(sharer.arrive()) for sharer in sharers}
    assert len(postmasters) == 1
    (postmaster,) = postmasters
    everything = [postmaster, *postmaster.children(recursive=True)]
    for sharer in sharers[:-1]:
        sharer.leave()
    assert is_alive(postmaster)
    sharers[-1].leave()
    assert all(has_ended(process) for process in everything)


def test_the_terminals_interrupt_reaches_its_processes_but_not_the_server(server_home, share_elsewhere):
    """Ctrl-C ends the one who started the server; whoever else shares it goes on."""
    starter = share_elsewhere(server_home).arrive()
    with EmbeddedServer.share(server_home) as server:
        os.killpg(starter.process.pid, signal.SIGINT)
        starter.process.wait(60)
        record(server, 1)
        assert recorded(server) == [1]


def test_an_ordinary_user_has_a_server_in_the_home_itself(users_home, share_elsewhere):
    """Without root nothing outside the home is needed but a short private directory for the socket."""
    home, uid = users_home
    owner = share_elsewhere(home, uid).arrive()
    assert owner.data_directory == home / "postgres" / "data"
    assert postmaster_of(owner).uids().real == uid
    orphan = postmaster_of(owner)
    owner.kill()
    heir = share_elsewhere(home, uid).arrive()
    assert postmaster_of(heir) == orphan
    heir.leave()
    assert has_ended(orphan)


def test_a_server_whose_home_was_removed_makes_way_for_the_next(users_home, share_elsewhere):
    """The orphan still holds the socket; the new home gets a new server, and the old one goes."""
    home, uid = users_home
    owner = share_elsewhere(home, uid).arrive()
    orphan = postmaster_of(owner)
    owner.kill()
    shutil.rmtree(home)
    heir = share_elsewhere(home, uid).arrive()
    assert heir.url == owner.url
    assert postmaster_of(heir) != orphan
    assert has_ended(orphan)
    heir.leave()


@pytest.mark.parametrize("failures", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_an_open_ledger_heals_when_postgres_is_back(server_home, failures):
    """While nothing answers it says so within seconds; afterwards it goes on, without being opened again."""
    with EmbeddedServer.share(server_home) as server, Ledger.open(server.url("postgres")) as ledger:
        with ledger.transaction(), ledger.transaction():
            pass  # two connections lie in the pool
        kill_all_of(server)
        for _ in range(failures):
            with pytest.raises(LedgerUnreachableError), ledger.transaction():
                pass
        with EmbeddedServer.share(server_home), ledger.transaction() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
