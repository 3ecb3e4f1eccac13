import json
import signal
import sys

import dagster as dg
import pytest

from coinhts_core.ledger.cluster import postmaster
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import open_installation
from coinhts_pipeline.rotation import MOST_BYTES
from coinhts_pipeline.up import Child, Postgres, _note
from tests.faults.small_disk import no_file_beyond
from tests.pipeline.upheld import PATIENCE_S, SLOW, Up, answers, free_port, is_alive, until


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(server_home, port):
    """Begin `coinhts up` in the home, as often as wanted; what is left at the end is killed."""
    begun = []

    def begin() -> Up:
        begun.append(Up(server_home, port))
        return begun[-1]

    yield begin
    for up in begun:
        if up.process.poll() is None:
            for process in up.family():
                process.kill()
        up.process.communicate()


def statuses(home, monkeypatch):
    """Give how the runs of a home ended, whoever looks next."""
    monkeypatch.setenv("COINHTS_HOME", str(home))
    with open_installation(read_settings()) as installation:
        return {run.run_id: run.status for run in installation.instance.get_runs()}


def test_it_serves_heals_and_stops_without_a_trace(start, monkeypatch):
    """A click succeeds, a killed child comes back, a second `up` is sent away, and Ctrl-C ends it all.

    Within ten seconds no process, socket or port is left, and a run that was at work has failed.
    """
    up = start().arrive()
    document = json.loads(up.words)
    assert document["url"] == f"http://127.0.0.1:{up.port}"
    assert "symbol-days to collect" in document["days"]

    run_id = up.launch(
        "2026-11-01", "candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross"
    )
    until(lambda: up.status(run_id) in {"SUCCESS", "FAILURE"})
    assert up.status(run_id) == "SUCCESS"

    second = start()
    _, err = second.process.communicate(timeout=PATIENCE_S)
    assert second.process.returncode == 1
    assert err.startswith("error: coinhts is already up on")
    assert err.count("\n") == 1

    daemon = up.children()["daemon"]
    for name in ("ui", "serve"):
        up.children()[name].kill()
    until(up.is_served)
    assert up.children()["daemon"] == daemon

    code = up.children()["code"]
    up.home.joinpath("strategies").mkdir()
    up.home.joinpath("strategies", "slow.py").write_text(SLOW)
    until(lambda: not is_alive(code) and "code" in up.children())
    until(lambda: "slow" in json.dumps(up.ask("{ assetNodes { assetKey { path } } }")))
    slow = up.launch("2026-11-01", "signals/slow")
    until(lambda: up.status(slow) == "STARTED")

    family, sockets = up.family(), up.sockets()
    assert up.stop() < 10
    until(lambda: not any(is_alive(process) for process in family))
    assert not sockets.exists()
    assert not answers(up.port)
    assert not up.home.joinpath("up.json").exists()
    ended = statuses(up.home, monkeypatch)  # with those of the house's own schedules
    assert (ended[run_id], ended[slow]) == (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
    assert set(ended.values()) == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


def test_a_child_that_keeps_dying_is_started_ever_later(tmp_path):
    """Doubling up to ten seconds; one that had lived for a while is started at once again."""
    child, pauses = Child([sys.executable, "--version"], tmp_path / "log"), []
    for _ in range(7):
        assert child.keep_alive()
        pauses.append(child._not_before - child._begun)
        child._process.wait()
        assert not child.keep_alive()
        child._not_before = 0.0
    assert [round(pause) for pause in pauses] == [1, 2, 4, 8, 10, 10, 10]
    child._begun -= 21
    assert child.keep_alive()
    assert round(child._not_before - child._begun) == 1
    child._process.wait()


def test_without_room_on_the_disk_the_children_live_on(tmp_path):
    """Neither a log that cannot be carried away nor a note that cannot be written takes anybody down."""
    log = tmp_path / "log"
    child = Child([sys.executable, "-c", "import time; time.sleep(60)"], log)
    assert child.keep_alive()
    with log.open("ab") as grown:
        grown.truncate(MOST_BYTES + 1)
    with no_file_beyond(8):
        assert not child.keep_alive()
        _note(tmp_path, [child], tmp_path)
    assert not (tmp_path / "up.json").exists()
    assert not child.keep_alive()
    assert (tmp_path / "log.1").stat().st_size == MOST_BYTES + 1
    for process in child.family():
        process.kill()


def test_whoever_is_left_of_a_dead_child_is_stopped_before_it_starts_again(tmp_path):
    """A run that outlived its code location would go on beside those of the next one."""
    sleeper = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.stdin.read(); import time; time.sleep(60)"
    child = Child([sys.executable, "-c", sleeper], tmp_path / "log")
    child.keep_alive()
    until(lambda: len(child.family()) == 2)
    left, head = child.family()
    assert head.pid == child.pid
    head.kill()
    until(lambda: not is_alive(head))
    child.keep_alive()
    assert not is_alive(left)
    for process in child.family():
        process.kill()


def test_postgres_is_brought_back_when_it_dies(server_home):
    """Once; while it lives nothing is done, and a server that is somebody else's is not looked after."""
    settings = read_settings({"COINHTS_HOME": str(server_home)})
    data = place_of(server_home).data_directory
    with EmbeddedServer.share(server_home):
        kept = Postgres(settings)
        assert not kept.keep_alive()
        killed = postmaster(data / "postmaster.pid", data)
        killed.kill()
        until(lambda: not is_alive(killed))
        assert kept.keep_alive()
        assert postmaster(data / "postmaster.pid", data).pid != killed.pid
        assert not kept.keep_alive()
    elsewhere = read_settings({"COINHTS_HOME": str(server_home), "COINHTS_POSTGRES_URL": "postgresql://elsewhere/x"})
    assert not Postgres(elsewhere).keep_alive()


@pytest.mark.slow
def test_a_killed_supervisor_is_cleared_away_by_the_next(start):
    """Its children would hold the port and run schedules: they are stopped, and the port is free again."""
    killed = start().arrive()
    orphans, sockets = killed.family()[1:], killed.sockets()
    killed.process.kill()
    killed.process.wait()
    heir = start().arrive()
    assert not any(is_alive(orphan) for orphan in orphans)
    assert not sockets.exists()
    assert set(heir.children()) == {"code", "daemon", "ui", "serve"}
    assert heir.stop(signal.SIGTERM) < 10


def test_stopped_while_it_starts_it_leaves_quietly(start):
    """Whoever changes his mind early sees no trace, either."""
    up = start()
    until(up.home.joinpath("up.lock").exists)
    assert up.stop() < 10
    assert not answers(up.port)
