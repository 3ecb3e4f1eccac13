import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coinhts_core.backups import scratch as scratches
from coinhts_core.backups.scratch import scratch
from coinhts_core.errors import RefusedError
from coinhts_core.ledger.connection import connect
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import Settings
from tests.core.backups.cleared import clear_drills

WHICH = "SELECT system_identifier FROM pg_control_system()"
OF_DATABASE = "SELECT oid FROM pg_database WHERE datname = current_database()"
SIZE = "SELECT pg_database_size(current_database())"
HELD = """
    SELECT n.nspname || '.' || coalesce(c.relname, '') FROM pg_namespace AS n LEFT JOIN pg_class AS c
    ON c.relnamespace = n.oid WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
FILLED = "CREATE TABLE left_over (of integer PRIMARY KEY); CREATE SCHEMA other CREATE TABLE left_over (of text)"
MANY = """
    DO $$ BEGIN
        FOR n IN 1..300 LOOP EXECUTE format('CREATE TABLE t%s (a int PRIMARY KEY, b text)', n); END LOOP;
    END $$
"""
KILLED = """
import sys
from pathlib import Path
from coinhts_core.backups.scratch import scratch
from coinhts_core.ledger.connection import connect
from coinhts_core.settings import Settings

with scratch(Settings(home=Path(sys.argv[1])), 0) as there:
    for url in (there.postgres_url, there.dagster_postgres_url):
        with connect(url.get_secret_value()) as connection:
            connection.execute(sys.argv[2])
    print(there.home, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """One home for all, which every test finds and leaves without drills; to make a server for each takes seconds."""
    home = tmp_path_factory.mktemp("drilled")
    yield Settings(home=home)
    clear_drills(home)


def execute(there, statement):
    """In both databases."""
    found = []
    for url in (there.postgres_url, there.dagster_postgres_url):
        with connect(url.get_secret_value()) as connection:
            done = connection.execute(statement.encode())
            found.append([row[0] for row in done.fetchall()] if done.description else [])
    return found


def one(there, statement):
    return execute(there, statement)[0][0]


def held_at_rest(settings):
    """What the databases of the kept server hold while nobody drills."""
    with EmbeddedServer.share(settings.home / "drills" / "server") as server:
        found = []
        for name in ("coinhts", "coinhts_dagster"):
            with connect(server.url(name)) as connection:
                found.append([row[0] for row in connection.execute(HELD).fetchall()])
    return found


EMPTY = [["public."], ["public."]]


def test_a_scratch_is_empty_and_leaves_nothing(settings):
    """Two databases and a home of its own; afterwards, also of an error, nothing of it is there but a bare server."""
    with pytest.raises(ZeroDivisionError), scratch(settings, 0) as there:  # noqa: PT012 - what becomes of it when it fails
        assert execute(there, "SELECT current_database()") == [["coinhts"], ["coinhts_dagster"]]
        assert execute(there, HELD) == EMPTY
        assert there.home.parent == settings.home / "drills"
        assert Path(there.lake_url).parent == there.home
        files = place_of(there.home).files
        execute(there, FILLED)
        raise ZeroDivisionError
    assert not files.exists()
    assert sorted(of.name for of in (settings.home / "drills").iterdir()) == ["server", "server.lock"]
    assert held_at_rest(settings) == EMPTY


def test_the_next_one_has_the_same_server_with_empty_databases(settings):
    """Its files are not made again; and a database is as a new one is, but for what it is called."""
    with scratch(settings, 0) as there:
        first = one(there, WHICH), execute(there, OF_DATABASE)
        rights = execute(there, "SELECT (nspowner, nspacl)::text FROM pg_namespace WHERE nspname = 'public'")
        execute(there, FILLED)
    with scratch(settings, 0) as there:
        assert (one(there, WHICH), execute(there, OF_DATABASE)) == first
        assert execute(there, HELD) == EMPTY
        assert execute(there, "SELECT (nspowner, nspacl)::text FROM pg_namespace WHERE nspname = 'public'") == rights
        with connect(there.postgres_url.get_secret_value().replace("/coinhts?", "/template1?")) as connection:
            of_new = connection.execute("SELECT (nspowner, nspacl)::text FROM pg_namespace WHERE nspname = 'public'")
            assert [of_new.fetchone()[0]] == rights[0]


def test_what_a_killed_one_left_is_gone_before_the_next(settings):
    """Its home, and its tables in the server that both share, which goes on without it."""
    command = [sys.executable, "-c", KILLED, str(settings.home), FILLED]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        left = Path(process.stdout.readline().strip())
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert left.parent == settings.home / "drills"
    assert left.exists()
    assert len(held_at_rest(settings)[0]) > 1
    with scratch(settings, 0) as there:
        assert not left.exists()
        assert execute(there, HELD) == EMPTY
    assert held_at_rest(settings) == EMPTY


def test_what_a_killed_one_left_is_cleared_and_one_at_work_is_left_alone(settings):
    """Whoever has a server running is at work."""
    left, at_work = (settings.home / "drills" / name for name in ("drill-left", "drill-work"))
    (left / "lake").mkdir(parents=True)
    files = place_of(left).files
    (files / "data").mkdir()
    with EmbeddedServer.share(at_work) as server, scratch(settings, 0):
        assert not left.exists()
        assert not files.exists()
        connect(server.url("postgres")).close()
    with scratch(settings, 0):
        assert not at_work.exists()


def test_one_at_the_same_time_has_a_server_of_its_own(settings):
    """Neither sees the other's tables, and the second leaves nothing, not even its server's files."""
    with scratch(settings, 0) as first:
        execute(first, FILLED)
        before = one(first, WHICH)
        with scratch(settings, 0) as second:
            assert one(second, WHICH) != before
            assert execute(second, HELD) == EMPTY
            files = place_of(second.home).files
            assert (files / "data").exists()
        assert not files.exists()
        assert not second.home.exists()
        assert one(first, WHICH) == before
        assert len(execute(first, HELD)[0]) > 1


def test_a_server_that_does_not_start_is_made_anew(settings):
    """As when another version of PostgreSQL wrote its files: nothing of worth is in them."""
    with scratch(settings, 0) as there:
        before = one(there, WHICH)
    written_by = place_of(settings.home / "drills" / "server").data_directory / "PG_VERSION"
    written_by.write_text("9\n")
    with scratch(settings, 0) as there:
        assert one(there, WHICH) != before
        assert execute(there, HELD) == EMPTY
        assert not written_by.exists() or written_by.read_text() != "9\n"


def test_databases_whose_catalogs_have_grown_are_made_anew(settings, monkeypatch):
    """Tables that come and go leave room behind, which nobody else tidies; so an empty database stays a small one."""
    with scratch(settings, 0) as there:
        size = one(there, SIZE)
        monkeypatch.setattr(scratches, "_WORN", size + 2**20)
        databases = execute(there, OF_DATABASE)
        execute(there, MANY)
    with scratch(settings, 0) as there:
        for before, anew in zip(databases, execute(there, OF_DATABASE), strict=True):
            assert before != anew
        assert one(there, SIZE) <= size + 2**20
        assert execute(there, HELD) == EMPTY


def test_a_disk_without_room_is_not_filled(settings):
    """Nothing is begun that could not be ended."""
    with pytest.raises(RefusedError, match=r"a drill needs \d+ MB in .*, and \d+ are free"), scratch(settings, 2**60):
        pytest.fail("it was begun")
    assert not list((settings.home / "drills").glob("drill-*"))
