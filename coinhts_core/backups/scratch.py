"""A place to restore into that nobody needs: a home, a server of PostgreSQL and a lake.

What lives here: making it and clearing it away, also after whoever was killed. What stays out: what is done in it
(`drill`).

The home and the lake are gone when one is done. The server's files stay for the next drill, with empty databases: to
make them takes longer than many a drill. Whoever drills meanwhile has a server of his own.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import psycopg
from psycopg import sql
from pydantic import SecretStr

from coinhts_core.errors import CoinhtsError, HomeUnusableError, LedgerStartError, RefusedError
from coinhts_core.ledger.connection import connect, ensure_database
from coinhts_core.ledger.locks import if_free
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.queries import load_queries
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import Settings, usable_home

_DATABASES = {"postgres_url": "coinhts", "dagster_postgres_url": "coinhts_dagster"}
_BESIDE = 64 * 2**20  # what an empty server takes
_KEPT = "server"
_DROP = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
_WORN = 32 * 2**20  # what an empty database has grown to when it is made anew


@contextmanager
def scratch(settings: Settings, needed: int) -> Iterator[Settings]:
    """Empty databases and an empty lake below the home, by the settings that lead there; `needed` is in bytes."""
    folder = usable_home(settings) / "drills"
    home = _made(folder, needed)
    try:
        with _databases(folder, home) as urls:
            secret = {name: SecretStr(url) for name, url in urls.items()}
            yield settings.model_copy(update={"home": home, "lake": None, "backups": None, **secret})
    finally:
        _clear(home)


def _made(folder: Path, needed: int) -> Path:
    try:
        folder.mkdir(mode=0o711, exist_ok=True)
        for left in folder.glob("drill-*"):
            _clear(left)
        free = shutil.disk_usage(folder).free
        if free < needed + _BESIDE:
            reason = f"a drill needs {(needed + _BESIDE) >> 20} MB in {folder}, and {free >> 20} are free"
            raise RefusedError(reason=reason)
        return Path(mkdtemp(prefix="drill-", dir=folder))
    except OSError as error:
        raise HomeUnusableError(home=folder, reason=error.strerror or str(error)) from error


@contextmanager
def _databases(folder: Path, home: Path) -> Iterator[dict[str, str]]:
    """Where they are; what a killed drill left in them is gone before, what this one leaves is gone afterwards."""
    with ExitStack() as stack:
        is_kept = stack.enter_context(if_free(folder / f"{_KEPT}.lock")) is not None
        server = _joined(stack, folder / _KEPT if is_kept else home)
        urls = {name: server.url(database) for name, database in _DATABASES.items()}
        for url in urls.values():
            ensure_database(url)
            _empty(server, url)
        try:
            yield urls
        finally:
            with suppress(CoinhtsError, psycopg.Error):  # the next one begins with it
                for url in urls.values() if is_kept else ():
                    _empty(server, url)


def _joined(stack: ExitStack, home: Path) -> EmbeddedServer:
    """One that cannot be started, as by another version of PostgreSQL, is nobody's loss."""
    try:
        return stack.enter_context(EmbeddedServer.share(home))
    except LedgerStartError:
        _clear(home)
        return stack.enter_context(EmbeddedServer.share(home))


def _empty(server: EmbeddedServer, url: str) -> None:
    """Emptied, which is quicker than made anew; and anew when catalogs have grown, for nobody else tidies them."""
    statements = load_queries("drills")
    with connect(url) as connection:
        connection.execute(statements["empty_database"])
        (size,) = connection.execute(statements["measure_database"]).fetchone() or (0,)
        anew = _DROP.format(sql.Identifier(connection.info.dbname))
    if size > _WORN:
        with connect(server.url("postgres")) as connection:
            connection.execute(anew)
        ensure_database(url)


def _clear(home: Path) -> None:
    """Unless a server lives in it: then somebody is at work there."""
    with suppress(OSError):
        files = place_of(home).files
        with if_free(files / "server.lock") as lock:
            if lock is None:
                return
        shutil.rmtree(files, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
