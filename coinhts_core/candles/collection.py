"""Collecting: asking the venue for the days that are not covered yet, and remembering what it answered.

What lives here: `Collection`, one symbol's days. What stays out: judging rows (`frame`), publishing them (the
caller does, and confirms), and the venue's own manners (`exchanges`).

A covered past day is not asked for again unless that is wanted. A day is recorded as covered only after its
rows are in the lake, so a process killed in between asks once more and loses nothing.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from coinhts_core.candles.coverage import Answer
from coinhts_core.candles.frame import CANDLES, judge_day
from coinhts_core.candles.registry import Registered
from coinhts_core.days import last_complete_day
from coinhts_core.errors import CoinhtsError
from coinhts_core.exchanges import Exchange
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Timeframe


@dataclass
class Collection:
    """What became of a symbol's days: rows to publish, days without any, and the refused, with reasons."""

    registered: Registered
    answered: dict[date, DayRows] = field(default_factory=dict)
    unlisted: set[date] = field(default_factory=set)
    refused: dict[date, str] = field(default_factory=dict)


def collect(
    exchange: Exchange,
    registered: Registered,
    days: Iterable[date],
    covered: Container[date],
    asked_at: datetime,
) -> Collection:
    """The venue's rows for every day that is listed, over, and not in `covered`."""
    collection = Collection(registered)
    for day in days:
        if not registered.is_listed_on(day):
            collection.unlisted.add(day)
        elif day > last_complete_day(asked_at):
            collection.refused[day] = "it is not over yet"
        elif day not in covered:
            _ask(exchange, collection, day, asked_at)
    return collection


def _ask(exchange: Exchange, collection: Collection, day: date, asked_at: datetime) -> None:
    symbol = collection.registered.symbol
    try:
        rows = judge_day(exchange.minutes(symbol, day), symbol, day, Timeframe.M1, asked_at=asked_at)
    except CoinhtsError as error:
        collection.refused[day] = str(error)
    else:
        collection.answered[day] = DayRows.of(CANDLES, rows, asked_at=asked_at)


def answers(ledger: Ledger, symbol: str, first: date, last: date) -> dict[date, Answer]:
    """What the venue has said about the days that were asked for."""
    wanted = {"symbol": symbol, "timeframe": Timeframe.M1.value, "first": first, "last": last}
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("coverage")["find_coverage"], wanted).fetchall()
    return {day: Answer(kind, row_count, reason or "") for day, kind, row_count, reason in rows}


def record(ledger: Ledger, collection: Collection, asked_at: datetime) -> None:
    """What was asked and answered, once the rows are published; unlisted days were never asked for."""
    registered = collection.registered
    same = {"symbol": str(registered.symbol), "timeframe": Timeframe.M1.value, "asked_at": asked_at}
    rows = [
        {**same, "day": day, "answer": "complete", "row_count": rows.entry.rows,
         "content_hash": rows.entry.content_hash, "reason": None}
        for day, rows in collection.answered.items()
    ] + [
        {**same, "day": day, "answer": "unavailable", "row_count": 0, "content_hash": None, "reason": reason}
        for day, reason in collection.refused.items()
        if day <= last_complete_day(asked_at)
    ]  # fmt: skip
    with ledger.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(load_queries("coverage")["record_answer"], rows)
