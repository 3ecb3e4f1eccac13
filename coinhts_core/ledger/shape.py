"""Whether a ledger is what `schema.sql` says: tables, columns, constraints, indexes, triggers.

What lives here: the comparison. What to add: nothing; `schema.sql` is laid out beside the ledger's own tables, in a
transaction that is taken back, and PostgreSQL describes both. What stays out: migrations (`migrate`), and rows.
"""

from dataclasses import dataclass

from psycopg import Connection

from coinhts_core.errors import CheckFailedError
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.migrate import FOLDER
from coinhts_core.ledger.queries import load_queries

_SCHEMA = FOLDER.with_name("schema.sql")
_TOLD, _LONGEST = 2, 60
_MEND = "it was changed by hand; restore a backup, or mend it as coinhts_core/ledger/schema.sql says; it lacks "


@dataclass(frozen=True)
class Shape:
    """What the ledger lacks of what is written, and what it has besides."""

    lacks: tuple[str, ...]
    besides: tuple[str, ...]


def shape_of(ledger: Ledger) -> Shape:
    with ledger.transaction() as connection:
        found = _described(connection)
        with connection.transaction(force_rollback=True):
            connection.execute(load_queries("shape")["begin_anew"])
            connection.execute(_SCHEMA.read_bytes())
            written = _described(connection)
    return Shape(tuple(sorted(written - found)), tuple(sorted(found - written)))


def validate(ledger: Ledger) -> Shape:
    """Refuse a ledger that lacks something; what somebody added is told, and does no harm."""
    shape = shape_of(ledger)
    if shape.lacks:
        more = f" and {len(shape.lacks) - _TOLD} more" if len(shape.lacks) > _TOLD else ""
        told = "; ".join(line[:_LONGEST] for line in shape.lacks[:_TOLD])
        raise CheckFailedError(check="the ledger's schema", reason=f"{_MEND}{told}{more}")
    return shape


def _described(connection: Connection) -> set[str]:
    return {line for (line,) in connection.execute(load_queries("shape")["describe_schema"])}
