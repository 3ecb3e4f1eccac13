"""Thirty secrets, planted where people keep them and where nobody told us of them; a house with all; the search."""

import dataclasses
import logging
import os
import sys
import zlib
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from pathlib import Path
from threading import Thread
from urllib.parse import quote, quote_plus

import psutil
import psycopg
import pyarrow.parquet
import pytest
from psycopg import sql

from coinhts_core.exchanges import upbit
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_pipeline import cli
from tests.faults.conftest import QUICK

IN_ENVIRONMENT = {
    "COINHTS_UPBIT__ACCESS_KEY": "up%41bit access+3",
    "COINHTS_UPBIT__SECRET_KEY": "up&bit=secret;4",
    "COINHTS_GEMINI__API_KEY": "gemini-열쇠-5x",
    "COINHTS_WEB__TOKEN": "tok.en~10/abc+def==",
    "AWS_ACCESS_KEY_ID": "AWSIDPLANTED11",
    "AWS_SECRET_ACCESS_KEY": "aws/secret+12 key",
    "AWS_SESSION_TOKEN": "aws|session|13*",
    "PGPASSWORD": "pg pass'16",
    "SOMEBODYS_API_TOKEN": "some$body$17",
}
IN_THE_FILE = {
    "COINHTS_SMTP__PASSWORD": "mail 'pass\"word' 7",
    "COINHTS_WEB__PASSWORD": "web\\pass\\8 %2F",
    "COINHTS_WEB__VIEWER_PASSWORD": "viewer{pass}[9]",
}
IN_ADDRESSES = {
    "ledger": "led ger/p@ss'1%",
    "certificate": 'cert"ifi\\cate 2',
    "slack": "xHOOKx6abcdefgh",
    "s3": "s3-endpoint-14",
    "upbit": "base-url+15",
    "lake": "lake-secret-18",
}
UNTOLD = {
    "eyJhbGciOiJIUzI1NiJ9.eyJhY2Nlc3Nfa2V5IjoieCJ9.c2lnbmF0dXJlMTk": "{} is no token",
    "bearer-20.abc_def~x": "Authorization: Bearer {}",
    "T0PLANTED/B0PLANTED/untold21abcdefgh": "posted to https://hooks.slack.com/services/{}",
    "dXNlcjpwYXNzMjI=": "Authorization: Basic {}",
    "url-pass-23": "mysql://someone:{}@db.example.com/x",
    "AIzaSyA-24567890abcdefghijklmnopqrstuvw": "key {} is not valid",
    "AKIA25PLANTEDABCDEFG": "who is {}?",
    "untold=26": "connect(password={})",
    "untold-27": '{{"token": "{}"}}',
    "untold-28": "{{'api_key': '{}'}}",
    "MIIEplanted29abcdefgh": "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "untold-30": '{{"headers": {{"X-Api-Key": "{}"}}}}',
}
KNOWN = [*IN_ENVIRONMENT.values(), *IN_THE_FILE.values(), *IN_ADDRESSES.values()]
SECRETS = [*KNOWN, *UNTOLD]


def alone(secret: str) -> list[str]:
    raw = secret.encode()
    words = [secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], dumps(secret)[1:-1]]
    if secret in UNTOLD:  # in base64 nobody can know it
        return words
    return [*words, b64encode(raw).decode().rstrip("="), urlsafe_b64encode(raw).decode().rstrip("=")]


def told(secret: str, turn: int) -> str:
    """Some sentence that holds it, in one of its forms."""
    form = alone(secret)[turn % len(alone(secret))] if secret in KNOWN else secret
    return UNTOLD.get(secret, "401 for {}, try again").format(form)


FORMS = {
    secret: {form for word in alone(secret) for form in (word, dumps(word)[1:-1], dumps(dumps(word))[3:-3])}
    for secret in SECRETS
}


def leaks(place: str, text: str) -> list[str]:
    """Tell which secrets stand in a text, and what stands around them."""
    found = [(secret, form) for secret, forms in FORMS.items() for form in forms if form in text]
    return [
        f"{secret} in {place}: {text[max(text.index(of) - 150, 0) : text.index(of) + 80]!r}" for secret, of in found
    ]


def leaks_in_files(folder: Path) -> list[str]:
    """In every file but the one that people keep secrets in; a Parquet file's rows and notes, too.

    What Python compiles of a strategy holds what its author wrote into it.
    """
    found = []
    for file in (
        file for file in folder.rglob("*") if file.is_file() and file.name != ".env" and file.suffix != ".pyc"
    ):
        name = str(file.relative_to(folder))
        found += leaks(name, name) + leaks(name, file.read_bytes().decode(errors="replace"))
        if file.suffix == ".parquet":
            notes = pyarrow.parquet.read_metadata(file).metadata or {}
            found += leaks(name, repr(notes)) + leaks(name, repr(pyarrow.parquet.read_table(file).to_pydict()))
    return found


def leaks_in_database(url: str) -> list[str]:
    found = []
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
                found += leaks(f"table {table}", "\n".join(_read(cell) for cell in row if cell is not None))
    assert len(tables) > 3
    return found


def commands() -> list[str]:
    """What `ps` shows of this process and all it began."""
    ours = [psutil.Process(os.getpid()), *psutil.Process(os.getpid()).children(recursive=True)]
    files = [Path(f"/proc/{of.pid}/cmdline") for of in ours]
    return [file.read_bytes().decode(errors="replace") for file in files if file.exists()]


def _read(cell: object) -> str:
    if isinstance(cell, (bytes, memoryview)):
        try:
            return zlib.decompress(cell).decode(errors="replace")
        except zlib.error:
            return bytes(cell).decode(errors="replace")
    return cell if isinstance(cell, str) else dumps(cell, default=str, ensure_ascii=False)


class Echo(BaseHTTPRequestHandler):
    """An exchange, a bucket and a Slack that refuse, telling all they were sent; Slack takes what it is posted."""

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        if self.path.startswith("/services/"):
            self.server.taken.append(body)
        said = f'{{"error": {{"name": "refused", "message": {dumps(f"{self.path} {self.headers} {body}")}}}}}'
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Echo", quote(str(self.headers)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(said.encode())

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815 - named by the library

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def echo():
    """Give a server that tells everybody what they sent it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.taken, server.status = [], 500
        server.place = f"127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@dataclasses.dataclass
class Planted:
    """A house with every secret in it, and all that it ever said."""

    house: object
    echo: object
    mail: object
    capsys: object
    monkeypatch: object
    folder: object
    said: list[str] = dataclasses.field(default_factory=list)

    def command(self, *arguments, **environ):
        """Run one that fails, or crashes; what a terminal would show is kept."""
        with self.monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["coinhts", *arguments])
            try:
                cli.main()
            except SystemExit as ended:
                assert ended.code != 0, arguments  # noqa: PT017 - what it ended with is what is asked
            except Exception:  # noqa: BLE001 - what the interpreter does
                sys.excepthook(*sys.exc_info())
            sys.stdout.flush(), sys.stderr.flush()
        self.listen(" ".join(arguments[:2]))

    def listen(self, where):
        out, err = self.capsys.readouterr()
        self.said += [f"{where}\n{out}\n{err}"]


@pytest.fixture
def place(request, open_house, echo, mail, monkeypatch):
    """Give a house whose every secret is one of the planted."""
    for name, value in IN_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    tmp_path, capsys = request.getfixturevalue("tmp_path"), request.getfixturevalue("capsys")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in IN_THE_FILE.items()), encoding="utf-8")
    (home / ".env").chmod(0o600)
    monkeypatch.setenv("SOMEBODYS_DATABASE_URL", f"postgres://someone:{IN_ADDRESSES['lake']}@db.example.com/x")
    without = EmbeddedServer.url

    def with_password(server, database):
        password, certificate_s = (quote(IN_ADDRESSES[of], safe="") for of in ("ledger", "certificate"))
        url = without(server, database).replace("postgres@", f"postgres:{password}@")
        return f"{url}&sslpassword={certificate_s}"

    monkeypatch.setattr(EmbeddedServer, "url", with_password)
    monkeypatch.setattr(upbit, "Pace", lambda: QUICK)
    settings = {
        "slack__webhook_url": f"http://{echo.place}/services/T0PLANTED1/B0PLANTED1/{IN_ADDRESSES['slack']}",
        "s3__endpoint": f"http://someone:{IN_ADDRESSES['s3']}@{echo.place}",
        "upbit__base_url": f"http://someone:{quote(IN_ADDRESSES['upbit'])}@{echo.place}",
        "smtp__host": "127.0.0.1", "smtp__port": str(mail.server_address[1]), "smtp__user": "mina",
        "smtp__to": "mina@example.com", "smtp__sender": "coinhts@example.com",
    }  # fmt: skip
    mail.login = ("mina", IN_THE_FILE["COINHTS_SMTP__PASSWORD"])
    before = logging.getLogRecordFactory(), sys.excepthook, sys.stdout, sys.stderr
    with open_house(home, **settings) as house:
        yield Planted(house, echo, mail, capsys, monkeypatch, tmp_path)
    sys.excepthook = before[1]
    logging.setLogRecordFactory(before[0])


def everything(place):
    """All that was said, sent, stored and shown."""
    settings = place.house.installation.settings
    found = [leak for text in place.said for leak in leaks("what was said", text)]
    found += [leak for text in place.echo.taken for leak in leaks("slack", text)]
    found += [leak for letter in place.mail.taken for leak in leaks("mail", str(letter) + letter.get_content())]
    found += leaks_in_files(settings.home)
    found += leaks_in_database(settings.postgres_url.get_secret_value())
    found += leaks_in_database(settings.dagster_postgres_url.get_secret_value())
    return found + [leak for command in commands() for leak in leaks("ps", command)]
