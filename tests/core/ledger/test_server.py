from shutil import rmtree

import psycopg
import pytest

from coinhts_core.errors import HomeUnusableError, LedgerStartError
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Give a server as a house has it; the session's is not durable."""
    with EmbeddedServer.share(tmp_path_factory.mktemp("home")) as server:
        yield server
    rmtree(server.data_directory.parent)


def test_the_server_is_durable_private_and_in_utc(postgres):
    """No TCP, no weakened durability, no clock of its own; nor can ALTER SYSTEM change that."""
    wanted = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "max_connections": "100",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "unix_socket_permissions": "0700",
    }
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        found = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0] for name in wanted}
        assert found == wanted
        durable = "SELECT source FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')"
        assert connection.execute(durable).fetchall() == [("command line",)] * 3
    assert postgres.socket_directory.stat().st_mode & 0o777 == 0o700
    assert len(str(postgres.socket_directory)) <= 80


def test_the_address_holds_whatever_the_environment_says_of_another_server(postgres, monkeypatch):
    """Who also works with another PostgreSQL may have its port in the environment."""
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "nowhere")
    psycopg.connect(postgres.url("postgres")).close()


def test_a_home_may_be_deep_and_oddly_named_and_keeps_its_permissions(server_home):
    """Spaces, quotes, dollars, backslashes and Korean are letters like others; nobody's modes are changed."""
    home = server_home.joinpath(*(['it\'s a "home" with 100 %s, $HOME, `ls` and \\ 한글'] * 6))
    home.mkdir(mode=0o700, parents=True)
    before = [path.stat().st_mode for path in (home, *home.parents)]
    with EmbeddedServer.share(home) as server, psycopg.connect(server.url("postgres")) as connection:
        assert [path.stat().st_mode for path in (home, *home.parents)] == before
        assert connection.execute("SHOW data_directory").fetchone() == (str(server.data_directory),)


def test_sharing_again_within_a_process_neither_starts_nor_stops_a_second(postgres):
    """The inner one leaves and the outer one's server goes on."""
    home = postgres._place.home
    with EmbeddedServer.share(home) as inner:
        assert inner.data_directory == postgres.data_directory
    psycopg.connect(postgres.url("postgres")).close()


def test_data_of_another_version_are_refused_by_name(server_home):
    """Another PostgreSQL's files are left as they are."""
    data = place_of(server_home).data_directory
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("17\n")
    with (
        pytest.raises(LedgerStartError, match="was written by PostgreSQL 17"),
        EmbeddedServer.share(server_home),
    ):
        pass


def test_a_server_that_cannot_start_says_why(server_home):
    """Its last complaint is the reason, and the socket directory is not left behind."""
    with EmbeddedServer.share(server_home) as server:
        configuration = server.data_directory / "pg_hba.conf"
    configuration.write_text("nonsense\n")
    with pytest.raises(LedgerStartError, match="could not load"), EmbeddedServer.share(server_home):
        pass
    assert not server.socket_directory.exists()


def test_a_home_that_cannot_be_written_is_refused_in_one_sentence(server_home):
    """Where a directory is needed there is something else, whatever the privileges."""
    (place_of(server_home).files / "users.lock").mkdir()
    with pytest.raises(HomeUnusableError, match=r"Is a directory"), EmbeddedServer.share(server_home):
        pass
