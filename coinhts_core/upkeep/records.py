"""Rows of the ledger that nobody needs any more, and tables that are worn.

What lives here: sessions that are over, alerts told long ago, requests without an answer; VACUUM and ANALYZE where
PostgreSQL's own figures ask for them. What stays out: what is kept for ever (trials, positions, what governed), and
results, whose policy is their room's.
"""

from datetime import datetime, timedelta

from psycopg import sql

from coinhts_core.ledger.connection import Ledger, connect
from coinhts_core.ledger.queries import load_queries
from coinhts_core.upkeep.tidied import Tidied

ALERTS_KEPT_FOR = timedelta(days=90)
_UNANSWERED_KEPT_FOR = timedelta(days=90)
_LOST_KEPT_FOR = timedelta(days=30)
_FEW = 1_000  # dead rows, which no table suffers from


def end_sessions(ledger: Ledger, moment: datetime, *, only_looks: bool) -> Tidied:
    facts = {"now": moment}
    with ledger.transaction() as connection:
        (over,) = connection.execute(load_queries("upkeep")["count_expired_sessions"], facts).fetchone() or (0,)
        if not only_looks:
            connection.execute(load_queries("sessions")["end_expired_sessions"], facts)
    return Tidied(over)


def forget_alerts(ledger: Ledger, moment: datetime, *, only_looks: bool) -> Tidied:
    """With their deliveries; what still waits for a place stays."""
    queries = load_queries("upkeep")
    with ledger.transaction() as connection:
        old = connection.execute(queries["find_old_alerts"], {"before": moment - ALERTS_KEPT_FOR}).fetchall()
        if not only_looks:
            numbers = {"numbers": [number for number, _ in old]}
            connection.execute(queries["forget_deliveries"], numbers)
            connection.execute(queries["forget_alerts"], numbers)
    return Tidied(len(old), sum(size for _, size in old))


def forget_requests(ledger: Ledger, moment: datetime, *, only_looks: bool) -> Tidied:
    """Whoever asks again is answered anew."""
    queries = load_queries("upkeep")
    facts = {"before": moment - _UNANSWERED_KEPT_FOR, "answered_before": moment - _LOST_KEPT_FOR}
    with ledger.transaction() as connection:
        spent = [identity for (identity,) in connection.execute(queries["find_spent_requests"], facts)]
        if not only_looks:
            connection.execute(queries["forget_requests"], {"identities": spent})
    return Tidied.named(spent)


def known_requests(ledger: Ledger) -> set[str]:
    with ledger.transaction() as connection:
        return {identity for (identity,) in connection.execute(load_queries("upkeep")["find_all_identities"])}


def vacuum(ledger: Ledger, *, only_looks: bool) -> Tidied:
    """Each table by itself, and nobody who reads or writes is kept waiting."""
    with ledger.transaction() as connection:
        worn = connection.execute(load_queries("upkeep")["find_worn_tables"], {"few": _FEW}).fetchall()
    if worn and not only_looks:
        with connect(ledger.url) as alone:  # in no transaction, and for as long as it takes
            for name, _, _ in worn:
                statement = sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(name))
                alone.execute(statement)
    return Tidied(sum(dead for _, dead, _ in worn), 0, tuple(f"{name}: {dead} dead rows" for name, dead, _ in worn))
