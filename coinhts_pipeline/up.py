"""coinhts up: the processes that make a house lived in, kept alive and stopped together.

What lives here: starting, watching, restarting and stopping them. What stays out: what they serve.

Each child leads a session of its own, so that Ctrl-C in a terminal reaches only this process, which then stops the
others in order, and whoever is left of a session can be found when its head is gone. They are asked to stop when this
process dies; their names are noted in a file, so that the next one sweeps what is left all the same.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Thread

import psutil
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import SQLAlchemyError

from coinhts_core.alerts.heartbeat import DeadMan
from coinhts_core.clock import now
from coinhts_core.errors import PortTakenError, RetryableError
from coinhts_core.exchanges import open_exchange
from coinhts_core.ledger.cluster import postmaster
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import Settings, usable_home
from coinhts_pipeline import screen, tied
from coinhts_pipeline.backfill import behind
from coinhts_pipeline.claims import fail_abandoned_runs
from coinhts_pipeline.front import address
from coinhts_pipeline.installation import Installation, open_installation
from coinhts_pipeline.only_one import only_one
from coinhts_pipeline.orderly import await_ledger, await_runs, dismiss_answering, settle_requests
from coinhts_pipeline.resources import claims_folder
from coinhts_pipeline.rotation import rotate
from coinhts_pipeline.schema import judge

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SWEEP_S = 10.0
_TICK_S = 0.5
_PATIENCE_S = 4.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 10.0
_LONG_AGO = float("-inf")
_SOCKETS = "coinhts-up-"
_AWAY = (RetryableError, SQLAlchemyError, DagsterPostgresException)
_log = logging.getLogger("coinhts.up")
Document = Callable[[dict[str, object]], None]


class Child:
    """One supervised process: started once what it needs is there; again, after a growing pause, when it dies."""

    def __init__(self, command: list[str], log: Path, needs: Path | None = None) -> None:
        self._command = command
        self._log = log
        self._needs = needs
        self._pause = _FIRST_PAUSE_S
        self._begun = self._not_before = _LONG_AGO
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def keep_alive(self) -> bool:
        """True when it had to be started."""
        if self._process and self._process.poll() is None:
            with suppress(OSError):  # without room on the disk it grows on, and is carried away later
                rotate(self._log)
            return False
        if self._process:
            _stop(_left_of(self._process.pid))
            self._process = None
        if time.monotonic() < self._not_before or (self._needs and not _listens(self._needs)):
            return False
        command = [sys.executable, "-IS", str(tied.__file__), str(os.getpid()), *self._command]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        begun = time.monotonic()
        lived_long = begun - self._begun > _LONGEST_PAUSE_S * 2
        self._pause = _FIRST_PAUSE_S if lived_long else min(self._pause * 2, _LONGEST_PAUSE_S)
        self._begun, self._not_before = begun, begun + self._pause
        return True

    def family(self) -> list[psutil.Process]:
        return _family(self.pid) if self.pid else []

    def restart(self) -> None:
        _stop(self.family())
        self._begun = self._not_before = _LONG_AGO


class Postgres:
    """The home's own server: nobody's child, and brought back by whoever shares it. Others' are left to others."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._data = None if settings.postgres_url else place_of(settings.home).data_directory

    def keep_alive(self) -> bool:
        """True when it had to be started."""
        if self._data is None or postmaster(self._data / "postmaster.pid", self._data):
            return False
        try:
            with EmbeddedServer.share(self._home):
                return True
        except RetryableError as error:
            _log.warning("PostgreSQL does not start: %s", error)
            return False


def keep_up(settings: Settings, document: Document | None) -> None:
    """Everything up until a signal says stop; then everything down, within ten seconds."""
    for wanted in _STOP_SIGNALS:
        signal.signal(wanted, _stop_asked)
    with suppress(_StopAskedError), ExitStack() as stack:
        address.judge(settings.web)
        stack.enter_context(only_one(usable_home(settings)))
        _sweep_left_overs(settings.home)
        _judge_port(settings)
        open_exchange(settings.exchange, settings).close()  # a name that is none is refused before anything begins
        await_ledger(settings)
        installation = stack.enter_context(open_installation(settings))
        judge(installation.rooms.ledger)
        sockets = Path(mkdtemp(prefix=_SOCKETS))
        stack.callback(rmtree, sockets, ignore_errors=True)
        children = _children(settings, sockets)
        stack.callback(_all_down, children, installation)
        _live(installation, Postgres(settings), children, sockets, document)


class _StopAskedError(BaseException):
    """Raised in the main thread by a signal, from wherever it is."""


def _stop_asked(number: int, frame: object) -> None:
    del number, frame
    for further in _STOP_SIGNALS:
        signal.signal(further, lambda *_: None)
    raise _StopAskedError


def _live(
    installation: Installation, postgres: Postgres, children: list[Child], sockets: Path, document: Document | None
) -> None:
    settings, code = installation.settings, children[0]
    seen, announced, swept = _strategies(settings), False, 0.0
    dead_man = DeadMan(installation.rooms.ledger, settings, now())
    while True:
        if postgres.keep_alive():
            _log.warning("PostgreSQL was gone and is started again")
        started = [child for child in children if child.keep_alive()]
        if started:
            _note(settings.home, children, sockets)
        if time.monotonic() - swept > _SWEEP_S:
            _fail_abandoned(installation)
            dead_man.look(now())
            swept = time.monotonic()
        if (present := _strategies(settings)) != seen:
            screen.note("a strategy changed; the code location starts again")
            seen = present
            code.restart()
        if not announced and _listens(sockets / "ui") and _answers(settings):
            announced = True
            _log.info("the code location, the UI and the front answer")
            # Counting days takes seconds, in which somebody may die.
            Thread(target=_announce, args=(installation, document), daemon=True).start()
        time.sleep(_TICK_S)


def _fail_abandoned(installation: Installation) -> None:
    """The next sweep finds the same runs."""
    claims = claims_folder(installation.settings)
    _unless_away(lambda: fail_abandoned_runs(installation.instance, claims, now()), installation)


def _unless_away(look: Callable[[], object], installation: Installation) -> None:
    """A ledger that is away for a while takes nobody else down."""
    try:
        installation.rooms.ledger.answer()  # Dagster's storage would wait half a minute for a server that is gone
        look()
    except _AWAY as error:
        _log.warning("runs cannot be looked after just now: %s", _line(error))


def _told(what: str, names: list[str]) -> None:
    if names:
        _log.warning("%s: %s", what, ", ".join(names))


def _announce(installation: Installation, document: Document | None) -> None:
    settings, words = installation.settings, _behind(installation)
    url, asks = address.url(settings.web), settings.web.password is not None
    if document:
        document({"url": url, "home": str(settings.home), "days": words, "login": asks})
        sys.stdout.flush()
        return
    screen.say(f"coinhts is up: [bold]{url}[/bold] (Ctrl-C stops it; logs in {settings.home / 'logs'})")
    if not asks:
        screen.say("no login is asked, and only this machine is served; COINHTS_WEB__PASSWORD changes that")
    screen.say(words)


def _behind(installation: Installation) -> str:
    try:
        return behind(installation)
    except _AWAY as error:
        return f"what is behind cannot be told just now: {_line(error)}"


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _children(settings: Settings, sockets: Path) -> list[Child]:
    """Code location, then daemon and UI, which find it through a socket in a private directory, as the front the UI."""
    workspace, code, ui = sockets / "workspace.yaml", sockets / "code", sockets / "ui"
    workspace.write_text(
        json.dumps({"load_from": [{"grpc_server": {"socket": str(code), "location_name": "coinhts"}}]})
    )
    logs = settings.home / "logs"
    logs.mkdir(exist_ok=True)
    python = [sys.executable, "-m"]
    serve = ["coinhts_pipeline.code", "api", "grpc", "--socket", str(code), "--location-name", "coinhts"]
    return [
        Child([*python, *serve, "--module-name", "coinhts_pipeline.definitions"], logs / "code.log"),
        Child([*python, "coinhts_pipeline.daemon", "run", "-w", str(workspace)], logs / "daemon.log", code),
        Child([*python, "coinhts_pipeline.front.ui", str(ui), str(workspace)], logs / "ui.log", code),
        Child([*python, "coinhts_pipeline.front.serve", str(ui)], logs / "front.log"),
    ]


def _all_down(children: list[Child], installation: Installation) -> None:
    """Front, UI and daemon first, so that nothing new begins; then the code location with its runs, in a group each."""
    code, *others = children
    _stop([process for child in reversed(others) for process in child.family()], _PATIENCE_S / 4)
    instance = installation.instance
    _unless_away(lambda: dismiss_answering(instance), installation)
    _unless_away(lambda: _told("runs did not finish, and end as failed", await_runs(instance)), installation)
    _stop(code.family())
    _fail_abandoned(installation)
    _unless_away(lambda: _told("requests wait again", settle_requests(installation, now())), installation)
    (installation.settings.home / "up.json").unlink(missing_ok=True)


def _stop(processes: list[psutil.Process], patience_s: float = _PATIENCE_S / 2) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=patience_s)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_PATIENCE_S / 2)


def _family(head: int) -> list[psutil.Process]:
    """Everybody of its session, itself last."""
    members = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(pid) == head:
                members.append(psutil.Process(pid))
    return sorted(members, key=lambda of: of.pid == head)


def _left_of(head: int, begun: float | None = None) -> list[psutil.Process]:
    """Of a session whose head is gone, or began then; another's, who has its number now, is left alone."""
    family = _family(head)
    heads = [of for of in family if of.pid == head]
    return family if all(of.create_time() == begun for of in heads) else []


def _note(home: Path, children: list[Child], sockets: Path) -> None:
    """Process ids are used again by others, so each is noted with the moment it began."""
    heads = [[of.pid, of.create_time()] for child in children for of in child.family() if of.pid == child.pid]
    draft = home / "up.draft"
    try:
        draft.write_text(json.dumps({"sockets": str(sockets), "heads": heads}))
        draft.replace(home / "up.json")
    except OSError as error:
        _log.warning("who was started cannot be noted: %s", error)


def _sweep_left_overs(home: Path) -> None:
    """What a killed supervisor left running would keep the port, and run schedules a second time."""
    try:
        noted = json.loads((home / "up.json").read_text())
        _stop([of for pid, begun in noted["heads"] for of in _left_of(pid, begun)])
        if Path(noted["sockets"]).name.startswith(_SOCKETS):
            rmtree(noted["sockets"], ignore_errors=True)
    except FileNotFoundError:
        return
    except (ValueError, TypeError, KeyError) as error:
        _log.warning("up.json cannot be read, so what an earlier up left running is not known: %s", error)


def _judge_port(settings: Settings) -> None:
    host, port = settings.web.host, settings.web.port
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    try:
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        raise PortTakenError(host=host, port=port) from error


def _listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(place)) == 0


def _answers(settings: Settings) -> bool:
    connection = HTTPConnection(address.reachable(settings.web), settings.web.port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _strategies(settings: Settings) -> list[tuple[str, float]]:
    files = [*settings.strategies_folder.glob("*.py"), *settings.home.glob(settings.lineup_file.name)]
    return sorted((file.name, file.stat().st_mtime) for file in files)
