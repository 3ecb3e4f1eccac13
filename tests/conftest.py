"""What every test may ask for: a clean environment, a real PostgreSQL, a fresh ledger, others sharing one, a bucket."""

import gc
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from hypothesis import settings

from coinhts_core.ledger import places, server
from coinhts_core.ledger.connection import Ledger, ensure_database
from coinhts_core.ledger.locks import if_free
from coinhts_core.ledger.migrate import migrate
from coinhts_core.ledger.server import EmbeddedServer

# A first call compiles, so no example has a deadline; where nobody watches, every run tries the same examples.
settings.register_profile("coinhts", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("coinhts")

# Of a server that ends with its session: few files, and none of them written through.
_PASSING = {"fsync": "off", "full_page_writes": "off", "min_wal_size": "32MB", "max_wal_size": "128MB"}
_PREFIX = "coinhts-tests-"
_IS_SERVERS = re.compile("[0-9a-f]{16}")
_MEMORY, _ROOM = Path("/dev/shm"), 3 * 2**30  # noqa: S108 - with a name that nobody guesses
_TEMPORARY = Path("/tmp")  # noqa: S108 - not the environment's: a socket's name may not be long

_SHARER = """
import os, sys
from pathlib import Path
from coinhts_core.ledger.server import EmbeddedServer

home, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid != os.geteuid():  # only now: another user might not be able to read the code
    os.setgroups([]), os.setgid(uid), os.setuid(uid)
with EmbeddedServer.share(home) as server:
    print(server.url("postgres"), server.data_directory, sep="\\n", flush=True)
    sys.stdin.readline()
"""

_S3_SERVER = """
import os, sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.readline()  # ends when nobody is left to write a line
os._exit(0)
"""

# Without any, moto takes the request for the public's; it looks no closer.
_KEYS_OF_NOBODY = (
    "AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)


@pytest.fixture(autouse=True)
def _logs_of_no_other_test() -> Iterator[None]:
    """Whatever a command or a process sets up of logs ends with the test that ran it."""
    loggers = [logging.getLogger(name) for name in ("coinhts", "dagster", "dagster-webserver")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    root = logging.getLogger()
    for handler in [of for of in root.handlers if type(of).__module__ == "coinhts_core.logs"]:
        root.removeHandler(handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: to look for rubbish in it again and again takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


_LONGEST_FIRST = (
    "tests/test_operations.py",
    "tests/pipeline/test_up.py",
    "tests/pipeline/test_backfill.py",
    "tests/ui/",
    "tests/faults/",
    "tests/core/exchanges/",
    "tests/pipeline/",
    "tests/core/backups/",
    "tests/core/lake/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest begin, and rooms of such, so that no worker is left alone with one of them at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((at for at, room in enumerate(_LONGEST_FIRST) if item.nodeid.startswith(room)), len(_LONGEST_FIRST))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("COINHTS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """One embedded server for the whole session, which need not outlive it: it waits for no disk."""
    with ExitStack() as stack:
        folder = stack.enter_context(_passing_folder())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "SHARED_FOLDER", folder / "servers")
            for name, value in _PASSING.items():
                patch.setitem(server._SETTINGS, name, value)
            sharing = stack.enter_context(EmbeddedServer.share(folder / "home"))
        yield sharing


@contextmanager
def _passing_folder() -> Iterator[Path]:
    """A folder in memory where there is room for it, else among temporary files; what killed sessions left goes."""
    parent = _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM else _TEMPORARY
    for left in parent.glob(f"{_PREFIX}*-*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"{_PREFIX}{os.getpid()}-{token_hex(4)}"
    folder.mkdir(mode=0o711)  # root's server is another account's
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _template(postgres) -> str:
    url = postgres.url("template_of_ledgers")
    ensure_database(url)
    with Ledger.open(url) as ledger:
        migrate(ledger)
    return "template_of_ledgers"


@pytest.fixture
def empty_ledger(postgres) -> Iterator[Ledger]:
    """Give a database without a single table."""
    yield from _ledger_like(postgres, "template1")


@pytest.fixture
def ledger(postgres, _template) -> Iterator[Ledger]:
    """Give a fresh ledger at today's migration."""
    yield from _ledger_like(postgres, _template)


def _ledger_like(postgres: EmbeddedServer, template: str) -> Iterator[Ledger]:
    name = f"test_{token_hex(8)}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode())
        with Ledger.open(postgres.url(name)) as ledger:
            yield ledger
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def server_home(tmp_path) -> Iterator[Path]:
    """Give a home; its server, if any is left, is stopped at the end, and its files are removed."""
    yield tmp_path / "home"
    for files in _files_of_servers_below(tmp_path):
        with if_free(files / "server.lock") as lock:
            is_running = lock is None
        if is_running:
            with EmbeddedServer.share(tmp_path / "home"):
                pass  # the last one out stops what was left
        shutil.rmtree(files)


@pytest.fixture
def share_elsewhere() -> Iterator[Callable[..., "Sharer"]]:
    """Begin processes of their own that share a home's server until they are told to leave, or killed."""
    with ExitStack() as stack:

        def begin(home: Path, uid: int = os.geteuid()) -> Sharer:
            sharer = Sharer(home, uid)
            stack.callback(sharer.kill)
            return sharer

        yield begin


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[str]:
    """One server that speaks S3 for the whole session, in a process of its own; tell its address."""
    command = [sys.executable, "-c", _S3_SERVER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture
def s3(_s3_server, monkeypatch) -> "Bucket":
    """Give a fresh bucket, and keys in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, f"canary-{name}")
    bucket = Bucket(_s3_server, f"lake-{token_hex(8)}")
    assert bucket.ask("PUT")[0] == 200
    return bucket


@dataclass(frozen=True)
class Bucket:
    """A bucket as its server has it, asked without any of our code."""

    endpoint: str
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/prefix"

    def ask(self, method: str, key: str = "", body: bytes = b"") -> tuple[int, bytes]:
        connection = HTTPConnection(urlsplit(self.endpoint).netloc)
        connection.request(method, f"/{self.name}/{key}", body, {"Authorization": _KEYS_OF_NOBODY})
        answer = connection.getresponse()
        return answer.status, answer.read()


class Sharer:
    """A process that shares the server of a home."""

    def __init__(self, home: Path, uid: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SHARER, str(home), str(uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def arrive(self) -> "Sharer":
        self.url = self.process.stdout.readline().strip()
        self.data_directory = Path(self.process.stdout.readline().strip())
        assert self.url, self.process.stderr.read()
        return self

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def _files_of_servers_below(folder: Path) -> list[Path]:
    """List also root's, which lie elsewhere: of the places that notes name, only such as are a server's."""
    named = [Path(note.read_text().strip()) for note in folder.rglob("postgres.path")]
    of_root = [files for files in named if files.parent == places.SHARED_FOLDER and _IS_SERVERS.fullmatch(files.name)]
    return [files for files in (*folder.rglob("postgres"), *of_root) if files.is_dir()]
