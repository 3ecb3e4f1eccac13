import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from coinhts_pipeline.front.origins import Asked, Refusal
from coinhts_pipeline.front.sessions import Session
from coinhts_pipeline.front.visitors import Doorkeeper, Visitor

OWNER, VIEWER, TOKEN = {"password": "geheim"}, {"viewer_password": "anschauen"}, {"token": "tök à"}


def asked(method="GET", path="/", kind="http", **headers):
    raw = [(name.encode(), text.encode()) for name, text in headers.items()]
    return Asked.of({"type": kind, "method": method, "path": path, "headers": raw})


@pytest.fixture
def keeper(settings, ledger):
    return Doorkeeper(settings(**OWNER, **VIEWER, **TOKEN).web, ledger)


@pytest.mark.parametrize("sent", ["Bearer tök à", "bearer tök à", "  BEARER   tök à "])
def test_the_token_makes_a_program_the_owner(keeper, sent):
    """As often as it likes."""
    for _ in range(50):
        assert keeper.program(asked(authorization=sent), "192.0.2.1") == Visitor("owner")


@pytest.mark.parametrize("sent", ["Bearer tok", "Bearer", "", "Basic tök à", "tök à", "Bearer tök à x"])
def test_anything_else_is_refused_and_counted(keeper, sent):
    """A token that is not ours is nobody's, and a twenty-first guess waits."""
    refusals = [keeper.program(asked(authorization=sent), "192.0.2.1") for _ in range(21)]
    assert [refusal.status for refusal in refusals] == [401] * 20 + [429]
    assert refusals[-1].retry_after_s == 1
    assert keeper.program(asked(authorization=sent), "192.0.2.2").status == 401


def test_a_header_is_nothing_where_no_token_is_set(settings, ledger):
    """Without a token none is right; where no login is asked none is needed, but a wrong one is a mistake."""
    assert Doorkeeper(settings(**OWNER).web, ledger).program(asked(authorization="Bearer "), "::1").status == 401
    keeper = Doorkeeper(settings().web, None)
    assert [keeper.program(asked(authorization="Bearer x"), "::1") for _ in range(50)] == [None] * 50
    assert Doorkeeper(settings(**TOKEN).web, None).program(asked(authorization="Bearer x"), "::1").status == 401
    assert asyncio.run(keeper.person(asked())) == Visitor("owner")
    assert not keeper.asks_for_login


@pytest.mark.parametrize(("password", "role"), [("geheim", "owner"), ("anschauen", "viewer")])
def test_a_password_gives_a_cookie_that_says_who(keeper, password, role):
    """Until the logout; the cookie is out of reach of scripts and other sites."""

    async def visit():
        token = await keeper.enter(password, "192.0.2.1")
        cookie = keeper.welcome(token, by_tls=False)
        visitor = await keeper.person(asked(cookie=cookie.partition(";")[0]))
        await keeper.leave(visitor.session)
        return cookie, visitor.role, await keeper.person(asked(cookie=cookie.partition(";")[0]))

    cookie, found, after = asyncio.run(visit())
    assert (found, after) == (role, None)
    assert cookie.startswith("coinhts-3000=")
    assert cookie.endswith("; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax")
    assert keeper.welcome("x", by_tls=True).endswith("; Secure")
    assert "Max-Age=0" in keeper.farewell()


def test_wrong_passwords_are_counted_and_right_ones_are_not(keeper):
    """The sixth wrong guess of an address waits, whatever it is; others do not."""

    async def guess():
        right = [await keeper.enter("geheim", "192.0.2.1") for _ in range(8)]
        wrong = [await keeper.enter("falsch", "192.0.2.1") for _ in range(5)]
        late = await keeper.enter("geheim", "192.0.2.1")
        return right, wrong, late, await keeper.enter("geheim", "192.0.2.2")

    right, wrong, late, other = asyncio.run(guess())
    assert not any(isinstance(of, Refusal) for of in [*right, other])
    assert [of.status for of in wrong] == [401] * 5
    assert (late.status, late.code) == (429, "too_many_guesses")
    assert 0 < late.retry_after_s <= 12


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/runs", "http"),
        ("POST", "/graphql", "http"),
        ("POST", "/logout", "http"),
        ("GET", "/graphql", "websocket"),
    ],
)
def test_a_viewer_looks_asks_and_leaves(method, path, kind):
    """What his queries may do is for the UI to say."""
    assert Visitor("viewer").may_not(asked(method, path, kind)) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_viewer_changes_nothing(method):
    """Neither here nor in the UI."""
    for path in ("/report_asset_materialization/x", "/api/backtests", "/"):
        assert Visitor("viewer").may_not(asked(method, path)).code == "viewers_look"
        assert Visitor("owner").may_not(asked(method, path)) is None


@pytest.mark.parametrize("ends", ["logout", "time"])
def test_what_goes_on_in_a_sessions_name_ends_with_it(keeper, ends):
    """A logout closes what is open, and so does time; of others nothing is touched."""

    async def visit():
        first, second = [
            (await keeper.person(asked(cookie=f"coinhts-3000={await keeper.enter('geheim', '::1')}"))).session
            for _ in range(2)
        ]
        if ends == "time":
            first = Session(first.token_hash, first.role, datetime.now(UTC) + timedelta(seconds=0.1))
        others = asyncio.create_task(keeper.while_welcome(Visitor("owner", second), asyncio.sleep(0.5)))
        serving = asyncio.create_task(keeper.while_welcome(Visitor("owner", first), asyncio.sleep(60)))
        await asyncio.sleep(0.01)
        if ends == "logout":
            await keeper.leave(first)
        return await serving, await others

    assert asyncio.run(visit()) == (False, True)
    assert keeper._sockets == {}


def test_what_fails_while_it_is_served_is_not_hidden(keeper):
    """A mistake is no logout."""

    async def fail():
        raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(keeper.while_welcome(Visitor("owner"), fail()))
