import logging
from base64 import b64encode, urlsafe_b64encode
from io import StringIO
from json import dumps
from secrets import token_hex, token_urlsafe
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.masking import HIDDEN, Mask, mask_logs
from coinhts_core.settings import read_settings

SECRETS = {
    "COINHTS_UPBIT__ACCESS_KEY": "upbit access/+key 9",
    "COINHTS_UPBIT__SECRET_KEY": "upbit&secret=key",
    "COINHTS_GEMINI__API_KEY": "gemini-키-key",
    "COINHTS_SLACK__WEBHOOK_URL": "https://hooks.example.com/services/T0CANARY/B0CANARY/xCANARYx",
    "COINHTS_SMTP__PASSWORD": 'mail "password"',
    "COINHTS_WEB__PASSWORD": "web%40password",
    "COINHTS_WEB__TOKEN": "web-token-12345",
    "COINHTS_POSTGRES_URL": "postgresql://trader:p%40ss-word@db.example.com/coinhts",
}
PARTS = ["p@ss-word", "p%40ss-word", "T0CANARY", "B0CANARY", "xCANARYx"]


@pytest.fixture
def mask(tmp_path):
    """Give the mask of an installation with every secret there is."""
    settings = read_settings({"COINHTS_HOME": str(tmp_path), **SECRETS})
    return Mask.of(settings, {"AWS_SECRET_ACCESS_KEY": "aws-secret-key"})


@pytest.fixture
def _logs_as_before():
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


def forms(secret):
    raw = secret.encode()
    longer = [b64encode(b"x" * before + b":" + raw + b"!").decode() for before in range(3)]
    alone = [b64encode(raw).decode(), urlsafe_b64encode(raw).decode()]
    return [secret, quote(secret, safe=""), quote_plus(secret), dumps(secret), repr(secret), *longer, *alone]


@pytest.mark.parametrize("secret", [*SECRETS.values(), "aws-secret-key", *PARTS])
def test_a_secret_is_hidden_in_every_form(mask, secret):
    """As it is, in an address, in JSON, in base64 and within longer base64: what is left tells nothing of it."""
    for form in forms(secret):
        shown = mask(f"before {form} after")
        assert HIDDEN in shown
        assert secret not in shown
        assert all(letters not in shown for letters in (quote(secret, safe=""), b64encode(secret.encode()).decode()))
        assert shown.startswith("before")
        assert shown.endswith("after")


def test_what_is_no_secret_stays(mask):
    """A mask that hides everything tells nothing."""
    text = "KRW-BTC on 2026-01-02: trader at db.example.com/coinhts, alert 12, https://hooks.example.com/services"
    assert mask(text) == text
    assert Mask([])(text) == Mask(["abc", ""])(text) == text


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJhY2Nlc3Nfa2V5IjoieCJ9.c2lnbmF0dXJl",
        "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "AIzaSyA-1234567890abcdefghijklmnopqrstu",
        "hunter2hunter2",
    ],
)
def test_what_looks_like_a_secret_is_hidden_untold(secret):
    """A token, a webhook, a key by its look or by its name."""
    mask = Mask([])
    where = {
        "T": f"https://hooks.slack.com/services/{secret}",
        "h": f"see postgresql://me:{secret}@host/db?password={secret}&token={secret}, Bearer {secret}",
    }
    assert secret not in mask(where.get(secret[0], f"Authorization {secret} was refused"))


@given(st.text(min_size=4, max_size=40).filter(lambda text: text.strip()), st.text(max_size=20), st.text(max_size=20))
def test_whatever_stands_around_a_secret_it_is_hidden(secret, before, after):
    """Also one made of letters that mean something to a regular expression."""
    shown = Mask([secret])(before + secret + after)
    assert shown.count(secret) <= (before + HIDDEN + after).count(secret)


@pytest.mark.usefixtures("_logs_as_before")
def test_thirty_planted_secrets_stand_in_no_log():
    """In the message, its arguments, its traceback, or a mistake made while logging."""
    planted = [token_urlsafe(18) for _ in range(15)] + [f"p/{token_hex(8)}+ {token_hex(2)}" for _ in range(15)]
    mask_logs(Mask(planted))
    mask_logs(Mask(planted))  # told twice, masked once
    log, written = logging.getLogger("coinhts.test"), StringIO()
    handler = logging.StreamHandler(written)
    log.addHandler(handler)
    for secret in planted:
        log.warning("answered %s for %s", 401, {"key": secret})
        log.error(f"refused {secret}")  # noqa: G004 - what somebody will do
        log.error("one too many %s", secret, secret)  # noqa: PLE1205 - a mistake people make
        log.error(secret, exc_info=(ValueError, ValueError(f"no {quote(secret)}"), None))
        try:
            raise ConnectionError(secret)  # noqa: TRY301 - for its traceback
        except ConnectionError:
            log.exception("while asking")
    log.removeHandler(handler)
    told = written.getvalue()
    assert told.count("ConnectionError: ") == len(planted)
    assert told.count("refused") == len(planted)
    assert [secret for secret in planted for form in forms(secret) if form in told] == []
