"""The book `manual` in the ledger: positions opened, amended, closed, and all that was ever done to each.

What lives here: `Book`. What to add: a deed, as a method of one transaction that ends in `_changed`. What stays out:
what fields take (`said`), what a position is worth (`holding`, `prices`). No other book is read or written here.

Every change names the version that it is made to, and makes the next; whoever comes second is told. Nothing is ever
removed: what is deleted is no longer found, and its history stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from coinhts_core.errors import BadPositionError, PositionConflictError, UnknownPositionError
from coinhts_core.hashes import digest
from coinhts_core.holdings.holding import Holding, State, plain
from coinhts_core.holdings.said import AMEND, CLOSE, END, EXIT, FEW, LIST, OPEN, Said
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.rules import rules_on

KEPT: Final[tuple[State, ...]] = ("open", "closed", "cancelled")
_WAYS: Final[Mapping[str, tuple[State, ...]]] = {
    "amended": ("open", "closed"),
    "annotated": KEPT,
    "closed": ("open",),
    "cancelled": ("open",),
    "deleted": ("closed", "cancelled"),
}
_TOLD = (
    "state", "symbol", "opened_at", "entry_price_krw", "volume_base", "entry_fee_rate",
    "closed_at", "exit_price_krw", "exit_fee_rate", "slippage_krw", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Author:
    """Who does something, and when."""

    name: str
    moment: datetime


@dataclass(frozen=True)
class Event:
    """Something done to a position: of each field that changed, what it was and what it is."""

    version: int
    what: str
    changed: Mapping[str, tuple[str | None, str | None]]
    changed_at: datetime
    changed_by: str

    @property
    def facts(self) -> dict[str, Any]:
        """As programs read it."""
        return {**vars(self), "changed_at": self.changed_at.isoformat()}


@dataclass(frozen=True)
class Listed:
    """Some positions, the latest first, and how many there are in all."""

    holdings: Sequence[Holding]
    matching: int


class Book:
    """Positions kept by hand, in one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def open(self, said: Said, by: Author) -> tuple[Holding, bool]:
        """The position, and whether it is a new one: the same key and words again give what they gave."""
        found = OPEN.read(said)
        key = found.pop("key", None)
        asked = digest({name: _told(value) for name, value in found.items()})
        opened_at = found.get("opened_at", by.moment)
        rate = rules_on(opened_at.date()).fee_rate
        facts: dict[str, Any] = {"opened_at": opened_at, "entry_fee_rate": rate, "note": ""} | found
        facts["recorded_at"] = facts["changed_at"] = by.moment
        Holding(number=0, key=key, state="open", version=1, **facts).judge(by.moment)
        queries = load_queries("holdings")
        record = {**facts, "key": key, "asked_hash": asked if key else None}
        with self._ledger.transaction() as connection:
            row = connection.execute(queries["record_holding"], record).fetchone()
            if row is None:
                return _opened_before(connection, str(key), asked), False
            holding = _holding(connection, row[0])
            _record_event(connection, "opened", None, holding, by)
        return holding, True

    def find(self, number: int) -> Holding:
        with self._ledger.transaction() as connection:
            return _kept(connection, number)

    def listed(self, said: Said, *, is_open_first: bool = False) -> Listed:
        """Of one coin or of all, of one state or of all but the deleted; beyond the last none are counted."""
        asked = LIST.read(said)
        states: Sequence[State] = asked.get("state", KEPT)
        wanted = {
            "symbol": asked.get("symbol"),
            "states": list(states),
            "most": asked.get("limit", FEW),
            "skipped": asked.get("offset", 0),
            "is_open_first": is_open_first,
        }
        with self._ledger.transaction() as connection:
            rows = connection.cursor(row_factory=dict_row)
            found = rows.execute(load_queries("holdings")["find_holdings"], wanted).fetchall()
        matching = found[0]["matching"] if found else 0
        facts = ({name: value for name, value in row.items() if name != "matching"} for row in found)
        return Listed([Holding(**of) for of in facts], matching)

    def history(self, number: int) -> list[Event]:
        """Also of one that is deleted."""
        with self._ledger.transaction() as connection:
            rows = connection.cursor(row_factory=class_row(Event))
            events = rows.execute(load_queries("holdings")["find_events"], {"number": number}).fetchall()
        if not events:
            raise UnknownPositionError(number=number)
        return events

    def amend(self, number: int, said: Said, by: Author) -> Holding:
        """Other figures or another note; what is so already makes no version."""
        found = AMEND.read(said)
        version = found.pop("version")
        if not found:
            raise BadPositionError(field="body", reason=f"it names nothing to amend: {', '.join(AMEND.takes)}")
        return self._changed(number, version, "annotated" if found.keys() == {"note"} else "amended", found, by)

    def close(self, number: int, said: Said, by: Author) -> Holding:
        """Sold whole, now and at no slippage and the day's fee unless said otherwise."""
        found = CLOSE.read(said)
        version = found.pop("version")
        closed_at = found.get("closed_at", by.moment)
        rate = rules_on(closed_at.date()).fee_rate
        facts = {"closed_at": closed_at, "exit_fee_rate": rate, "slippage_krw": Decimal(0)} | found
        return self._changed(number, version, "closed", {"state": "closed", **facts}, by)

    def cancel(self, number: int, said: Said, by: Author) -> Holding:
        """It never was: opened by mistake."""
        return self._changed(number, END.read(said)["version"], "cancelled", {"state": "cancelled"}, by)

    def delete(self, number: int, said: Said, by: Author) -> Holding:
        return self._changed(number, END.read(said)["version"], "deleted", {"state": "deleted"}, by)

    def _changed(self, number: int, version: int, deed: str, facts: Mapping[str, Any], by: Author) -> Holding:
        queries = load_queries("holdings")
        with self._ledger.transaction() as connection:
            connection.execute(queries["lock_holding"], {"number": number})
            before = _kept(connection, number)
            _judge_way(before, version, deed, facts)
            after = replace(before, **facts)
            if after == before:
                return before
            after = replace(after, version=before.version + 1, changed_at=by.moment)
            after.judge(by.moment)
            connection.execute(queries["change_holding"], vars(after))
            _record_event(connection, deed, before, after, by)
            return _holding(connection, number)


def _judge_way(holding: Holding, version: int, deed: str, facts: Mapping[str, Any]) -> None:
    if holding.version != version:
        reason = f"is at version {holding.version} by now, not {version}; look at it again before you change it"
        raise PositionConflictError(number=holding.number, reason=reason)
    if holding.state not in _WAYS[deed]:
        first = " or ".join(_WAYS[deed])
        raise PositionConflictError(
            number=holding.number, reason=f"is {holding.state} and cannot be {deed}, only what is {first}"
        )
    if holding.state == "open" and deed == "amended":
        for name in set(EXIT) & facts.keys():
            raise BadPositionError(field=name, reason="the position is still open; close it first")


def _opened_before(connection: Connection, key: str, asked: str) -> Holding:
    row = connection.execute(load_queries("holdings")["find_key"], {"key": key}).fetchone()
    number, asked_then = row or (0, "")
    if asked_then != asked:
        raise PositionConflictError(number=number, reason=f"was opened with the key {key}, and with other words")
    holding = _holding(connection, number)
    if holding.state == "deleted":
        raise PositionConflictError(number=number, reason=f"was opened with the key {key} and deleted since")
    return holding


def _kept(connection: Connection, number: int) -> Holding:
    holding = _holding(connection, number)
    if holding.state == "deleted":
        raise UnknownPositionError(number=number)
    return holding


def _holding(connection: Connection, number: int) -> Holding:
    rows = connection.cursor(row_factory=class_row(Holding))
    found = rows.execute(load_queries("holdings")["find_holding"], {"number": number}).fetchone()
    if found is None:
        raise UnknownPositionError(number=number)
    return found


def _record_event(connection: Connection, what: str, before: Holding | None, after: Holding, by: Author) -> None:
    told = {name: [_told(getattr(before, name, None)), _told(getattr(after, name))] for name in _TOLD}
    changed = Jsonb({name: of for name, of in told.items() if of[0] != of[1]})
    facts = {"number": after.number, "version": after.version, "what": what, "changed": changed}
    connection.execute(load_queries("holdings")["record_event"], {**facts, "moment": by.moment, "who": by.name})


def _told(value: object) -> str | None:
    """As the history tells it, and as one asking is known again by."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else str(value)
