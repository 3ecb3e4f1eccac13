import pytest

from coinhts_core.errors import BadSettingError
from coinhts_pipeline.front.address import judge, names, reachable, url

OWNER, VIEWER, TOKEN = {"password": "geheim"}, {"viewer_password": "anschauen"}, {"token": "a token is no login"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_login(settings, host):
    """Only this machine's people reach it."""
    judge(settings(host=host).web)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104 - it is refused
def test_beyond_loopback_a_login_is_needed(settings, host):
    """Whoever reaches the port could trade."""
    with pytest.raises(BadSettingError, match="without a login only loopback is bound; set COINHTS_WEB__PASSWORD"):
        judge(settings(host=host).web)
    with pytest.raises(BadSettingError, match="only loopback"):
        judge(settings(host=host, **TOKEN).web)
    judge(settings(host=host, **OWNER).web)


def test_a_host_that_is_none_is_refused(settings):
    """Nothing could be bound."""
    with pytest.raises(BadSettingError, match=r"COINHTS_WEB__HOST cannot be 'no.host.invalid': there is no such host"):
        judge(settings(host="no.host.invalid", **OWNER).web)


def test_viewers_need_an_owner_and_a_word_of_their_own(settings):
    """Else a viewer would be the owner, or the only one."""
    with pytest.raises(BadSettingError, match="viewers need an owner") as refused:
        judge(settings(**VIEWER).web)
    assert "anschauen" not in str(refused.value)
    with pytest.raises(BadSettingError, match="it is the owner's") as refused:
        judge(settings(password=(same := "geheim"), viewer_password=same).web)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("0.0.0.0", "http://127.0.0.1:3000"),  # noqa: S104 - what is typed instead
        ("::", "http://[::1]:3000"),
        ("localhost", "http://localhost:3000"),
    ],
)
def test_the_address_is_one_to_type(settings, host, told):
    """Nobody can visit all addresses at once."""
    web = settings(host=host).web
    assert url(web) == told
    assert reachable(web) in told


def test_names_are_those_that_were_given(settings):
    """And the ones every machine has for itself."""
    web = settings(host="Desk.local", names="coins.example.org, Other.example").web
    assert names(web) == {"localhost", "desk.local", "coins.example.org", "other.example"}


@pytest.mark.parametrize("name", ["http://x.org", "x.org:80", "a b", "../x", "*"])
def test_a_name_is_a_name(settings, name):
    """Whatever else would never be called."""
    with pytest.raises(BadSettingError, match="COINHTS_WEB__NAMES cannot be"):
        settings(names=name)
