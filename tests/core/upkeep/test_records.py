from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from coinhts_core.upkeep.records import end_sessions, forget_alerts, forget_requests, known_requests, vacuum

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

RAISE = """
    INSERT INTO alerts (key, level, title, body, raised_at, repeated_at) VALUES (%s, 'info', 'ab', 'c', %s, %s)
    RETURNING number
"""
ASK = """
    INSERT INTO requests (
        identity, kind, strategy, asked, state, created_at, changed_at, not_before, error, is_told, worker, seen_at
    ) VALUES (%s, 'backtest', 'sma_cross', '{}', %s, %s, %s, %s, %s, %s, 'w', %s)
"""
KEEP = """
    INSERT INTO results (
        id, question, kind, strategy, mode, symbols, timeframe, first_day, last_day, asked, metrics, made_from, frames
    ) VALUES (
        %s, 'q', 'backtest', 's', 'account', '{KRW-BTC}', '1h', '2026-01-01', '2026-01-02', '{}', '{}', '{}', '{}'
    )
"""
TRY = """
    INSERT INTO trials SELECT md5(n::text) || md5(n::text), 's', '{KRW-BTC}', '2026-01-01', '2026-01-02'
    FROM generate_series(1, 5000) AS n
"""


def ago(**elapsed) -> datetime:
    return NOW - timedelta(**elapsed)


@pytest.fixture
def sql(ledger):
    """Say something to the ledger."""

    def said(statement, *facts):
        with ledger.transaction() as connection:
            cursor = connection.execute(statement, facts)
            return cursor.fetchall() if cursor.description else []

    return said


def test_logins_that_are_over_are_forgotten(ledger, sql):
    """Those that are not stay, to the second."""
    for name, ends in (("over", ago(seconds=0)), ("under way", ago(seconds=-1))):
        sql("INSERT INTO sessions VALUES (%s, 'owner', %s, %s)", name, ago(days=30), ends)
    assert end_sessions(ledger, NOW, only_looks=True).count == 1
    assert len(sql("SELECT 1 FROM sessions")) == 2
    assert end_sessions(ledger, NOW, only_looks=False).count == 1
    assert sql("SELECT token_hash FROM sessions") == [("under way",)]


def test_alerts_are_forgotten_once_nobody_waits_for_them(ledger, sql):
    """With their deliveries; one that was raised again lately, or still waits for a place, stays."""
    for key, days, repeated, state in (
        ("old", 91, None, "sent"),
        ("given up", 91, 91, "dead"),
        ("waits", 91, None, "waiting"),
        ("again", 91, 5, "sent"),
        ("new", 89, None, "sent"),
    ):
        ((number,),) = sql(RAISE, key, ago(days=days), repeated and ago(days=repeated))
        sql("INSERT INTO deliveries (alert, sink, state) VALUES (%s, 'file', %s)", number, state)
    assert forget_alerts(ledger, NOW, only_looks=True).facts == {"count": 2, "bytes": 6, "names": []}
    assert len(sql("SELECT 1 FROM alerts")) == 5
    assert forget_alerts(ledger, NOW, only_looks=False).count == 2
    assert {key for (key,) in sql("SELECT key FROM alerts")} == {"waits", "again", "new"}
    assert len(sql("SELECT 1 FROM deliveries")) == 3


def asked(sql, letter, state, days, **more):
    moment, error = ago(days=days), "why" if state in {"failed", "dead"} else None
    sql(ASK, letter * 64, state, moment, moment, moment, error, more.get("told", True), moment)


def test_requests_without_an_answer_are_forgotten(ledger, sql):
    """After 90 days; one whose result was removed since after 30; whatever waits or runs never."""
    for letter, state, days in (
        ("a", "failed", 91),
        ("b", "failed", 89),
        ("c", "cancelled", 91),
        ("d", "dead", 91),
        ("e", "queued", 400),
        ("f", "running", 400),
        ("0", "completed", 31),
        ("1", "completed", 29),
    ):
        asked(sql, letter, state, days)
    asked(sql, "2", "completed", 31, told=False)
    asked(sql, "3", "completed", 400)
    sql(KEEP, "3" * 64)
    gone = {letter * 64 for letter in "acd0"}
    assert set(forget_requests(ledger, NOW, only_looks=True).names) == gone
    assert len(known_requests(ledger)) == 10
    assert forget_requests(ledger, NOW, only_looks=False).count == 4
    assert known_requests(ledger) == {letter * 64 for letter in "bef123"}


def test_tables_are_vacuumed_where_their_figures_ask_for_it(ledger, sql):
    """A tenth of the rows, and at least a thousand; afterwards nothing is left to do."""
    sql("ALTER TABLE trials SET (autovacuum_enabled = false)")
    sql(TRY)
    sql("DELETE FROM trials WHERE identity < '5'")
    flushed(ledger)
    found = vacuum(ledger, only_looks=True)
    assert [name for name in found.names if name.startswith("trials: 1")]
    assert vacuum(ledger, only_looks=False) == found
    flushed(ledger)
    assert not vacuum(ledger, only_looks=True).names
    assert len(sql("SELECT 1 FROM trials")) == 5_000 - found.count


def flushed(ledger) -> None:
    """Figures are told to others by the connection that made them, a moment later."""
    with ledger.transaction() as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
    with psycopg.connect(ledger.url) as other:
        other.execute("SELECT pg_stat_clear_snapshot()")
