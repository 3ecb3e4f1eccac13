"""Dagster's history: what its runs told, forgotten after a while, but for what lineage is read from.

What lives here: what goes and what stays, and its removal, in Dagster's own tables. What stays out: ticks of schedules
and sensors, for which Dagster has settings (dagster_home/dagster.yaml).

Deleting a run the way Dagster does it takes the materialisations with it: its partitions would be missing, and their
data versions gone. So the last materialisation and observation of each partition stay, the last evaluation of each
check, and the runs that told them. The last of all that was told of older runs goes, log lines first.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.upkeep.tidied import Tidied

KEPT_FOR = timedelta(days=30)
_AT_ONCE = 5_000
# In this order a removal that is killed leaves nothing that the next one does not find.
_STEPS = (
    ("events", "find_spent_events", ("forget_event_tags", "forget_events")),
    ("evaluations", "find_spent_evaluations", ("forget_evaluations",)),
    ("runs", "find_spent_runs", ("forget_runs",)),
    ("backfills", "find_spent_backfills", ("forget_backfill_tags", "forget_backfills")),
)


def forget_history(dagster: Ledger, moment: datetime, *, only_looks: bool) -> Tidied:
    facts = {"before": moment - KEPT_FOR}
    done = {kind: _forget(dagster, find, facts, removals, only_looks=only_looks) for kind, find, removals in _STEPS}
    words = tuple(f"{of.count} {kind}" for kind, of in done.items() if of.count)
    return Tidied(sum(of.count for of in done.values()), sum(of.size for of in done.values()), words)


def forget_partitions(dagster: Ledger, asset_key: str, partitions: Sequence[str]) -> Tidied:
    """All that was told of them: they are no partitions any more."""
    facts = {"asset_key": asset_key, "partitions": list(partitions)}
    removals = ("forget_event_tags", "forget_events")
    return _forget(dagster, "find_events_of_partitions", facts, removals, only_looks=False)


def _forget(dagster: Ledger, find: str, facts: dict[str, Any], removals: Sequence[str], *, only_looks: bool) -> Tidied:
    queries = load_queries("dagster")
    with dagster.transaction() as connection:
        if not connection.execute(queries["has_tables"]).fetchone():
            return Tidied(0)
        connection.execute(queries["take_time"])
        found = connection.execute(queries[find], facts).fetchall()
    if not only_looks:
        for first in range(0, len(found), _AT_ONCE):
            some = {"ids": [one for one, _ in found[first : first + _AT_ONCE]]}
            with dagster.transaction() as connection:
                for removal in removals:
                    connection.execute(queries[removal], some)
    return Tidied(len(found), sum(size or 0 for _, size in found))
