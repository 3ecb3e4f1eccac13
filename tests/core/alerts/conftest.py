"""What tests of alerts may ask for: a server that stands for Slack's, one for a mail server's, and an outbox."""

import json
import re
import ssl
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from coinhts_core.alerts.outbox import Outbox
from coinhts_core.settings import read_settings

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)


class Slack(BaseHTTPRequestHandler):
    """Takes what is posted, unless it is told to answer otherwise."""

    def do_POST(self):
        posted = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.status
        self.server.asked += 1
        if status == 200:
            self.server.taken.append(json.loads(posted))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"ok" if status == 200 else b"no_service")

    def log_message(self, *_):
        """Say nothing."""


class Mail(StreamRequestHandler):
    """Speaks as much SMTP as a client needs: STARTTLS before anything, then a login, then messages."""

    is_encrypted = False

    def handle(self):
        self._say("220 stand-in")
        while line := self.rfile.readline().decode().strip():
            self.server.heard.append((self.is_encrypted, line))
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                return
            getattr(self, f"_{verb.lower()}", self._unknown)(rest)

    def _say(self, line):
        self.wfile.write(f"{line}\r\n".encode())

    def _unknown(self, _):
        self._say("502 what?")

    def _ehlo(self, _):
        offers = ["AUTH PLAIN"] if self.is_encrypted else ["STARTTLS"][: self.server.encrypts]
        for offer in ["stand-in", *offers]:
            self._say(f"250-{offer}")
        self._say("250 8BITMIME")

    def _starttls(self, _):
        self._say("220 go on")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.is_encrypted = True

    def _auth(self, rest):
        _, user, password = b64decode(rest.partition(" ")[2]).decode().split("\0")
        self._say("235 welcome" if (user, password) == self.server.login else "535 who?")

    def _mail(self, _):
        self._say("250 ok" if self.is_encrypted else "530 encrypt first")

    def _rcpt(self, rest):
        self._say("550 nobody" if "nobody" in rest else "250 ok")

    def _rset(self, _):
        self._say("250 ok")

    def _data(self, _):
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(re.sub(rb"^\.\.", b".", line))
        if not self.server.is_open:
            self._say("451 later")
            return
        self.server.taken.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._say("250 taken")


class MailServer(ThreadingTCPServer):
    """One thread a connection, gone with the test."""

    daemon_threads = True

    def __init__(self, tls):
        super().__init__(("127.0.0.1", 0), Mail)
        self.tls, self.taken, self.heard = tls, [], []
        self.login, self.encrypts, self.is_open = ("mina", "mail-password"), True, True

    def handle_error(self, *_):
        """Say nothing: clients hang up on a certificate they do not trust."""


@pytest.fixture
def slack() -> Iterator[ThreadingHTTPServer]:
    """Give a server that stands for Slack's: `status` it answers, what it has `taken`, how often it was `asked`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Slack) as server:
        server.status, server.taken, server.asked = 200, [], 0
        server.url = f"http://127.0.0.1:{server.server_port}/services/T0CANARY/B0CANARY/xCANARYx"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Give a file with a certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    moment = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "stand-in.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def mail(certificate, monkeypatch) -> Iterator[MailServer]:
    """Give a mail server whose certificate this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with MailServer(tls) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@dataclass
class Office:
    """An outbox, and what a test looks at: the file, and how deliveries stand."""

    outbox: Outbox
    settings: object
    environ: dict = field(default_factory=dict)

    @property
    def file(self):
        path = self.settings.home / "logs" / "alerts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def states(self, sink):
        return {of.letter.title: of.deliveries[sink].state for of in self.outbox.latest() if sink in of.deliveries}


@pytest.fixture
def office(ledger, tmp_path):
    """Open an outbox in a home of its own, with these further settings."""

    def open_office(**settings):
        environ = {"COINHTS_HOME": str(tmp_path), **{f"COINHTS_{name.upper()}": of for name, of in settings.items()}}
        read = read_settings(environ)
        return Office(Outbox.open(ledger, read), read, environ)

    return open_office


@pytest.fixture
def mailed(mail):
    """Give the settings that lead to the mail server."""
    address = {"smtp__host": "127.0.0.1", "smtp__port": str(mail.server_address[1])}
    return address | {
        "smtp__user": "mina",
        "smtp__password": "mail-password",
        "smtp__sender": "coinhts@example.com",
        "smtp__to": "mina@example.com, jun@example.com",
    }
