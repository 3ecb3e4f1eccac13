"""Where a request comes from: what a browser says of it, judged before anybody looks who sends it.

What lives here: pure functions over a request's head. A browser sends a person's cookie along with what any page asks
for, and on loopback there is not even a cookie to withhold; so the page that asks must be ours. What stays out: who the
visitor is (`visitors`), and answering (`wall`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import urlsplit

from starlette.types import Scope

_READS = {"GET", "HEAD", "OPTIONS"}
_KNOWN = _READS | {"POST", "PUT", "PATCH", "DELETE"}
_OURS = {"same-origin", "none"}
_JSON = "application/json"
_ONCE = ("host", "origin", "accept", "content-type", "authorization")


@dataclass(frozen=True)
class Refusal:
    """Why not, as an answer: its status, one word for programs, one sentence for people."""

    status: HTTPStatus
    code: str
    message: str
    retry_after_s: int | None = None
    field: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}


@dataclass(frozen=True)
class Asked:
    """The head of a request or of a websocket: names in lower case, the path decoded as every server behind does."""

    method: str
    path: str
    headers: Mapping[str, str]
    repeated: frozenset[str]
    is_socket: bool

    @classmethod
    def of(cls, scope: Scope) -> Self:
        heads: Iterable[tuple[bytes, bytes]] = scope["headers"]
        named = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in heads]
        seen = [name for name, _ in named]
        return cls(
            method=scope.get("method", "GET"),
            path=scope["path"],
            headers=dict(named),
            repeated=frozenset(name for name in _ONCE if seen.count(name) > 1),
            is_socket=scope["type"] == "websocket",
        )

    @property
    def reads(self) -> bool:
        return self.method in _READS and not self.is_socket

    @property
    def is_graphql(self) -> bool:
        """By its end: whatever is put before it, the UI takes it for the same."""
        return self.path.rstrip("/").endswith("/graphql")

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_persons(self) -> bool:
        """A browser shows the answer, to a link or to a form."""
        is_ours = self.path == "/api" or self.path.startswith("/api/")
        return not (is_ours or self.is_socket) and "text/html" in self.headers.get("accept", "")

    @property
    def wants_page(self) -> bool:
        return self.reads and self.is_persons

    @property
    def comes_by_tls(self) -> bool:
        """A browser tells the scheme of its page; whoever ends TLS before us does not need to."""
        return self.headers.get("origin", "").startswith("https://")


def refusal_of(asked: Asked, names: frozenset[str], *, is_program: bool) -> Refusal | None:
    """None for what a page of ours may ask, a person may type, or a program, which no page can make send its token."""
    if refused := _host_refused(asked, names):
        return refused
    if not is_program and (refused := _page_refused(asked)):
        return refused
    return _shape_refused(asked)


def _host_refused(asked: Asked, names: frozenset[str]) -> Refusal | None:
    """A name that was pointed at us by others brings their page's scripts with it."""
    if asked.repeated:
        doubled = ", ".join(sorted(asked.repeated))
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_request", f"the header {doubled} is there twice; send it once")
    host = _host_of(asked.headers.get("host", ""))
    if host is None:
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_host", "the header Host is missing or cannot be read")
    if host in names or _is_address(host):
        return None
    message = f"{host} is no name of this server; add it to COINHTS_WEB__NAMES if it is"
    return Refusal(HTTPStatus.FORBIDDEN, "unknown_host", message)


def _page_refused(asked: Asked) -> Refusal | None:
    origin, site = asked.headers.get("origin"), asked.headers.get("sec-fetch-site")
    if site is not None and site not in _OURS and not _is_followed_link(asked):
        return _foreign(f"a page of another origin ({site}) asked for this")
    if asked.reads:
        return None
    if origin is not None:
        is_ours = _netloc_of(origin) == asked.headers["host"].lower()
        return None if is_ours else _foreign(f"the origin {origin} is not this server's")
    if site is None and not _is_beyond_pages(asked):
        return _foreign("it does not say which page it comes from: send Origin, or a bearer token")
    return None


def _shape_refused(asked: Asked) -> Refusal | None:
    """What a page can send without asking first never reaches GraphQL."""
    if asked.method not in _KNOWN:
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "bad_method", f"the method {asked.method} is not used here")
    if asked.is_socket:
        message = f"no websocket is at {asked.path}"
        return None if asked.path == "/graphql" else Refusal(HTTPStatus.NOT_FOUND, "no_socket", message)
    return _graphql_refused(asked) if asked.is_graphql else None


def _graphql_refused(asked: Asked) -> Refusal | None:
    if asked.reads:
        message = "GraphQL is asked by POST; its page is for browsers"
        return None if asked.wants_page else Refusal(HTTPStatus.NOT_ACCEPTABLE, "graphql_by_post", message)
    if asked.method != "POST":
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "graphql_by_post", "GraphQL is asked by POST")
    if asked.media_type == _JSON:
        return None
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "graphql_by_json", f"GraphQL is asked with a body of {_JSON}")


def _is_followed_link(asked: Asked) -> bool:
    """Somebody clicked on a link to us, which shows a page and does nothing."""
    is_whole_page = asked.headers.get("sec-fetch-mode") == "navigate" and asked.headers.get("sec-fetch-dest") in {
        "document",
        None,
    }
    return asked.method in {"GET", "HEAD"} and is_whole_page and not asked.is_graphql and not asked.is_socket


def _is_beyond_pages(asked: Asked) -> bool:
    """A program's: browsers name the page, and ask first before they send JSON anywhere else."""
    return not asked.is_socket and asked.media_type == _JSON and "cookie" not in asked.headers


def _foreign(reason: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, "foreign_origin", reason)


def _host_of(netloc: str) -> str | None:
    """The host's name alone, in lower case."""
    try:
        parts = urlsplit(f"//{netloc}")
        _ = parts.port
    except ValueError:
        return None
    is_plain = netloc.isascii() and netloc.isprintable() and not set(netloc) & set(' /\\@?#"<>')
    return parts.hostname if is_plain else None


def _netloc_of(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    is_page = parts.scheme in {"http", "https"} and not parts.path and not parts.query and not parts.fragment
    return parts.netloc.lower() if is_page else None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
