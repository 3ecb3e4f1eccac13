"""One GET over the network, bounded in time and size.

What lives here: the connection pool, and a reply that took too long, grew too large or broke off made into an
ExchangeUnavailableError. What to add: nothing for a new endpoint. What stays out: what a status means, when to
try again (`calls`), and what a body says (`strict_json`).

It speaks httpcore, because there one deadline can stand over every read: a server that sends a byte a second,
in its headers or in its body, meets every time-out between two bytes and would hold a process for hours. No
redirect is followed, no cookie kept, and no Origin header sent: Upbit answers those ten times slower.
"""

import ssl
import time
import zlib
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlencode

import httpcore

from coinhts_core.errors import ExchangeUnavailableError


def _ourselves() -> str:
    try:
        return f"coinhts/{version('coinhts')}"
    except PackageNotFoundError:  # a checkout that was never installed
        return "coinhts"


_HEADERS = [
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", _ourselves()),
]
_GZIP = zlib.MAX_WBITS | 16
_DEADLINE: ContextVar[float] = ContextVar("deadline")


@dataclass(frozen=True)
class Bounds:
    """How long a reply may take, all of it and the connecting alone, and how large its body may be, unpacked."""

    reply_s: float = 10.0
    connect_s: float = 3.0
    body_bytes: int = 8 * 2**20


@dataclass(frozen=True)
class Reply:
    """A status, the headers by lower-case name, and the body, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


class Http:
    """One server; safe to use from several threads."""

    def __init__(self, venue: str, base_url: str, bounds: Bounds) -> None:
        self._venue = venue
        self._base_url = base_url
        self._bounds = bounds
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trusting_the_system(),
            max_connections=10,
            keepalive_expiry=30.0,
            network_backend=_PunctualBackend(),
        )

    def get(self, path: str, query: Mapping[str, object]) -> Reply:
        bounds, url = self._bounds, f"{self._base_url}{path}?{urlencode(query)}"
        timeouts = {
            "connect": bounds.connect_s,
            "pool": bounds.reply_s,
            "read": bounds.reply_s,
            "write": bounds.reply_s,
        }
        _DEADLINE.set(time.monotonic() + bounds.reply_s)
        try:
            with self._pool.stream("GET", url, headers=_HEADERS, extensions={"timeout": timeouts}) as response:
                headers = _by_name(response.headers)
                body = self._unpacked(response.iter_stream(), headers.get("content-encoding", ""))
                return Reply(response.status, headers, body)
        except httpcore.TimeoutException as error:
            raise self._broken(reason=f"no whole reply within {bounds.reply_s:g} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, zlib.error, OSError) as error:
            raise self._broken(reason=str(error) or type(error).__name__) from error

    def close(self) -> None:
        self._pool.close()

    def _unpacked(self, chunks: Iterable[bytes], encoding: str) -> bytes:
        """Never more in memory than allowed, however little it was on the way."""
        if encoding not in {"", "identity", "gzip"}:
            raise self._broken(reason=f"a body in the unknown encoding {encoding}")
        body, gzip = bytearray(), zlib.decompressobj(_GZIP)
        for chunk in chunks:
            room = self._bounds.body_bytes - len(body) + 1
            body += gzip.decompress(chunk, room) if encoding == "gzip" else chunk[:room]
            if len(body) > self._bounds.body_bytes:
                raise self._broken(reason=f"a body of more than {self._bounds.body_bytes} bytes")
        if encoding == "gzip" and (not gzip.eof or gzip.unused_data):
            raise self._broken(reason="a packed body that is not one whole")
        return bytes(body)

    def _broken(self, reason: str) -> ExchangeUnavailableError:
        return ExchangeUnavailableError(venue=self._venue, reason=reason)


@cache
def _trusting_the_system() -> ssl.SSLContext:
    """One for all, since reading whom the system trusts takes longer than many a call."""
    return ssl.create_default_context()


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


class _PunctualStream(httpcore.NetworkStream):
    """A stream on which no read or write outlasts the deadline of the call it serves."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline is stricter
        return self._stream.read(max_bytes, _remaining(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline is stricter
        self._stream.write(buffer, _remaining(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
        return _PunctualStream(self._stream.start_tls(*arguments, **options))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _PunctualBackend(httpcore.SyncBackend):
    def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
        return _PunctualStream(super().connect_tcp(*arguments, **options))


def _remaining(late: type[httpcore.TimeoutException]) -> float:
    remaining = _DEADLINE.get() - time.monotonic()
    if remaining <= 0:
        raise late
    return remaining
