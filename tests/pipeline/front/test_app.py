import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_pipeline.front.app import local_path


def test_a_login_leads_where_one_was_going(locked_port):
    """The page, a wrong word, the right one, the UI; then the logout, and nothing any more."""
    page = locked_port.page("/login?next=/runs%3Fx%3D1")
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    assert b'name="next" value="/runs?x=1"' in page.body
    assert "form-action 'self'" in page.headers["content-security-policy"]

    wrong = locked_port.login("falsch", "/runs")
    assert (wrong.status, wrong.headers["set-cookie"], wrong.headers["www-authenticate"]) == (401, None, None)
    assert b"This is not the password." in wrong.body
    assert b"falsch" not in wrong.body

    right = locked_port.login("geheim", "/runs")
    assert (right.status, right.headers["location"]) == (303, "/runs")
    cookie = right.cookie
    assert locked_port.read("/runs", cookie=cookie).document["path"] == "/runs"
    assert ["x-coinhts-role", "owner"] in locked_port.query(cookie=cookie).document["headers"]
    assert locked_port.page("/login?next=/runs", cookie=cookie).headers["location"] == "/runs"

    page = locked_port.page("/logout", cookie=cookie)
    assert (page.status, b"logged in as the owner" in page.body) == (200, True)
    left = locked_port.post("/logout", cookie=cookie)
    assert (left.status, left.headers["location"]) == (303, "/login")
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert locked_port.query(cookie=cookie).status == 401


def test_whoever_guesses_waits(locked_port):
    """Five wrong words, then a while; the page says how long, and whoever is logged in notices nothing."""
    cookie = locked_port.login("anschauen").cookie
    assert [locked_port.login("falsch").status for _ in range(5)] == [401] * 5
    late = locked_port.login("geheim")
    assert (late.status, late.headers["set-cookie"]) == (429, None)
    assert 0 < int(late.headers["retry-after"]) <= 12
    assert b"Too many wrong guesses" in late.body
    assert locked_port.query(cookie=cookie).status == 200


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b'{"password": "geheim"}'),
        ("text/plain", b"password=geheim"),
        ("application/x-www-form-urlencoded", b""),
        ("application/x-www-form-urlencoded", b"\xff\xfe&&==&password"),
        ("application/x-www-form-urlencoded", b"password=geheim&x=" + b"y" * 100_000),
    ],
)
def test_a_login_is_a_small_form(locked_port, media_type, body):
    """Anything else is a wrong password."""
    assert locked_port.post("/login", body, content_type=media_type).status == 401


def test_a_cookie_is_secure_where_the_page_is(serve, ledger):
    """A browser behind TLS says so itself."""
    port = serve(ledger, password="geheim", names="coins.example.org")  # noqa: S106 - not secret
    heads = {"host": "coins.example.org", "content_type": "application/x-www-form-urlencoded"}
    right = port.post("/login", b"password=geheim", origin="https://coins.example.org", **heads)
    assert right.headers["set-cookie"].endswith("; HttpOnly; SameSite=Lax; Secure")
    plain = port.post("/login", b"password=geheim", origin="http://coins.example.org", **heads)
    assert "Secure" not in plain.headers["set-cookie"]


def test_where_no_login_is_asked_there_is_none(open_port):
    """The UI is open to this machine's people, and the login leads on to it."""
    assert open_port.page("/").status == 200
    assert open_port.page("/login").headers["location"] == "/"
    assert open_port.post("/login", b"").headers["location"] == "/"
    assert open_port.page("/logout").headers["location"] == "/login"
    assert ["x-coinhts-role", "owner"] in open_port.query().document["headers"]


def test_health_answers_everybody(locked_port):
    """It is alive, and says no more."""
    answer = locked_port.read("/health")
    assert (answer.status, answer.document) == (200, {"status": "alive"})
    assert locked_port.ask("HEAD", "/health").body == b""


@pytest.mark.parametrize("path", ["/", "/runs", "/assets/candles/minute?view=lineage", "/%EA%B0%80", "/a//b"])
def test_paths_of_ours_are_gone_to(path):
    """After the login, where one was going."""
    assert local_path(path) == path


@pytest.mark.parametrize(
    "wanted",
    [
        *("", "runs", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example"),
        *("https://evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x", "/가", " /runs"),
        *("/login", "/logout?x"),
    ],
)
def test_everything_else_leads_home(wanted):
    """Nobody is sent to another server after he has shown his password."""
    assert local_path(wanted) == "/"


@given(st.text(alphabet="/\\:@?#.ae \t\r\n%", max_size=12))
def test_no_spelling_leads_away(wanted):
    """A browser reads a backslash as a slash, and skips tabs."""
    found = local_path(wanted)
    assert found.startswith("/")
    assert not found[1:2].strip("\t\r\n ").startswith(("/", "\\"))
