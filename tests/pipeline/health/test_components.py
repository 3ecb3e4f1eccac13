import json
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from threading import Thread

import pytest
from pydantic import SecretStr

from coinhts_core.backups.manifest import LakeFacts, Manifest, Verified, name_of
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.clock import now
from coinhts_core.errors import HomeUnusableError
from coinhts_core.exchanges.upbit.meeting_place import meeting_place
from coinhts_core.ledger.migrate import rollback, status
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.ops.health import Status
from coinhts_core.settings import Gemini, read_settings
from coinhts_pipeline.health import ledger as ledger_health
from coinhts_pipeline.health.watch import Watch

HEALTHY, WARNING, UNHEALTHY = Status


class Venue(BaseHTTPRequestHandler):
    """An exchange that answers with a price, and tells a time of its own."""

    ahead = timedelta()
    asked = 0

    def do_GET(self):
        type(self).asked += 1
        ticker = {"market": "KRW-BTC", "trade_price": 1.0}
        body = json.dumps([ticker]).encode()
        self.send_response_only(200)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nobody reads it."""


@pytest.fixture
def venue(monkeypatch) -> Iterator[tuple[type[Venue], str]]:
    """Give an exchange whose clock can be set, and its address."""
    monkeypatch.setattr(Venue, "ahead", timedelta())
    monkeypatch.setattr(Venue, "asked", 0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Venue)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield Venue, url
    server.shutdown()
    server.server_close()
    shutil.rmtree(meeting_place(url), ignore_errors=True)


@pytest.fixture
def watch(house) -> Iterator:
    """Watch the house, as if its settings were these."""
    watches = []

    def over(**settings):
        watches.append(Watch(house.rooms.settings.model_copy(update=settings)))
        return watches[-1]

    yield over
    for of in watches:
        of.close()


@pytest.fixture
def see(watch):
    """Look at one component of the house under such settings."""

    def component(name, **settings):
        (found,) = watch(**settings).look(now(), [name], 10.0).components
        return found

    return component


def at(place):
    return {"exchange": "upbit", "upbit": read_settings({"COINHTS_UPBIT__BASE_URL": place}).upbit}


def test_a_ledger_that_answers_is_at_a_migration(see, house):
    """How long it took is told."""
    found = see("ledger")
    assert (found.status, found.to_do) == (HEALTHY, "")
    assert found.reason == f"it answers, at migration {status(house.rooms.ledger)[-1].name}"
    assert found.latency_ms > 0


def test_a_ledger_that_is_not_what_this_code_knows_is_told(see, ledger, empty_ledger):
    """Older, newer, or without a table; none of them is migrated."""
    (taken,) = rollback(ledger, to=status(ledger)[-1].number - 1)
    older = see("ledger", postgres_url=SecretStr(ledger.url))
    assert (older.status, f"and {taken} is known" in older.reason) == (WARNING, True)
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO migrations (number, name, checksum) VALUES (9999, '9999_from_tomorrow', 'x')")
    newer = see("ledger", postgres_url=SecretStr(ledger.url))
    assert (newer.status, newer.to_do) == (UNHEALTHY, "use the newer coinhts")
    empty = see("ledger", postgres_url=SecretStr(empty_ledger.url))
    assert (empty.status, empty.reason) == (WARNING, "it is empty")
    with empty_ledger.transaction() as connection:
        assert connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,)


def test_a_server_that_is_stopped_is_told_once_by_its_own_name(see, house, server_home):
    """What is read from the ledger says so, and no more; what is not goes on."""
    with EmbeddedServer.share(server_home) as server:
        address = SecretStr(server.url("postgres"))
        assert see("ledger", postgres_url=address).status is WARNING
    found = see("ledger", postgres_url=address)
    assert (found.status, "no PostgreSQL answers at" in found.reason) == (UNHEALTHY, True)
    for name in ("candles", "signals", "clock"):
        other = see(name, postgres_url=address)
        assert (other.status, other.to_do) == (UNHEALTHY, "see what is said of the ledger")
    assert see("orders", postgres_url=address).reason == "no orders are placed here"
    assert house


def test_a_home_that_cannot_be_used_has_no_ledger(house):
    """The others are looked at all the same."""
    error = HomeUnusableError(home="/nowhere", reason="it is a file")
    looking = Watch(house.rooms.settings, error)
    ledger, disk = looking.look(now(), ["ledger", "disk"]).components
    assert (ledger.status, "it is a file" in ledger.reason) == (UNHEALTHY, True)
    assert disk.status is HEALTHY


def test_a_lake_is_read_and_not_written(see, house, tmp_path):
    """One that is lost, or no folder, or another venue's, is told apart from one that is there."""
    lake = house.rooms.settings.home / "lake"
    before = sorted(lake.rglob("*"))
    assert see("lake").reason == f"{lake} can be read"
    assert sorted(lake.rglob("*")) == before
    (tmp_path / "file").touch()
    for place in ("lost", "file"):
        lost = see("lake", lake=str(tmp_path / place))
        assert (lost.status, bool(lost.to_do)) == (UNHEALTHY, True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "venue.json").write_text('{"format":1,"venue":"upbit"}')
    other = see("lake", lake=str(tmp_path / "other"))
    assert (other.status, "holds data of upbit" in other.reason) == (UNHEALTHY, True)


def test_an_exchange_is_asked_by_one_small_call(watch, venue):
    """It is not asked again for a while, however often somebody looks; one without a network is not asked at all."""
    calls, place = venue
    looking = watch(**at(place))
    for _ in range(3):
        (found,) = looking.look(now(), ["exchange"], 10.0).components
        assert (found.status, found.reason) == (HEALTHY, f"upbit answers at {place.removeprefix('http://')}")
    assert calls.asked == 1
    (sample,) = watch().look(now(), ["exchange"]).components
    assert (sample.status, sample.reason) == (HEALTHY, "sample needs no network")


def test_an_exchange_nobody_answers_for_is_told(see):
    """With what to check."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"http://127.0.0.1:{free.getsockname()[1]}"
    found = see("exchange", **at(place))
    shutil.rmtree(meeting_place(place), ignore_errors=True)
    assert (found.status, "upbit did not answer (" in found.reason) == (UNHEALTHY, True)


@pytest.mark.parametrize(
    ("ahead", "expected"), [(0, HEALTHY), (-20, WARNING), (20, WARNING), (900, UNHEALTHY), (-900, UNHEALTHY)]
)
def test_the_clock_is_compared_with_the_exchanges(see, venue, monkeypatch, ahead, expected):
    """To the second, which is as much as it tells."""
    calls, place = venue
    monkeypatch.setattr(calls, "ahead", timedelta(seconds=ahead))
    found = see("clock", **at(place))
    assert found.status is expected
    if expected is HEALTHY:
        assert found.reason == "this machine's is PostgreSQL's and upbit's"
    else:
        assert found.reason.startswith("this machine's clock and upbit's differ by ")


def test_the_clock_is_compared_with_postgresqls(see, monkeypatch):
    """Also where an exchange tells no time."""
    assert see("clock").reason == "this machine's is PostgreSQL's"
    monkeypatch.setattr(ledger_health, "now", lambda: now() - timedelta(minutes=9))
    found = see("clock")
    assert (found.status, found.to_do.startswith("set this machine's clock")) == (UNHEALTHY, True)


def test_an_exchange_that_hangs_keeps_no_clock(watch):
    """PostgreSQL's is compared within the time that is left."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        exchange, clock = watch(**at(place)).look(now(), ["exchange", "clock"], 1.5).components
        assert time.monotonic() - began < 2
        shutil.rmtree(meeting_place(place), ignore_errors=True)
    assert (exchange.status, exchange.reason) == (UNHEALTHY, "it did not answer within 1.5 s")
    assert (clock.status, clock.reason) == (HEALTHY, "this machine's is PostgreSQL's")


def test_an_adviser_is_never_asked(see):
    """Whether one is configured is all that is told, and its key is not."""
    assert see("adviser").reason.startswith("none is configured")
    found = see("adviser", gemini=Gemini(api_key=SecretStr("canary")))
    assert (found.status, "it is not tried" in found.reason, "canary" in found.reason) == (HEALTHY, True, False)


def test_work_that_never_began_is_told(see):
    """A fresh house has collected nothing yet, and decided nothing."""
    candles, signals = see("candles"), see("signals")
    assert (candles.status, candles.reason) == (WARNING, "never collected yet: KRW-BTC, KRW-ETH, KRW-XRP")
    assert (signals.status, signals.reason) == (WARNING, "never decided yet: sma_cross")


def test_a_house_that_is_not_up_has_no_scheduler(see):
    """Nothing in it happens by itself."""
    assert see("scheduler").status is WARNING
    assert "`coinhts up` was never started here" in see("scheduler").reason


def test_backups_are_told_by_what_was_proved_of_them(see, tmp_path):
    """None, one that was verified, and a newer one that nobody can believe."""
    settings = {"backups": str(tmp_path / token_hex(4))}
    assert see("backups", **settings).reason == "none was ever taken"
    shelf = BackupShelf.open(read_settings({"COINHTS_BACKUPS": settings["backups"]}))
    taken_at = (now() - timedelta(hours=30)).replace(microsecond=0)
    name = name_of(taken_at)
    lake = LakeFacts(names=0, size=0, new_objects=0, new_bytes=0)
    nothing = dict.fromkeys(("venue", "schema_revision", "parent", "parent_digest"))
    facts = {"name": name, "taken_at": taken_at, "coinhts": "1", "programs": "18", "databases": {}, "parts": ()}
    manifest = Manifest(**facts, lake=lake, **nothing)
    shelf.store.create(f"{name}/manifest.json", manifest.to_text())
    assert see("backups", **settings).reason == "none was verified yet"
    shelf.note(Verified(name=name, manifest_digest=manifest.digest, verified_at=now(), objects=0, size=0))
    found = see("backups", **settings)
    assert (found.status, found.reason) == (WARNING, "the newest that was verified is of 30 h ago")
    newer = name_of(now())
    shelf.store.create(f"{newer}/manifest.json", b"nonsense")
    found = see("backups", **settings)
    assert (found.status, found.reason) == (UNHEALTHY, f"damaged: {newer}")


def test_a_place_of_backups_that_cannot_be_read_is_told(see, tmp_path):
    """By the setting that names it."""
    (tmp_path / "file").touch()
    found = see("backups", backups=str(tmp_path / "file"))
    assert (found.status, found.to_do) == (UNHEALTHY, "check COINHTS_BACKUPS")
