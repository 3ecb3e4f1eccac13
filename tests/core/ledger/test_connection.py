import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from coinhts_core.errors import LedgerBusyError, LedgerUnreachableError, RetryableError
from coinhts_core.ledger.connection import Ledger, database_beside, ensure_database


def test_a_transaction_is_kept_whole_or_not_at_all(ledger):
    """What was written before an error is gone, what was written before the end is there."""
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO installation (name, value) VALUES ('venue', 'sample')")
    with pytest.raises(psycopg.errors.DivisionByZero), ledger.transaction() as connection:
        connection.execute("DELETE FROM installation; SELECT 1 / 0")
    with ledger.transaction() as connection:
        assert connection.execute("SELECT value FROM installation").fetchall() == [("sample",)]


def test_every_connection_has_the_sessions_manners(ledger):
    """UTC, read committed, and nothing waits or works for ever."""
    wanted = {
        "TimeZone": "UTC",
        "transaction_isolation": "read committed",
        "application_name": "coinhts",
        "statement_timeout": "1min",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "30s",
    }
    with ledger.transaction() as connection:
        found = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0] for name in wanted}
    assert found == wanted


def test_a_ledger_without_a_free_connection_says_it_is_busy(postgres):
    """After two seconds, in a sentence of its own kind, and it recovers."""
    with Ledger.open(postgres.url("postgres"), most_connections=1) as ledger:
        with ledger.transaction(), pytest.raises(LedgerBusyError), ledger.transaction():
            pass
        with ledger.transaction() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_is_ready_is_not_waited_for(ledger):
    """As many at once as there are find a connection, and the pool has counted them."""
    with Ledger.open(ledger.url, 4, 4) as pooled:
        assert pooled.counts()["pool_available"] == 4
        with ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(pooled.transaction())
        counts = pooled.counts()
        assert (counts["requests_num"], counts.get("requests_queued", 0), counts["pool_max"]) == (4, 0, 4)


def test_connections_cut_by_the_server_are_replaced_unnoticed(ledger):
    """What lay in the pool when the server cut it is not handed out."""
    with ledger.transaction(), ledger.transaction():
        pass  # two connections lie in the pool
    with ledger.transaction() as connection:
        connection.execute("""
            SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND datname = current_database()
        """)
    with ledger.transaction(), ledger.transaction() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_lost_within_a_transaction_is_told_in_our_words(ledger):
    """The caller learns that nothing answers, not what psycopg calls it."""
    with pytest.raises(LedgerUnreachableError), ledger.transaction() as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.parametrize("kind", ["statement_timeout", "lock_timeout"])
def test_what_takes_too_long_may_be_tried_again(ledger, kind):
    """A slow statement and a lock held by others end in the kind of error that says: wait."""
    with ledger.transaction() as other:
        other.execute("LOCK TABLE symbols")
        with pytest.raises(RetryableError, match="the ledger"), ledger.transaction() as connection:
            connection.execute(f"SET LOCAL {kind} = '50ms'; TABLE symbols".encode())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/coinhts",
        "postgresql://me:hunter2@127.0.0.1:soup/coinhts",
        "postgresql://me:hunter2@127.0.0.1/coinhts?colour=red",
        "postgresql://me:hunter2@[::1/coinhts",
        "host=127.0.0.1 port=1 password=hunter2 soup",
    ],
)
@pytest.mark.parametrize("door", [Ledger.open, ensure_database])
def test_an_address_nobody_answers_at_is_told_without_its_password(door, url):
    """Neither the sentence nor anything chained to it holds the secret."""
    with pytest.raises(LedgerUnreachableError) as caught:
        door(url)
    told = "".join(traceback.format_exception(None, caught.value, None))
    assert "hunter2" not in told
    chained = caught.value
    while chained := chained.__cause__ or (None if chained.__suppress_context__ else chained.__context__):
        assert "hunter2" not in str(chained)


def test_a_database_is_made_once_however_many_want_it(postgres):
    """Racing creators all end with it existing, and a later one finds it."""
    url = database_beside(postgres.url("race"), '_of "odd" names')
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ensure_database, [url] * 4))
    ensure_database(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ('race_of "odd" names',)


def test_the_database_beside_differs_in_its_name_alone():
    """User, password, hosts and options stay as they are."""
    assert (
        database_beside("postgresql://u:p%40@h:5433/coinhts?sslmode=require", "_dagster")
        == "postgresql://u:p%40@h:5433/coinhts_dagster?sslmode=require"
    )
    assert database_beside("postgresql://u@h", "_dagster") == "postgresql://u@h/u_dagster"


def test_a_server_that_refuses_for_a_moment_is_waited_for(ledger, monkeypatch):
    """As one does that is recovering: it answered, died of another's end, and is back a second later."""
    refusals, connect = iter(range(2)), psycopg.Connection.connect

    def refused_at_first(*arguments, **facts):
        if next(refusals, None) is not None:
            msg = "the database system is in recovery mode"
            raise psycopg.OperationalError(msg)
        return connect(*arguments, **facts)

    monkeypatch.setattr(psycopg.Connection, "connect", refused_at_first)
    with Ledger.open(ledger.url) as opened:
        opened.answer()
    assert next(refusals, None) is None
