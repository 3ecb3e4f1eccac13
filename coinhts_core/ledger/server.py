"""The embedded PostgreSQL: one server for all processes of a home, gone with the last of them.

What lives here: start, adoption, recovery and stop. What to add: settings of the server, in `_SETTINGS`. What
stays out: where its files lie (`places`), its programs (`binaries`), talking to it (`connection`).

Three locks tell the whole state, whoever was killed and whenever:
    users.lock    held together by everyone who shares the server; who finds to be the last one stops it
    start.lock    held alone while looking for the server or starting it
    server.lock   held by the server's own processes, which inherit it: free means that none of them lives,
                  whatever a pid file claims. Only then are left-overs removed and is a server started.
"""

import logging
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psutil
import psycopg

from coinhts_core.errors import HomeUnusableError, LedgerStartError
from coinhts_core.ledger.binaries import for_account
from coinhts_core.ledger.cluster import ENVIRONMENT, ensure_cluster, last_words, postmaster
from coinhts_core.ledger.locks import alone, if_free, is_last, together
from coinhts_core.ledger.places import SHARED_FOLDER, Place, place_of

_PATIENCE_S = 60.0
_PAUSE_S = 0.02
_PORT = "5432"
_log = logging.getLogger("coinhts.ledger")
# Given at every start, so that neither an old data directory nor ALTER SYSTEM can weaken them.
_SETTINGS = {
    "listen_addresses": "",
    "port": _PORT,
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "coinhts",
    # One file a weekday, begun anew a week later, and no statements in it: they may hold what is private.
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgres-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_min_error_statement": "panic",
}


class EmbeddedServer:
    """The running server of a home, while one shares it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.data_directory = place.data_directory
        self.socket_directory = place.socket_directory
        self.log = place.log

    @classmethod
    @contextmanager
    def share(cls, home: Path) -> Iterator[Self]:
        """Start the home's server or join it; the last to leave stops it."""
        server = cls(place_of(home))
        with ExitStack() as stack:
            try:
                stack.enter_context(server._joined())
            except OSError as error:
                reason = f"{error.strerror}: {error.filename}"
                raise HomeUnusableError(home=home, reason=reason) from error
            yield server

    def url(self, database: str) -> str:
        directory = quote(str(self.socket_directory))
        return f"postgresql://postgres@/{quote(database, safe='')}?host={directory}&port={_PORT}"

    @contextmanager
    def _joined(self) -> Iterator[None]:
        files = self._place.files
        with together(files / "users.lock") as users:
            try:
                with alone(files / "start.lock"):
                    self._ensure_running()
                yield
            finally:
                if is_last(users):
                    self._stop()

    def _ensure_running(self) -> None:
        self._place.private_directory(self.socket_directory)
        deadline = time.monotonic() + _PATIENCE_S
        is_launched = False
        while time.monotonic() < deadline:
            with if_free(self._lock_file) as lock:
                if lock is not None:
                    if is_launched:
                        raise LedgerStartError(reason=last_words(self._place), log=self.log)
                    self._launch(lock)
                    is_launched = True
            if self._answers():
                return
            time.sleep(_PAUSE_S)
        raise LedgerStartError(reason=f"it did not answer within {_PATIENCE_S:.0f} s", log=self.log)

    @property
    def _lock_file(self) -> Path:
        return self._place.files / "server.lock"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _launch(self, lock: int) -> None:
        _log.info("PostgreSQL is started", extra={"facts": {"files": str(self.data_directory)}})
        self._clear_left_overs()
        binaries = for_account(self._place.account, SHARED_FOLDER)
        ensure_cluster(self._place, binaries, lock)
        self._place.private_directory(self.log)
        settings = _SETTINGS | {"unix_socket_directories": str(self.socket_directory)}
        command = [str(binaries.path("postgres")), "-D", str(self.data_directory)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._place.files / "start.log").open("wb") as output:
            # Through a shell that leaves at once: the server is nobody's child, and Ctrl-C does not reach it.
            subprocess.run(  # noqa: S603 our own program, and the shell sees its words only as parameters
                ["/bin/sh", "-c", '"$@" &', "sh", *command],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock],
                start_new_session=True,
                cwd="/",
                env=ENVIRONMENT,
                **self._place.account.to_run_as(),
            )

    def _clear_left_overs(self) -> None:
        """Remove what a killed server left, and stop one whose files were removed with its home."""
        socket = self.socket_directory / f".s.PGSQL.{_PORT}"
        for note in (self.data_directory / "postmaster.pid", socket.with_name(f"{socket.name}.lock")):
            stray = postmaster(note, self.data_directory)
            if stray is not None:
                _log.warning("a PostgreSQL left behind is stopped", extra={"facts": {"pid": stray.pid}})
                stray.send_signal(signal.SIGINT)
                stray.wait(_PATIENCE_S)
            note.unlink(missing_ok=True)
        socket.unlink(missing_ok=True)

    def _stop(self) -> None:
        for demand in (
            signal.SIGINT,
            signal.SIGQUIT,
        ):  # in order, then at any price: the journal recovers that
            process = postmaster(self.data_directory / "postmaster.pid", self.data_directory)
            if process is not None:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(demand)
            if self._is_gone_soon():
                shutil.rmtree(self.socket_directory, ignore_errors=True)
                return

    def _is_gone_soon(self) -> bool:
        deadline = time.monotonic() + _PATIENCE_S / 2
        while time.monotonic() < deadline:
            with if_free(self._lock_file) as lock:
                if lock is not None:
                    return True
            time.sleep(_PAUSE_S)
        return False
