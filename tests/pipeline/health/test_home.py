import socket
from datetime import timedelta
from fcntl import LOCK_EX, LOCK_NB, flock
from types import SimpleNamespace

import pytest

from coinhts_core.clock import now
from coinhts_core.settings import read_settings
from coinhts_pipeline.health import home as home_health
from coinhts_pipeline.health.diagnosis import State

GIB = 2**30


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Look at a home of the test's own, under such settings."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))

    def look(check, **settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"COINHTS_{name.upper()}", str(value))
        return {finding.check: finding for finding in home_health.findings(read_settings())}[check]

    return look


@pytest.fixture
def port():
    """Give a port somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_fresh_home_is_well(found, tmp_path):
    """It is made, there is room, there are days to collect."""
    assert found("home").found == str(tmp_path / "home")
    assert [found(check).state for check in ("disk", "start")] == [State.OK, State.OK]
    assert found("start").found.startswith("2026-01-01, ")


def test_a_home_that_cannot_be_written_is_refused(found, tmp_path):
    """Not even root can make a directory in a file."""
    (tmp_path / "file").touch()
    finding = found("home", home=tmp_path / "file" / "home")
    assert finding.state is State.FAILED
    assert "cannot be used (Not a directory); set COINHTS_HOME to a directory you may write to" in finding.found


@pytest.mark.parametrize(("free", "state"), [(4 * GIB, State.WARNING), (GIB // 2, State.FAILED)])
def test_a_disk_that_fills_up_is_told(found, monkeypatch, free, state):
    """First as a warning, and while there is room yet for what a run writes."""
    usage = home_health.shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(home_health.shutil, "disk_usage", lambda _: usage)
    assert found("disk").state is state
    assert f"{free / GIB} GiB free below" in found("disk").found
    assert "make room" in found("disk").to_do


def test_every_disk_is_looked_at(found, tmp_path):
    """The lake may lie on another one, which need not be there yet, and PostgreSQL's files, where root's home says."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "of root").mkdir()
    assert found("disk", lake=tmp_path / "elsewhere" / "not" / "yet").state is State.OK
    (tmp_path / "home" / "postgres.path").write_text(f"{tmp_path / 'of root' / 'not yet'}\n")
    names = ("home", "elsewhere", "of root")
    assert [of.place for of in home_health.rooms(read_settings())] == [str(tmp_path / name) for name in names]


def test_a_disk_without_room_for_more_files_is_told(found, monkeypatch):
    """Bytes may be free where no name is."""
    table = home_health.os.statvfs("/")
    fields = {name: getattr(table, name) for name in dir(table) if name.startswith("f_")}
    few = SimpleNamespace(**fields | {"f_files": 10**6, "f_favail": 9_000})
    monkeypatch.setattr(home_health.os, "statvfs", lambda _: few)
    assert found("disk").state is State.WARNING
    assert "only 9,000 more files fit below" in found("disk").found


def test_a_start_that_lies_ahead_is_told(found):
    """There is nothing to collect before a day is over."""
    assert found("start", start_date=now().date() + timedelta(days=3)).state is State.WARNING
    assert "there is no day yet; set an earlier one" in found("start").found


def test_a_port_somebody_listens_on_is_refused(found, port):
    """Unless it is our own `coinhts up`."""
    finding = found("port", web__port=port)
    assert finding.state is State.FAILED
    assert finding.found == f"port {port} on 127.0.0.1 is taken; set COINHTS_WEB__PORT to a free one"


def test_the_port_of_a_house_that_is_up_is_its_own(found, port, tmp_path):
    """Its lock is held by the supervisor, and let go by its death."""
    found("home")
    with (tmp_path / "home" / "up.lock").open("a+") as lock:
        assert found("port", web__port=port).state is State.FAILED
        flock(lock, LOCK_EX | LOCK_NB)
        assert found("port").found == f"coinhts is up on 127.0.0.1:{port}"


def test_a_host_that_is_not_here_is_refused(found):
    """The address of somebody else's machine (from the block that documentation uses)."""
    finding = found("port", web__host="192.0.2.1", web__password="a long canary")  # noqa: S106 - nobody's
    assert finding.state is State.FAILED
    assert finding.found.startswith("nobody can listen on 192.0.2.1:3000 (")
    assert "set COINHTS_WEB__HOST to 127.0.0.1" in finding.to_do


def test_a_port_open_to_others_without_a_login_is_refused(found):
    """As `coinhts up` would."""
    finding = found("port", web__host="0.0.0.0")  # noqa: S104 - what is to be refused
    assert finding.state is State.FAILED
    assert "without a login only loopback is bound; set COINHTS_WEB__PASSWORD" in finding.found
