import shutil
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from coinhts_core.exchanges.upbit.meeting_place import meeting_place
from coinhts_core.lake.lake import Lake
from coinhts_core.settings import read_settings
from coinhts_pipeline.health import diagnosis
from coinhts_pipeline.health import places as place_health
from coinhts_pipeline.health.diagnosis import State
from tests.faults.stand_in.process import StandIn


class Unkind(BaseHTTPRequestHandler):
    """A bucket that knows none of the keys it is shown."""

    def do_PUT(self):
        body = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nobody reads it."""


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Look at the places that such settings name."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))

    def look(check, **settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"COINHTS_{name.upper()}", str(value))
        return {finding.check: finding for finding in place_health.findings(read_settings())}[check]

    return look


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory) -> Iterator[StandIn]:
    """Give a stand-in for Upbit."""
    with StandIn.start(tmp_path_factory.mktemp("stand-in")) as running:
        yield running


@pytest.fixture
def upbit(stand_in, found):
    """Look at an exchange that meets such faults."""
    stand_in.set_up(limits={"per_second": 1_000})

    def look(check, *faults, **settings):
        rules = [{"route": "/v1/market", "faults": [fault]} for fault in faults]
        stand_in.set_up(*rules, limits={"per_second": 1_000})
        named = {"exchange": "upbit", "upbit__base_url": stand_in.url} | settings
        return found(check, **named)

    yield look
    shutil.rmtree(meeting_place(stand_in.url), ignore_errors=True)


def test_places_that_work_are_well(found, tmp_path):
    """And nothing is left of the trial."""
    assert found("lake").found == f"{tmp_path / 'home' / 'lake'} can be written"
    assert found("exchange").found == "sample answers, 13 markets listed"
    assert found("markets").found == "3 followed, all of them listed"
    assert found("markets", symbols="all-krw").found == "all 13 in KRW are followed"
    assert list((tmp_path / "home" / "lake").iterdir()) == []


def test_a_lake_that_cannot_be_written_is_refused(found, tmp_path):
    """Not even root can make a directory in a file."""
    (tmp_path / "file").touch()
    finding = found("lake", lake=tmp_path / "file" / "lake")
    assert finding.state is State.FAILED
    assert "cannot be used (Not a directory)" in finding.found


def test_a_lake_of_another_venue_is_refused(found, tmp_path):
    """Data of two is never mixed."""
    Lake.open(str(tmp_path / "lake")).mark_venue("upbit", "elsewhere")
    finding = found("lake", lake=tmp_path / "lake")
    assert finding.state is State.FAILED
    assert "holds data of upbit, and COINHTS_EXCHANGE says sample" in finding.found
    assert finding.to_do.startswith("set COINHTS_HOME to a fresh directory")


def test_a_lake_that_is_no_place_is_refused_without_its_address(found):
    """It may carry keys."""
    finding = found("lake", lake="ftp://me:canary@host/lake")
    assert finding.state is State.FAILED
    assert "COINHTS_LAKE cannot be 'ftp://…'" in finding.found
    assert "canary" not in finding.found


def test_a_bucket_takes_and_gives(found, s3):
    """What was tried is gone again."""
    assert found("lake", lake=s3.url, s3__endpoint=s3.endpoint).found == f"{s3.url} can be written"
    assert b"doctor-" not in s3.ask("GET")[1]


def test_a_bucket_that_does_not_exist_is_refused(found, s3):
    """By its name, with what to check."""
    finding = found("lake", lake="s3://nobody-made-it/lake", s3__endpoint=s3.endpoint)
    assert finding.state is State.FAILED
    assert "s3://nobody-made-it/lake cannot be used (it answered 404 NoSuchBucket)" in finding.found
    assert "and the AWS keys" in finding.to_do


def test_half_a_key_is_refused(found, s3, monkeypatch):
    """Before anything is sent."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    finding = found("lake", lake=s3.url, s3__endpoint=s3.endpoint)
    assert finding.state is State.FAILED
    assert "there are no AWS keys, or half of them" in finding.found
    assert "canary" not in finding.found


def test_wrong_keys_are_refused(found, s3):
    """By what the bucket answers; not shown."""
    server = HTTPServer(("127.0.0.1", 0), Unkind)
    Thread(target=server.serve_forever, daemon=True).start()
    finding = found("lake", lake=s3.url, s3__endpoint=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    assert finding.state is State.FAILED
    assert "it answered 403 InvalidAccessKeyId" in finding.found
    assert "canary" not in finding.found


def test_a_bucket_that_says_nothing_is_not_waited_for(found, s3, monkeypatch):
    """A run would be more patient."""
    monkeypatch.setattr(diagnosis, "_PATIENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        finding = found("lake", lake=s3.url, s3__endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert finding.state is State.FAILED
    assert finding.found == f"it did not answer within 0.5 s; {place_health.CHECK_LAKE}"


def test_an_exchange_that_answers_is_well(upbit, stand_in):
    """Its address is told, without a name and a password in it."""
    named = stand_in.url.replace("//", "//me:canary@")
    finding = upbit("exchange", upbit__base_url=named)
    shutil.rmtree(meeting_place(named), ignore_errors=True)
    assert finding.state is State.OK
    assert finding.found.startswith(f"upbit answers at {stand_in.url.removeprefix('http://')}, ")


def test_an_exchange_that_has_blocked_us_says_until_when(upbit):
    """Whoever was told so first; then nobody calls."""
    blocked = {"kind": "status", "status": 418, "body": "blocked for 30 seconds"}
    assert "it blocked us" in upbit("exchange", blocked).found
    finding = upbit("exchange")
    assert finding.state is State.FAILED
    assert finding.found.startswith("upbit has blocked us until 20")
    assert finding.to_do.startswith("wait: ")


def test_an_exchange_that_does_not_answer_is_not_waited_for(upbit, monkeypatch):
    """Nor are its markets looked through."""
    monkeypatch.setattr(diagnosis, "_PATIENCE_S", 0.5)
    finding = upbit("exchange", {"kind": "hang", "seconds": 2.0})
    assert finding.state is State.FAILED
    assert finding.found == f"it did not answer within 0.5 s; {place_health.CHECK_EXCHANGE}"
    with pytest.raises(KeyError):
        upbit("markets", {"kind": "hang", "seconds": 2.0})


def test_calls_that_cannot_be_counted_are_told(upbit, stand_in):
    """A folder that others may enter is not used."""
    other = f"{stand_in.url}/other"
    meeting_place(other).mkdir(mode=0o755)
    meeting_place(other).chmod(0o755)
    finding = upbit("exchange", upbit__base_url=other)
    meeting_place(other).rmdir()
    assert finding.state is State.FAILED
    assert "(others may enter it), so none is made" in finding.found
    assert finding.to_do == "it must be a directory that only you may enter: mend or remove it"


def test_an_exchange_nobody_knows_is_refused(found):
    """With the nearest name."""
    finding = found("exchange", exchange="upbitt")
    assert finding.state is State.FAILED
    assert "did you mean upbit?" in finding.found


def test_a_followed_coin_that_is_not_listed_is_told(found):
    """Delisted or misspelt; both leave the settings."""
    finding = found("markets", symbols="KRW-BTC,KRW-ETHH")
    assert finding.state is State.WARNING
    assert finding.found == (
        "sample does not list KRW-ETHH; did you mean KRW-ETH; take what was delisted or misspelt out of COINHTS_SYMBOLS"
    )
