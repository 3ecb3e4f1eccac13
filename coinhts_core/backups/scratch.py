"""A place to restore into that nobody needs: a home, a server of PostgreSQL and a lake, gone when one is done.

What lives here: making it and clearing it away, also after whoever was killed. What stays out: what is done in it
(`drill`).
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from pydantic import SecretStr

from coinhts_core.errors import HomeUnusableError, RefusedError
from coinhts_core.ledger.connection import ensure_database
from coinhts_core.ledger.locks import if_free
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import Settings, usable_home

_DATABASES = {"postgres_url": "coinhts", "dagster_postgres_url": "coinhts_dagster"}
_BESIDE = 64 * 2**20  # what an empty server takes


@contextmanager
def scratch(settings: Settings, needed: int) -> Iterator[Settings]:
    """Empty databases and an empty lake below the home, by the settings that lead there; `needed` is in bytes."""
    folder = usable_home(settings) / "drills"
    home = _made(folder, needed)
    try:
        with EmbeddedServer.share(home) as server:
            urls = {name: server.url(database) for name, database in _DATABASES.items()}
            for url in urls.values():
                ensure_database(url)
            secret = {name: SecretStr(url) for name, url in urls.items()}
            yield settings.model_copy(update={"home": home, "lake": None, "backups": None, **secret})
    finally:
        _clear(home)


def _made(folder: Path, needed: int) -> Path:
    try:
        folder.mkdir(mode=0o711, exist_ok=True)
        for left in folder.iterdir():
            _clear(left)
        free = shutil.disk_usage(folder).free
        if free < needed + _BESIDE:
            reason = f"a drill needs {(needed + _BESIDE) >> 20} MB in {folder}, and {free >> 20} are free"
            raise RefusedError(reason=reason)
        return Path(mkdtemp(prefix="drill-", dir=folder))
    except OSError as error:
        raise HomeUnusableError(home=folder, reason=error.strerror or str(error)) from error


def _clear(home: Path) -> None:
    """Unless a server lives in it: then somebody is at work there."""
    with suppress(OSError):
        files = place_of(home).files
        with if_free(files / "server.lock") as lock:
            if lock is None:
                return
        shutil.rmtree(files, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
