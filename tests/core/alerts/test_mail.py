import pytest

from coinhts_core.alerts.alert import Letter
from coinhts_core.alerts.mail import MailSink
from coinhts_core.errors import SinkRefusedError, SinkUnavailableError
from coinhts_core.masking import Mask
from coinhts_core.settings import read_settings
from tests.core.alerts.conftest import NOON

LETTER = Letter(3, "run", "error", "rehearse_days 실패", "한 줄\n.two", NOON, 2)


@pytest.fixture
def sink(mailed, tmp_path):
    """Open a sink with these settings changed."""

    def open_sink(**changed):
        environ = {f"COINHTS_{name.upper()}": of for name, of in (mailed | changed).items()}
        return MailSink(read_settings({"COINHTS_HOME": str(tmp_path), **environ}).smtp, Mask(["mail-password"]))

    return open_sink


def test_an_alert_is_mailed_encrypted(sink, mail):
    """To everybody named, after a login; nothing but the greeting is in the clear."""
    sink().send(LETTER)
    (taken,) = mail.taken
    assert taken["Subject"] == "[coinhts error] rehearse_days 실패"
    assert (taken["From"], taken["To"]) == ("coinhts@example.com", "mina@example.com, jun@example.com")
    assert taken["Message-ID"] == "<alert-3-20260201120000000000@127.0.0.1>"
    assert taken.get_content().splitlines() == [
        "rehearse_days 실패",
        "",
        "한 줄",
        ".two",
        "raised 2 times more since",
        "2026-02-01 12:00:00 UTC (02-01 21:00 KST), alert 3",
    ]
    assert [line.split()[0].upper() for is_encrypted, line in mail.heard if not is_encrypted] == ["EHLO", "STARTTLS"]


def test_nothing_is_sent_in_the_clear(sink, mail):
    """To a server that does not encrypt, or shows a certificate nobody vouches for."""
    mail.encrypts = False
    with pytest.raises(SinkRefusedError, match="STARTTLS"):
        sink().send(LETTER)
    assert mail.taken == []
    assert not any("AUTH" in line for _, line in mail.heard)


def test_a_certificate_that_is_not_trusted_is_refused(sink, mail, monkeypatch):
    """Somebody in between could read along."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(SinkRefusedError, match="certificate verify failed"):
        sink().send(LETTER)
    assert mail.taken == []


@pytest.mark.parametrize(
    ("changed", "kind", "told"),
    [
        ({"smtp__password": "wrong-password"}, SinkRefusedError, "535"),
        ({"smtp__to": "nobody@example.com"}, SinkRefusedError, "550"),
        ({"smtp__port": "1"}, SinkUnavailableError, "refused"),
        ({"smtp__host": "nowhere.invalid"}, SinkUnavailableError, "mail did not"),
    ],
)
def test_what_is_wrong_says_whether_waiting_helps(sink, mail, changed, kind, told):
    """Without the password."""
    with pytest.raises(kind, match=told) as refusal:
        sink(**changed).send(LETTER)
    assert "password" not in str(refusal.value)
    assert mail.taken == []


def test_a_server_that_says_later_is_believed(sink, mail):
    """It takes the message another time."""
    mail.is_open = False
    with pytest.raises(SinkUnavailableError, match="451"):
        sink().send(LETTER)
    mail.is_open = True
    sink().send(LETTER)
    assert len(mail.taken) == 1
