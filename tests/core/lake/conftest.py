"""What tests of the lake may ask for: a lake in either place, its files as they lie there, and a network that fails."""

import random
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Lock, Thread
from time import sleep
from urllib.parse import urlsplit

import polars as pl
import pytest

from coinhts_core.frames import Column, Schema
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.s3 import Patience, S3Store
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from coinhts_core.settings import S3

BAR = Schema("bar", 1, (Column("opened_at", "time"), Column("close", "float")))
HASTE = Patience(attempts=12, first_wait=0.002, longest_wait=0.1, longest_answer=0.5)


@pytest.fixture(params=["directory", "s3"])
def place(request, tmp_path):
    """Name a place for the lake, by the settings that lead there."""
    if request.param == "directory":
        return {"COINHTS_LAKE": str(tmp_path / "lake")}
    bucket = request.getfixturevalue("s3")
    return {"COINHTS_LAKE": bucket.url, "COINHTS_S3__ENDPOINT": bucket.endpoint}


@pytest.fixture
def store(place):
    """Give the store at the place."""
    url, endpoint = place["COINHTS_LAKE"], place.get("COINHTS_S3__ENDPOINT")
    return S3Store(url, S3(endpoint=endpoint), HASTE) if endpoint else DirectoryStore(Path(url))


@pytest.fixture
def lake(store):
    """Give the lake at the place."""
    return Lake(store)


@pytest.fixture
def files(request, store, tmp_path):
    """Find what lies below the lake's root, sorted."""
    if isinstance(store, S3Store):
        return request.getfixturevalue("keys")
    root = tmp_path / "lake"
    return lambda pattern="*": sorted(path for path in root.rglob(pattern) if path.is_file())


@pytest.fixture
def keys(s3):
    """Find the names in the bucket, sorted; few enough for one page."""

    def found(pattern="*"):
        names = re.findall(r"<Key>(.*?)</Key>", s3.ask("GET")[1].decode())
        return sorted(Key.of(s3, name) for name in names if PurePosixPath(name).match(pattern))

    return found


class Key(PurePosixPath):
    """A name in a bucket, used like a path."""

    @classmethod
    def of(cls, bucket, name):
        key = cls(name)
        key.bucket = bucket
        return key

    def read_bytes(self):
        return self.bucket.ask("GET", str(self))[1]

    def write_bytes(self, content):
        assert self.bucket.ask("PUT", str(self), bytes(content))[0] == 200

    def unlink(self):
        assert self.bucket.ask("DELETE", str(self))[0] == 204


@pytest.fixture
def network(s3):
    """Put a network before the bucket's server that does as it is told."""
    with Network(s3.endpoint) as network:
        yield network


@pytest.fixture
def distant(s3, network):
    """Give a store that reaches its bucket over that network."""
    return S3Store(s3.url, S3(endpoint=network.endpoint), HASTE)


class Network(ThreadingHTTPServer):
    """Passes requests on, each under the fault that `fault(method, path)` names: see `_Passage`."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.beyond = urlsplit(endpoint).netloc
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[str] = []
        self.fault: Callable[[str, str], str | None] = lambda method, path: None  # noqa: ARG005 none
        self._lock = Lock()
        self._dice = random.Random(2026)  # noqa: S311 the same faults in every run, no secret

    def __enter__(self):
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def script(self, *faults):
        """Meet the next requests with these faults, then be healthy."""
        left = iter(faults)
        self.fault = lambda method, path: next(left, None)  # noqa: ARG005 any request

    def chance(self, share, *faults):
        """Meet a share of all requests with one of these faults."""
        dice = self._dice
        self.fault = lambda method, path: dice.choice(faults) if dice.random() < share else None  # noqa: ARG005 any

    def fault_of(self, method, path):
        with self._lock:
            self.requests.append(method)
            return self.fault(method, path)

    def flipped(self, content):
        bit = self._dice.randrange(8 * len(content) or 1)
        return bytes(byte ^ (1 << bit % 8) * (place == bit // 8) for place, byte in enumerate(content))


class _Passage(BaseHTTPRequestHandler):
    """One request's way.

    A status: answered here. drop: never passed on. lost: passed on, never answered. late: answered when nobody waits.
    cut: half answered. flip: one bit of what is sent, or else of what is answered.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self._beyond = HTTPConnection(self.server.beyond)

    def _pass(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.fault_of(self.command, self.path) or ""
        if fault.isdigit():
            return self._answer(int(fault), {}, f"<Error><Code>Fault{fault}</Code></Error>".encode())
        self.close_connection = fault in ("drop", "lost", "cut")
        if fault == "drop":
            return None
        if fault == "flip":
            sent = self.server.flipped(sent)
        self._beyond.request(self.command, self.path, sent, dict(self.headers))
        answer = self._beyond.getresponse()
        content = answer.read()
        if fault == "late":
            sleep(HASTE.longest_answer * 1.2)
        if fault == "lost" or (fault == "cut" and not content):
            return None
        if fault == "flip" and not sent:
            content = self.server.flipped(content)
        length = len(content) // 2 if fault == "cut" else None
        return self._answer(answer.status, dict(answer.headers), content, length)

    do_GET = do_PUT = do_DELETE = _pass  # noqa: N815 names that http.server looks for

    def _answer(self, status, headers, content, length=None):
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:length])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def bars():
    """Make a day's rows: as many minutes as prices, the later ones first."""

    def rows(day, *prices, schema=BAR, **identity):
        midnight = datetime.combine(day, time(), UTC)
        frame = pl.DataFrame(
            {
                "opened_at": [midnight + timedelta(minutes=minute) for minute in range(len(prices))],
                "close": [float(price) for price in prices],
            },
            schema=BAR.empty().schema,
        )
        return DayRows.of(schema, frame.reverse(), **identity)

    return rows


@pytest.fixture(scope="session")
def closes():
    """Read the closing prices of `bars` by day."""

    def read(lake, first_day=date(2026, 1, 1), last_day=date(2026, 12, 31)):
        rows = lake.read("bars", Market("KRW-BTC"), first_day, last_day)
        return dict(rows.group_by("day", maintain_order=True).agg("close").iter_rows())

    return read
