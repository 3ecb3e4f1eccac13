"""coinhts up: the processes that make a house lived in, kept alive and stopped together.

What lives here: starting, watching, restarting and stopping them. What stays out: what they serve.

Each child leads a process group of its own, so that Ctrl-C in a terminal reaches only this process, which then stops
the others in order. Their names are noted in a file: a house whose supervisor was killed is swept by the next one.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from ipaddress import ip_address
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from coinhts_core.clock import now
from coinhts_core.errors import AlreadyUpError, BadSettingError, PortTakenError
from coinhts_core.settings import Settings, usable_home
from coinhts_pipeline import screen
from coinhts_pipeline.backfill import behind
from coinhts_pipeline.claims import fail_abandoned_runs
from coinhts_pipeline.installation import Installation, open_installation
from coinhts_pipeline.resources import claims_folder

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SWEEP_S = 10.0
_TICK_S = 0.5
_PATIENCE_S = 4.0
_LONGEST_PAUSE_S = 30.0
Document = Callable[[dict[str, object]], None]


class Child:
    """One supervised process: started once what it needs is there; again, after a growing pause, when it dies."""

    def __init__(self, command: list[str], log: Path, needs: Path | None = None) -> None:
        self._command = command
        self._log = log
        self._needs = needs
        self._pause = 1.0
        self._not_before = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def keep_alive(self) -> bool:
        """True when it had to be started."""
        if self._process and self._process.poll() is None:
            return False
        if time.monotonic() < self._not_before or (self._needs and not self._needs.exists()):
            return False
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._not_before = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)
        return True

    def family(self) -> list[psutil.Process]:
        return _family(self.pid) if self.pid else []

    def restart(self) -> None:
        _stop(self.family())
        self._not_before, self._pause = 0.0, 1.0


def keep_up(settings: Settings, document: Document | None) -> None:
    """Everything up until a signal says stop; then everything down, within ten seconds."""
    for wanted in _STOP_SIGNALS:
        signal.signal(wanted, _stop_asked)
    with suppress(_StopAskedError), ExitStack() as stack:
        _judge_host(settings)
        stack.enter_context(_only_one(usable_home(settings)))
        _sweep_left_overs(settings.home)
        _judge_port(settings)
        installation = stack.enter_context(open_installation(settings))
        sockets = Path(mkdtemp(prefix="coinhts-"))
        stack.callback(rmtree, sockets, ignore_errors=True)
        children = _children(settings, sockets)
        stack.callback(_all_down, children, installation)
        _live(installation, children, document)


class _StopAskedError(BaseException):
    """Raised in the main thread by a signal, from wherever it is."""


def _stop_asked(number: int, frame: object) -> None:
    del number, frame
    for further in _STOP_SIGNALS:
        signal.signal(further, lambda *_: None)
    raise _StopAskedError


def _live(installation: Installation, children: list[Child], document: Document | None) -> None:
    settings = installation.settings
    url = f"http://{settings.web.host}:{settings.web.port}"
    code = children[0]
    seen, announced, swept = _strategies(settings), False, 0.0
    while True:
        started = [child for child in children if child.keep_alive()]
        if started:
            _note_family(settings.home, children)
        if time.monotonic() - swept > _SWEEP_S:
            fail_abandoned_runs(installation.instance, claims_folder(settings), now())
            swept = time.monotonic()
        if (present := _strategies(settings)) != seen:
            screen.note("a strategy changed; the code location starts again")
            seen = present
            code.restart()
        if not announced and _answers(url):
            announced = True
            _announce(installation, url, document)
        time.sleep(_TICK_S)


def _announce(installation: Installation, url: str, document: Document | None) -> None:
    words = behind(installation)
    if document:
        document({"url": url, "home": str(installation.settings.home), "days": words})
        sys.stdout.flush()
        return
    screen.say(f"coinhts is up: [bold]{url}[/bold] (Ctrl-C stops it; logs in {installation.settings.home / 'logs'})")
    screen.say(words)


def _children(settings: Settings, sockets: Path) -> list[Child]:
    """Code location, then daemon and webserver, which find it through a socket in a private directory."""
    workspace, code = sockets / "workspace.yaml", sockets / "code"
    workspace.write_text(
        json.dumps({"load_from": [{"grpc_server": {"socket": str(code), "location_name": "coinhts"}}]})
    )
    logs = settings.home / "logs"
    logs.mkdir(exist_ok=True)
    python = [sys.executable, "-m"]
    serve = ["dagster", "api", "grpc", "--socket", str(code), "--module-name", "coinhts_pipeline.definitions"]
    web = ["dagster_webserver", "-h", settings.web.host, "-p", str(settings.web.port), "-w", str(workspace)]
    return [
        Child([*python, *serve, "--location-name", "coinhts"], logs / "code.log"),
        Child([*python, "dagster._daemon", "run", "-w", str(workspace)], logs / "daemon.log", code),
        Child([*python, *web], logs / "web.log", code),
    ]


def _all_down(children: list[Child], installation: Installation) -> None:
    """Web and daemon first, so that nothing new begins; then the code location with its runs."""
    code, *others = children
    _stop([process for child in others for process in child.family()])
    _stop(code.family())
    fail_abandoned_runs(installation.instance, claims_folder(installation.settings), now())
    (installation.settings.home / "up.json").unlink(missing_ok=True)


def _stop(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=_PATIENCE_S / 2)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_PATIENCE_S / 2)


def _family(pid: int) -> list[psutil.Process]:
    try:
        head = psutil.Process(pid)
        return [*head.children(recursive=True), head]
    except psutil.NoSuchProcess:
        return []


def _note_family(home: Path, children: list[Child]) -> None:
    """Process ids are used again by others, so each is noted with the moment it began."""
    heads = [of for child in children for of in child.family()]
    (home / "up.json").write_text(json.dumps([[of.pid, of.create_time()] for of in heads]))


def _sweep_left_overs(home: Path) -> None:
    """What a killed supervisor left running would keep the port, and run schedules a second time."""
    with suppress(FileNotFoundError, ValueError):
        for pid, begun in json.loads((home / "up.json").read_text()):
            if any(of.pid == pid and of.create_time() == begun for of in _family(pid)):
                _stop(_family(pid))


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    with (home / "up.lock").open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise AlreadyUpError(home=home, pid=lock.read().strip() or "unknown") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _judge_host(settings: Settings) -> None:
    host = settings.web.host
    with suppress(ValueError):
        if not ip_address(host).is_loopback:
            raise BadSettingError(name="COINHTS_WEB__HOST", value=host, reason="without a login only loopback is bound")


def _judge_port(settings: Settings) -> None:
    host, port = settings.web.host, settings.web.port
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise PortTakenError(host=host, port=port) from error


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/server_info", timeout=1) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except (URLError, OSError):
        return False


def _strategies(settings: Settings) -> list[tuple[str, float]]:
    return sorted((file.name, file.stat().st_mtime) for file in settings.strategies_folder.glob("*.py"))
