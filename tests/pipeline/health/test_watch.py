import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from coinhts_core.clock import now
from coinhts_core.exchanges.upbit.meeting_place import meeting_place
from coinhts_core.ops.health import Overall, Status
from coinhts_core.settings import read_settings
from coinhts_pipeline.health import watch as watch_health
from coinhts_pipeline.health.components import PARTS, Part
from coinhts_pipeline.health.watch import NAMES, Watch, watch

ELEVEN = (
    "ledger",
    "scheduler",
    "lake",
    "exchange",
    "adviser",
    "candles",
    "signals",
    "orders",
    "backups",
    "disk",
    "clock",
)
PATIENCE_S = 0.5


class Overwhelmed(BaseHTTPRequestHandler):
    """A bucket that asks everybody to slow down."""

    def do_GET(self):
        body = b"<Error><Code>SlowDown</Code></Error>"
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nobody reads it."""


@pytest.fixture
def silent() -> Iterator[str]:
    """Give the address of somebody who lets everybody in and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def house_of(house):
    """Give the settings of the house with these in their place."""

    def settings(**named):
        read = read_settings({f"COINHTS_{name.upper()}": value for name, value in named.items()})
        told = {name.partition("__")[0]: None for name in named}
        return house.rooms.settings.model_copy(update={name: getattr(read, name) for name in told})

    return settings


@contextmanager
def in_part(monkeypatch, name, look):
    """Look at a component in another way."""
    part = PARTS[name]
    with monkeypatch.context() as other:
        other.setitem(PARTS, name, Part(name, look, part.to_do, part.stays_s))
        yield


def statuses(seen):
    return {of.name: of.status for of in seen.components}


def test_a_house_is_looked_at_from_its_ledger_to_its_clock(house):
    """All eleven, in one order; a fresh one has work to do and no scheduler, and that is no failure."""
    seen = Watch(house.rooms.settings).look(now())
    assert [of.name for of in seen.components] == list(NAMES) == list(ELEVEN)
    assert Status.UNHEALTHY not in statuses(seen).values()
    assert seen.overall is Overall.DEGRADED
    assert all(of.to_do for of in seen.components if of.status is not Status.HEALTHY)


def test_only_what_is_asked_about_is_told(house):
    """In the same order, whatever the question's."""
    seen = Watch(house.rooms.settings).look(now(), ["disk", "ledger"])
    assert statuses(seen) == {"ledger": Status.HEALTHY, "disk": Status.HEALTHY}
    assert seen.overall is Overall.HEALTHY


def test_whatever_hangs_the_whole_look_is_bounded(house_of, silent, s3):
    """PostgreSQL, bucket and exchange let everybody in and answer nobody; what asks none of them is well."""
    named = {"exchange": "upbit", "upbit__base_url": f"http://{silent}"}
    bucket = {"lake": s3.url, "s3__endpoint": f"http://{silent}", "backups": s3.url}
    settings = house_of(postgres_url=f"postgresql://me@{silent}/x", **named, **bucket)
    looking = Watch(settings.model_copy(update={"dagster_postgres_url": None}))
    began = time.monotonic()
    seen = looking.look(now(), patience_s=PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S + 1
    assert seen.overall is Overall.UNHEALTHY
    hanging = {"ledger", "lake", "exchange", "candles", "signals", "backups", "clock"}
    assert {of.name for of in seen.components if of.reason == "it did not answer within 0.5 s"} == hanging
    assert {name for name, status in statuses(seen).items() if status is Status.HEALTHY} == {
        "adviser",
        "orders",
        "disk",
    }
    shutil.rmtree(meeting_place(f"http://{silent}"), ignore_errors=True)


def test_what_hangs_is_not_asked_a_second_time(house, monkeypatch):
    """However often somebody looks, one thread waits for it; what it told when nobody listened is asked anew."""
    asked, released = [], Event()

    def hangs(*_):
        asked.append(1)
        return str(released.wait(30))

    looking = Watch(house.rooms.settings)
    with in_part(monkeypatch, "lake", hangs):
        for _ in range(3):
            lake, orders = looking.look(now(), ["lake", "orders"], 0.1).components
            assert (lake.status, orders.status) == (Status.UNHEALTHY, Status.HEALTHY)
        assert (len(asked), lake.latency_ms > 250) == (1, True)
        assert lake.reason.startswith("it did not answer within 0.3")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(looking.look, now(), ["lake"], 20.0)
            time.sleep(0.1)
            released.set()
            assert waiting.result().components[0].reason == "True"
        assert len(asked) == 1
        released.clear()
        looking.look(now(), ["lake"], 0.1)
        released.set()
        time.sleep(0.1)
        assert looking.look(now(), ["lake"], 10.0).components[0].status is Status.HEALTHY
        assert len(asked) == 3


def test_what_breaks_harms_no_other(house, monkeypatch):
    """Its own words may hold what is secret."""

    def breaks(*_):
        msg = "canary"
        raise KeyError(msg)

    with in_part(monkeypatch, "lake", breaks):
        lake, orders = Watch(house.rooms.settings).look(now(), ["lake", "orders"]).components
    assert (lake.status, lake.reason) == (Status.UNHEALTHY, "the check itself broke (KeyError)")
    assert orders.status is Status.HEALTHY


def test_a_bucket_that_is_overwhelmed_degrades_the_house(house_of, s3):
    """It is asked for as long as there is time."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Overwhelmed)
    Thread(target=server.serve_forever, daemon=True).start()
    settings = house_of(lake=s3.url, s3__endpoint=f"http://127.0.0.1:{server.server_port}")
    seen = Watch(settings).look(now(), ["ledger", "lake"], PATIENCE_S)
    server.shutdown()
    server.server_close()
    assert statuses(seen) == {"ledger": Status.HEALTHY, "lake": Status.UNHEALTHY}
    assert (seen.overall, seen.worst.name) == (Overall.DEGRADED, "lake")


def test_nothing_secret_is_told(house_of):
    """Addresses carry passwords."""
    address = "postgresql://me:canary@127.0.0.1:1/coinhts?password=canary"
    named = {"postgres_url": address, "dagster_postgres_url": address, "lake": "s3://me:canary@bucket/canary"}
    seen = Watch(house_of(**named, backups="s3://me:canary@bucket/canary")).look(now())
    assert seen.overall is Overall.UNHEALTHY
    assert "canary" not in str(seen.facts)


def test_a_command_joins_the_homes_own_server(server_home, tmp_path):
    """It is there while the command looks; where none can be, that is what the ledger tells."""
    with watch(read_settings({"COINHTS_HOME": str(server_home)})) as looking:
        (found,) = looking.look(now(), ["ledger"], 10.0).components
    assert (found.status, "there is no ledger at " in found.reason) == (Status.WARNING, True)
    (tmp_path / "file").touch()
    with watch(read_settings({"COINHTS_HOME": str(tmp_path / "file")})) as looking:
        ledger, orders = looking.look(now(), ["ledger", "orders"]).components
    assert (ledger.status, orders.status) == (Status.UNHEALTHY, Status.HEALTHY)


def test_a_command_asks_the_server_that_settings_name(monkeypatch):
    """No other is started."""
    monkeypatch.setattr(watch_health, "EmbeddedServer", None)
    with watch(read_settings({"COINHTS_POSTGRES_URL": "postgresql://me@127.0.0.1:1/x"})) as looking:
        (found,) = looking.look(now(), ["ledger"]).components
    assert "no PostgreSQL answers at 127.0.0.1:1/x" in found.reason
