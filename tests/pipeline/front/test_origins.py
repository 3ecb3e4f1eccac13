import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_pipeline.front.origins import Asked, refusal_of

HOST = "127.0.0.1:3000"
NAMES = frozenset({"localhost", "coins.example.org"})
JSON = {"content-type": "application/json"}
OURS = {"origin": f"http://{HOST}"}
FOREIGN = [
    "http://evil.example",
    f"https://{HOST}.evil.example",
    "http://127.0.0.1:3001",
    "null",
    "http://localhost:3000",
]


def asked(method="GET", path="/", kind="http", heads=(), **headers):
    named = {"host": HOST} | {name.replace("_", "-"): text for name, text in headers.items()}
    raw = [(name.encode(), text.encode("latin-1")) for name, text in [*named.items(), *heads]]
    scope = {"type": kind, "method": method, "path": path, "headers": raw}
    if kind == "websocket":
        del scope["method"]
    return Asked.of(scope)


def code(*args, is_program=False, **kwargs):
    refusal = refusal_of(asked(*args, **kwargs), NAMES, is_program=is_program)
    return refusal.code if refusal else None


@pytest.mark.parametrize(
    "host", [HOST, "localhost", "LocalHost:3000", "coins.example.org:443", "[::1]:3000", "192.0.2.7"]
)
def test_our_names_and_plain_addresses_are_answered(host):
    """Nobody else can make a name of his out of an address."""
    assert code(host=host) is None


@pytest.mark.parametrize(
    ("host", "told"),
    [
        *[(host, "unknown_host") for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:3000")],
        *[
            (host, "bad_host")
            for host in ("", "a b", "localhost:x", "x@localhost", "localhost/..", "[::1", "löcalhost")
        ],
    ],
)
def test_a_name_of_others_is_refused(host, told):
    """It was pointed at us so that its page may speak to us."""
    assert code(host=host) == told
    assert code(host=host, is_program=True) == told


@pytest.mark.parametrize("name", ["host", "origin", "accept", "content-type", "authorization"])
def test_a_head_that_says_two_things_is_refused(name):
    """Two servers could each believe another one."""
    doubled = [(name, "localhost"), (name, "localhost")]
    assert code(heads=doubled) == "bad_request"


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_foreign_page_changes_nothing(method, origin):
    """Whatever it sends, and whatever the browser adds."""
    assert code(method, "/report_asset_materialization/x", origin=origin) == "foreign_origin"
    assert code(method, "/report_asset_materialization/x", origin=origin, sec_fetch_site="none") == "foreign_origin"
    assert code(kind="websocket", path="/graphql", origin=origin) == "foreign_origin"


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_no_spelling_of_an_origin_passes_for_ours(origin):
    """Only the one that browsers write."""
    if origin.lower() not in {f"http://{HOST}", f"https://{HOST}"}:
        assert code("POST", "/x", origin=origin) == "foreign_origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_another_site_may_only_link_to_us(site):
    """A page on another port of this host is `same-site`, and our cookie goes along with what it asks."""
    link = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert code(**link) is None
    assert code(**link, path="/graphql", accept="text/html") == "foreign_origin"
    assert code(**link | {"sec_fetch_dest": "iframe"}) == "foreign_origin"
    assert code(sec_fetch_site=site, sec_fetch_mode="no-cors") == "foreign_origin"
    assert code("POST", "/x", **link, **OURS) == "foreign_origin"


def test_our_own_pages_and_programs_pass():
    """A browser's page, a person's bookmark, a program with a token, a program where no login is asked."""
    assert code("POST", "/x", **OURS, sec_fetch_site="same-origin") is None
    assert code("POST", "/x", sec_fetch_site="none") is None
    assert code("POST", "/x", origin="https://coins.example.org", host="coins.example.org") is None
    assert code("POST", "/x", is_program=True) is None
    assert code("POST", "/graphql", content_type="application/json; charset=utf-8") is None
    assert code("GET", "/x", accept="*/*") is None
    assert code(kind="websocket", path="/graphql", **OURS) is None


def test_who_says_nothing_of_himself_sends_what_no_page_could():
    """A form without an origin may be an old browser's; a cookie is always a browser's."""
    assert code("POST", "/x") == "foreign_origin"
    assert code("POST", "/x", content_type="text/plain") == "foreign_origin"
    assert code("POST", "/x", content_type="application/json", cookie="coinhts-3000=x") == "foreign_origin"
    assert code(kind="websocket", path="/graphql", content_type="application/json") == "foreign_origin"


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/prefix/graphql"])
def test_graphql_is_asked_by_json_alone(path):
    """A link or a form of somebody else's would be executed."""
    assert code("GET", path, accept="application/json") == "graphql_by_post"
    assert code("GET", path) == "graphql_by_post"
    assert code("GET", path, accept="text/html") is None
    assert code("DELETE", path, **OURS) == "graphql_by_post"
    for media_type in ("text/plain", "application/graphql", "text/plain; application/json", "multipart/form-data"):
        assert code("POST", path, **OURS, content_type=media_type) == "graphql_by_json"
        assert code("POST", path, is_program=True, content_type=media_type) == "graphql_by_json"


def test_only_known_methods_and_one_socket_are_used():
    """What nobody needs is not handed on."""
    assert [code(method, **OURS) for method in ("TRACE", "CONNECT", "BREW")] == ["bad_method"] * 3
    assert code(kind="websocket", path="/reports/x", **OURS) == "no_socket"


def test_tls_is_what_the_page_says():
    """Whoever ends it before us needs to tell us nothing."""
    assert asked("POST", origin="https://coins.example.org").comes_by_tls
    assert not asked("POST", **OURS).comes_by_tls
    assert not asked("POST").comes_by_tls
