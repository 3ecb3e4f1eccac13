"""The home: can it be written, is there room, is there a day to collect, is its port free.

What lives here: what can be told from files and ports alone. What stays out: its strategies (`strategies`), places
elsewhere (`places`).
"""

import os
import shutil
import socket
from collections.abc import Iterator
from errno import EADDRINUSE
from pathlib import Path

from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.errors import PortTakenError
from coinhts_core.ledger.locks import if_free
from coinhts_core.ops.health import Room, disk
from coinhts_core.settings import Settings, usable_home
from coinhts_pipeline.front import address
from coinhts_pipeline.health.diagnosis import Finding, State, Trouble, diagnosed, said


def findings(settings: Settings) -> Iterator[Finding]:
    yield diagnosed("home", lambda: str(usable_home(settings)), "set COINHTS_HOME to a directory you may write to")
    yield diagnosed("disk", lambda: said(disk(rooms(settings))), "make room, or set COINHTS_HOME to a larger disk")
    yield diagnosed("start", lambda: _start(settings), "mend COINHTS_START_DATE")
    yield diagnosed("port", lambda: _port(settings), "set COINHTS_WEB__HOST and COINHTS_WEB__PORT")


def is_up(settings: Settings) -> bool:
    """Whether some `coinhts up` holds this home."""
    lock = settings.home / "up.lock"
    if not lock.exists():
        return False
    with if_free(lock) as free:
        return free is None


def rooms(settings: Settings) -> list[Room]:
    """What is free on each disk: files of the home may lie on several, and Postgres' own on another."""
    named = [Path(settings.lake_url)] if "://" not in settings.lake_url else []
    of_root = settings.home / "postgres.path"
    data = [Path(of_root.read_text(encoding="utf-8").strip())] if of_root.exists() else []
    return [_room(place) for place in dict.fromkeys(map(_nearest_folder, [settings.home, *named, *data]))]


def _room(place: Path) -> Room:
    table = os.statvfs(place)
    return Room(str(place), shutil.disk_usage(place).free, table.f_favail if table.f_files else None)


def _nearest_folder(place: Path) -> Path:
    return next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.is_dir())


def _start(settings: Settings) -> str | Trouble:
    last = last_complete_day(now())
    if settings.start_date > last:
        what = f"COINHTS_START_DATE is {settings.start_date}, and the last complete day is {last}: there is no day yet"
        return Trouble(what, "set an earlier one")
    return f"{settings.start_date}, {(last - settings.start_date).days + 1} days up to {last}"


def _port(settings: Settings) -> str | Trouble:
    address.judge(settings.web)
    host, port = settings.web.host, settings.web.port
    if is_up(settings):
        return f"coinhts is up on {host}:{port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family):
            return f"{host}:{port} is free"
    except OSError as error:
        if error.errno == EADDRINUSE:
            raise PortTakenError(host=host, port=port) from error
        what = f"nobody can listen on {host}:{port} ({error.strerror})"
        return Trouble(what, "set COINHTS_WEB__HOST to 127.0.0.1 and COINHTS_WEB__PORT to 3000", State.FAILED)
