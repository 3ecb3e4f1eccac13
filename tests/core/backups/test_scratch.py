from pathlib import Path

import pytest

from coinhts_core.backups.scratch import scratch
from coinhts_core.errors import RefusedError
from coinhts_core.ledger.connection import connect
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import Settings


@pytest.fixture
def settings(server_home):
    return Settings(home=server_home)


def databases(settings):
    urls = settings.postgres_url, settings.dagster_postgres_url
    with connect(urls[0].get_secret_value()) as one, connect(urls[1].get_secret_value()) as other:
        return [of.execute("SELECT current_database()").fetchone()[0] for of in (one, other)]


def test_a_scratch_is_empty_and_leaves_nothing(settings):
    """Two databases and a home of its own; afterwards, also of an error, nothing of it or its server is there."""
    with pytest.raises(ZeroDivisionError), scratch(settings, 0) as there:  # noqa: PT012 - what becomes of it when it fails
        assert databases(there) == ["coinhts", "coinhts_dagster"]
        assert there.home.parent == settings.home / "drills"
        assert Path(there.lake_url).parent == there.home
        files = place_of(there.home).files
        raise ZeroDivisionError
    assert not files.exists()
    assert not list((settings.home / "drills").iterdir())


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


def test_a_disk_without_room_is_not_filled(settings):
    """Nothing is begun that could not be ended."""
    with pytest.raises(RefusedError, match=r"a drill needs \d+ MB in .*, and \d+ are free"), scratch(settings, 2**60):
        pytest.fail("it was begun")
    assert not list((settings.home / "drills").iterdir())
