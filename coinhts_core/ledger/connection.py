"""The ledger, from any room: short transactions on pooled connections, and its failures in our words.

What lives here: the pool, and databases made when they are absent. What to add: nothing; statements live in
`queries`. What stays out: starting a server (`server`), the schema (`migrate`).
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from coinhts_core.errors import LedgerBusyError, LedgerUnreachableError, RefusedRowError, RetryableError

_PATIENCE_S = 2.0
_TIME_TO_CONNECT_S = 20.0
_CONNECTION: dict[str, Any] = {
    "application_name": "coinhts",
    "connect_timeout": 5,
    # A peer that vanished without a word is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_SESSION = """
    SELECT
        set_config('TimeZone', 'UTC', false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('statement_timeout', '60s', false),
        set_config('lock_timeout', '10s', false),
        set_config('idle_in_transaction_session_timeout', '30s', false)
"""
# Lost connections, locks and statements that took too long, deadlocks, full disks: wait, then try again.
_NOT_NOW = (psycopg.OperationalError, errors.IdleInTransactionSessionTimeout)


class Ledger:
    """An open ledger. Close it, or use it as a context."""

    def __init__(self, url: str, pool: ConnectionPool[psycopg.Connection]) -> None:
        self._url = url
        self._pool = pool

    @classmethod
    def open(cls, url: str, most_connections: int = 16, ready_connections: int = 1) -> Self:
        """A connection that has to be made first is waited for; those that are ready are not."""
        connect(url).close()
        pool: ConnectionPool[psycopg.Connection] = ConnectionPool(
            url,
            kwargs=_CONNECTION,
            name="ledger",
            min_size=ready_connections,
            max_size=most_connections,
            timeout=_PATIENCE_S,
            reconnect_timeout=_TIME_TO_CONNECT_S,  # a server that is recovering refuses for a moment
            configure=_configure,
            open=True,
        )
        try:
            pool.wait(_TIME_TO_CONNECT_S)
        except PoolTimeout as error:
            pool.close()
            raise LedgerBusyError(seconds=_TIME_TO_CONNECT_S) from error
        # From now on it gives up soon and begins anew with whoever asks next: a server that is back is found at once.
        pool.reconnect_timeout = 1.0
        return cls(url, pool)

    @property
    def url(self) -> str:
        """The address, which may hold a password."""
        return self._url

    def counts(self) -> Mapping[str, int]:
        """What the pool counted since it was opened, and how it stands, by psycopg's names."""
        return self._pool.get_stats()

    def answer(self) -> None:
        """Nothing, or an error that says why there is no answer."""
        with self.transaction():
            pass

    def close(self) -> None:
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """Do all or nothing; if the connection breaks at the very end nobody knows which: look, by key."""
        with self._connection() as connection:
            try:
                with connection.transaction():
                    yield connection
            except errors.CheckViolation as error:
                raise RefusedRowError(reason=_reason(error)) from error
            except _NOT_NOW as error:
                if connection.broken:
                    raise _unreachable(self._url, error) from error
                raise RetryableError(what=f"the ledger ({_reason(error)})") from error

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            connection = self._living()
        except PoolTimeout as error:
            connect(self._url).close()
            raise LedgerBusyError(seconds=_PATIENCE_S) from error
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _living(self) -> psycopg.Connection:
        """One that answers: all that a restarted server left dead are put away at once, not one now and then."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            connection = self._pool.getconn(max(0.0, deadline - time.monotonic()))
            try:
                ConnectionPool.check_connection(connection)
            except psycopg.Error:
                self._pool.putconn(connection)
            except BaseException:
                self._pool.putconn(connection)
                raise
            else:
                return connection


def database_beside(url: str, suffix: str) -> str:
    """Give the address of a second database on the same server."""
    return _with_database(url, _database_of(url) + suffix)


def ensure_database(url: str) -> None:
    """Create the database unless it is there; however many try at once, it is there afterwards."""
    try:
        connect(url).close()
    except LedgerUnreachableError as unreachable:
        with suppress(LedgerUnreachableError):
            _create_database(url)
            return
        raise unreachable from unreachable.__cause__


def _create_database(url: str) -> None:
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_database_of(url)))
    with connect(_with_database(url, "postgres")) as connection:
        try:
            connection.execute(statement)
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return
        except psycopg.Error as error:
            raise _unreachable(url, error) from error


def connect(url: str) -> psycopg.Connection:
    """One connection beside the pool, each statement for itself."""
    _facts(url)
    try:
        return psycopg.connect(url, autocommit=True, **_CONNECTION)
    except psycopg.OperationalError as error:
        raise _unreachable(url, error) from error


def _configure(connection: psycopg.Connection) -> None:
    connection.execute(_SESSION)
    connection.commit()


def _database_of(url: str) -> str:
    facts = _facts(url)
    return str(facts.get("dbname") or facts.get("user") or "postgres")


def _with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{quote(name, safe='')}").geturl()


def _facts(url: str) -> dict[str, Any]:
    try:
        return conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its words repeat the whole address, password included: neither they nor their trace go further.
        reason = "it cannot be read; write it like postgresql://user:password@host:5432/coinhts"
        raise LedgerUnreachableError(address="the given address", reason=reason) from None


def _unreachable(url: str, error: psycopg.Error) -> LedgerUnreachableError:
    facts = _facts(url)
    address = f"{facts.get('host', 'localhost')}:{facts.get('port', 5432)}/{_database_of(url)}"
    return LedgerUnreachableError(address=address, reason=_reason(error))


def _reason(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0].removeprefix("connection failed: ")
