import logging
import sys
from base64 import b64encode, urlsafe_b64encode
from io import StringIO
from json import dumps
from secrets import token_hex, token_urlsafe
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.masking import HIDDEN, Mask, MaskedStream, hidden, mask_logs, mask_process
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
    document = '{"step_key": "signals__sma_cross", "key": "2026-01-02|KRW-BTC"}'
    assert mask(document) == document


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"token": "hunter2", "user": "mina"}', '{"token": "***", "user": "mina"}'),
        ("{'X-Api-Key': 'hunter2'}", "{'X-Api-Key': '***'}"),
        (
            '{"url": "https://hooks.slack.com/services/T0/B0/x", "n": 1}',
            '{"url": "https://hooks.slack.com/***", "n": 1}',
        ),
        ("write it like postgresql://user:password@host:5432/coinhts", None),
        ("AKIAIOSFODNN7EXAMPLE is not known", "*** is not known"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhY2Nl… (912 characters)", "***… (912 characters)"),
    ],
)
def test_a_look_ends_where_a_value_ends(text, shown):
    """What stands around it stays, so that a document stays one."""
    assert Mask([])(text) == (text if shown is None else shown)


def test_of_a_secret_that_was_cut_off_nothing_is_left():
    """A sentence too long is clipped before anybody masks it."""
    assert Mask(["hunter2hunter2"])("no hunter2hun… (900 characters), no hunt") == "no ***… (900 characters), no hunt"


def test_names_of_the_house_are_no_secrets():
    """A database whose password is its name would blot out every other sentence."""
    assert Mask(["coinhts", "postgres"])("coinhts asks postgres") == "coinhts asks postgres"


@pytest.mark.parametrize(
    "environ",
    [
        {"COINHTS_POSTGRES_URL": "postgresql://me:hunter2/#?@x@host/db"},
        {"COINHTS_POSTGRES_URL": "host=x password='hunter2/#?@x' user=me"},
        {"COINHTS_POSTGRES_URL": "postgresql://me@host/db?sslpassword=hunter2%2F%23%3F%40x"},
        {"COINHTS_UPBIT__SECRET_KEY": "hunter2/#?@x", "COINHTS_START_DATE": "never"},
        {"COINHTS_UPBIT__BASE_URL": "https://hunter2%2F%23%3F%40x@host"},
        {"PGPASSWORD": "hunter2/#?@x"},
        {"SOMEBODYS_URL": "redis://me:hunter2/#?@x@host"},
    ],
)
def test_secrets_are_found_before_settings_are_judged(tmp_path, environ):
    """Also in settings that are refused, in what others keep beside them, and in `.env`."""
    (tmp_path / ".env").write_text('export COINHTS_GEMINI__API_KEY="gemini key"\nno line at all\n')
    mask = Mask.found({"COINHTS_HOME": str(tmp_path), **environ})
    assert mask("401 for hunter2/#?@x of me, not for gemini key") == "401 for *** of me, not for ***"


def test_a_stream_shows_no_secret_in_however_many_pieces():
    """A line is masked when it is whole; what is wanted at once, or printed by others, is shown as before."""
    written = StringIO()
    stream = MaskedStream(written, Mask(["hush-hush"]))
    print("told hush-", end="", file=stream)
    assert written.getvalue() == ""
    print("hush", "twice\nhush-hush", file=stream)
    stream.writelines(["50 %"])
    stream.flush()
    assert written.getvalue() == "told *** twice\n***\n50 %"
    assert (stream.isatty(), stream.writable()) == (False, True)


@pytest.mark.usefixtures("_logs_as_before")
def test_a_process_prints_and_logs_no_secret(monkeypatch, capsys):
    """Told again, it knows what is secret by then; short secrets stay in figures and leave the logs."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setenv("COINHTS_WEB__TOKEN", "hush-hush")
    mask_process()
    monkeypatch.setenv("COINHTS_WEB__PASSWORD", "2026")
    mask_process()
    sys.stdout.write("hush-hush since 2026\n")
    sys.stderr.write("hush-hush\n")
    assert capsys.readouterr() == ("*** since 2026\n", "***\n")
    assert hidden("no hush-hush") == "no ***"
    record = logging.getLogger("coinhts.test").makeRecord("coinhts.test", 30, "", 0, "hush-hush since 2026", (), None)
    assert record.getMessage() == "*** since ***"
