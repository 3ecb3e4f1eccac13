import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from coinhts_core.ledger.connection import Ledger
from coinhts_pipeline.front.visitors import Doorkeeper
from coinhts_pipeline.front.wall import PUBLIC, Wall

OWNER = {"password": "geheim"}
PATHS = [
    "/",
    "/runs",
    "/graphql",
    "/reports/",
    "/api/openapi.json",
    "/api/backtests",
    "/logout",
    "/server_info",
    "/x.js",
]


@pytest.mark.parametrize("path", PATHS)
def test_without_a_login_nothing_is_behind_the_wall(locked_port, path):
    """A program is told so, a person is led to the login; nothing is reached."""
    refused = locked_port.read(path) if path != "/graphql" else locked_port.query()
    assert (refused.status, refused.document["error"]["code"]) == (401, "login")
    assert refused.headers["www-authenticate"] == "Bearer"
    led = locked_port.page(path)
    if path.startswith("/api/"):
        assert led.status == 401
    else:
        assert (led.status, led.headers["location"]) == (303, f"/login?next={path}")


def test_where_one_was_going_is_kept(locked_port):
    """With what stands behind the question mark."""
    led = locked_port.page("/assets/%EA%B0%80?view=lineage&x=a%2Fb")
    assert led.headers["location"] == "/login?next=/assets/%25EA%25B0%2580%3Fview%3Dlineage%26x%3Da%252Fb"


def test_open_doors_are_two():
    """Whoever adds one, thinks."""
    assert set(PUBLIC) == {"/health", "/login"}


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_an_open_door_opens_one_way(locked_port, method, path):
    """What is not our page's deed needs a login, and is not handed on afterwards, either."""
    assert locked_port.ask(method, path, b"", origin=locked_port.origin).status == 401
    assert locked_port.ask(method, path, b"", authorization="Bearer tok").status == 405


@pytest.mark.parametrize("heads", [{}, {"cookie": "coinhts-3000=forged"}, {"authorization": "Bearer falsch"}])
def test_a_socket_is_refused_before_it_opens(locked_port, heads):
    """With a status, not with a silence."""
    with pytest.raises(InvalidStatus) as refused:
        locked_port.socket(**heads)
    assert refused.value.response.status_code == 401


def test_a_foreign_page_is_refused_whoever_looks_at_it(locked_port, open_port):
    """Logged in or not asked to: its requests, its sockets, its forms, its links with a query in them."""
    cookie = locked_port.login("geheim").cookie
    for port, heads in ((locked_port, {"cookie": cookie}), (open_port, {})):
        evil = {**heads, "origin": "http://evil.example"}
        assert port.query(**evil).status == 403
        assert port.post("/report_asset_materialization/x", **evil).status == 403
        assert port.post("/logout", **evil).status == 403
        assert port.post("/login", b"password=geheim", **evil).status == 403
        assert port.page("/runs", **heads, sec_fetch_site="same-site", sec_fetch_mode="cors").status == 403
        assert port.read("/graphql?query=mutation{x}", **heads).status == 406
        assert port.page("/runs", **heads, host="evil.example").status == 403
        assert port.page("/health", **heads, host="evil.example").status == 403
        with pytest.raises(InvalidStatus) as refused:
            port.socket(**evil)
        assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus):
            port.socket(**heads, origin="")


def test_a_person_is_told_on_a_page_of_ours(open_port):
    """Why not, in a sentence; a program gets the same as JSON."""
    page = open_port.page("/runs", sec_fetch_site="cross-site")
    assert (page.status, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert b"a page of another origin (cross-site) asked for this" in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]
    told = open_port.read("/runs", sec_fetch_site="cross-site").document
    assert told["error"]["message"] == "a page of another origin (cross-site) asked for this"


def test_a_token_needs_no_page(locked_port):
    """A program is where it is; but the name it calls us by is ours."""
    heads = {"authorization": "Bearer tok"}
    assert locked_port.ask("POST", "/x", b"", **heads).status == 200
    assert locked_port.read("/x", **heads).status == 200
    assert locked_port.read("/x", **heads, host="evil.example").status == 403


def test_viewers_look(locked_port):
    """What is asked in a viewer's name is the UI's to judge; all else that changes something is refused here."""
    cookie = locked_port.login("anschauen").cookie
    assert ["x-coinhts-role", "viewer"] in locked_port.read("/x", cookie=cookie).document["headers"]
    assert (
        locked_port.post("/report_asset_materialization/x", cookie=cookie).document["error"]["code"] == "viewers_look"
    )


@pytest.mark.parametrize("path", ["/", "/health", "/login", "/reports/", "/api/openapi.json", "/nothing", "/graphql"])
def test_every_answer_says_how_it_may_be_used(open_port, locked_port, path):
    """Not framed, not guessed at, not kept by anybody between; what the UI says itself stands."""
    for port in (open_port, locked_port):
        headers = port.page(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] in {"DENY", "SAMEORIGIN"}
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"].split(",")[0] in {"private", "no-store"}
        assert len(headers.get_all("x-frame-options")) == 1


def test_a_ledger_that_is_away_is_said_to_be(settings, ledger, caplog):
    """Nobody is let in on trust or told that his login is gone, health answers without it, and a line says so."""
    reached = []

    async def app(scope, *_):
        reached.append(scope["path"])

    async def ask(path):
        sent = []

        async def send(message):
            sent.append(message)

        heads = [(b"host", b"localhost"), (b"cookie", b"coinhts-3000=x")]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": heads}
        await wall(scope, None, send)
        return sent

    with Ledger.open(ledger._url, most_connections=1) as busy, busy.transaction():
        wall = Wall(app, Doorkeeper(settings(**OWNER).web, busy), frozenset({"localhost"}))
        (start, _), nothing = asyncio.run(ask("/runs")), asyncio.run(ask("/health"))
        assert busy._pool.get_stats()["requests_num"] == 2  # this test's own, and one page's
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"5")
    assert (nothing, reached) == ([], ["/health"])
    assert [of.msg for of in caplog.records if of.name == "coinhts.front"] == ["nobody's login can be looked up"]
