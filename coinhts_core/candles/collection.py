"""Collecting: asking the venue for the days that are not covered yet, and remembering what it answered.

What lives here: `Collection`, one symbol's days. What stays out: judging rows (`frame`), publishing them (the
caller does, and confirms), and the venue's own manners (`exchanges`).

A covered past day is not asked for again unless that is wanted. A day is recorded as covered only after its
rows are in the lake, so a process killed in between asks once more and loses nothing. A day with a few bad bars is
kept without them, unless it is there without any: half an answer replaces no whole one.
"""

import logging
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from coinhts_core.candles.coverage import Answer
from coinhts_core.candles.frame import CANDLES, BadBar, sift
from coinhts_core.candles.quarantine import quarantine
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.revisions import Revision, record_revisions
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.errors import BadCandlesError, CoinhtsError
from coinhts_core.exchanges import Exchange
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Market, Timeframe

_log = logging.getLogger("coinhts.candles")


@dataclass
class Collection:
    """What became of a symbol's days: rows to publish, days without any, and the refused, with reasons.

    `bad` has bars of the answered, of those left as they are stored, and of those refused for them.
    """

    registered: Registered
    answered: dict[date, DayRows] = field(default_factory=dict)
    unlisted: set[date] = field(default_factory=set)
    refused: dict[date, str] = field(default_factory=dict)
    unreadable: set[date] = field(default_factory=set)
    unordered: set[date] = field(default_factory=set)
    bad: dict[date, tuple[BadBar, ...]] = field(default_factory=dict)

    @property
    def complete(self) -> dict[date, DayRows]:
        return {day: rows for day, rows in self.answered.items() if day not in self.bad}

    @property
    def left_alone(self) -> set[date]:
        return self.bad.keys() - self.answered.keys() - self.refused.keys()


def collect(
    exchange: Exchange,
    registered: Registered,
    days: Iterable[date],
    covered: Container[date],
    asked_at: datetime,
    *,
    whole: Container[date] = (),
) -> Collection:
    """The venue's rows for every day that is listed, over, and not in `covered`; `whole` days lack no bar yet."""
    collection = Collection(registered)
    for day in days:
        if not registered.is_listed_on(day):
            collection.unlisted.add(day)
        elif day > last_complete_day(asked_at):
            collection.refused[day] = "it is not over yet"
        elif day not in covered:
            _ask(exchange, collection, day, asked_at, is_whole=day in whole)
    return collection


def _ask(exchange: Exchange, collection: Collection, day: date, asked_at: datetime, *, is_whole: bool) -> None:
    symbol = collection.registered.symbol
    try:
        told = exchange.minutes(symbol, day)
        sifted = sift(told, symbol, DayRange(day, day), Timeframe.M1, asked_at=asked_at)
    except CoinhtsError as error:
        collection.refused[day] = str(error)
        _say("not answered", symbol, day, str(error))
        if isinstance(error, BadCandlesError):
            collection.unreadable.add(day)
        return
    if not sifted.was_in_order:
        collection.unordered.add(day)
    if sifted.bad:
        collection.bad[day] = sifted.bad
        _say("bars set aside", symbol, day, _counted(sifted.bad))
    if sifted.is_bad_answer:
        reason = f"{len(sifted.bad)} of {told.height} bars are bad, such as: {sifted.bad[0]}"
        collection.refused[day] = str(BadCandlesError(symbol=symbol, day=day, reason=reason))
    elif not (sifted.bad and is_whole):
        collection.answered[day] = DayRows.of(CANDLES, sifted.good, asked_at=asked_at)


def _say(event: str, symbol: Market, day: date, reason: str | None) -> None:
    _log.info(event, extra={"facts": {"symbol": str(symbol), "day": str(day), "reason": reason}})


def answers(ledger: Ledger, symbol: str, first: date, last: date) -> dict[date, Answer]:
    """What the venue has said about the days that were asked for."""
    wanted = {"symbol": symbol, "timeframe": Timeframe.M1.value, "first": first, "last": last}
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("coverage")["find_coverage"], wanted).fetchall()
    return {
        day: Answer(kind, row_count, content_hash, reason or "") for day, kind, row_count, content_hash, reason in rows
    }


def record(ledger: Ledger, collection: Collection, asked_at: datetime, revisions: Iterable[Revision] = ()) -> None:
    """What was asked and answered, once the rows are published; unlisted days were never asked for."""
    symbol, bad = collection.registered.symbol, collection.bad
    same = {"symbol": str(symbol), "timeframe": Timeframe.M1.value, "asked_at": asked_at}
    rows = [
        {**same, "day": day, "answer": "partial" if day in bad else "complete", "row_count": rows.entry.rows,
         "content_hash": rows.entry.content_hash, "reason": _counted(bad.get(day, ()))}
        for day, rows in collection.answered.items()
    ] + [
        {**same, "day": day, "answer": "unavailable", "row_count": 0, "content_hash": None, "reason": reason}
        for day, reason in collection.refused.items()
        if day <= last_complete_day(asked_at)
    ]  # fmt: skip
    kept = {day: bars for day, bars in bad.items() if day not in collection.refused}
    with ledger.transaction() as connection, connection.cursor() as cursor:
        record_revisions(cursor, symbol, revisions, asked_at)
        cursor.executemany(load_queries("coverage")["record_answer"], rows)
        days = [*collection.answered, *collection.left_alone]
        quarantine(cursor, symbol, Timeframe.M1, days, kept, asked_at=asked_at)


def _counted(bad: tuple[BadBar, ...]) -> str | None:
    if not bad:
        return None
    return f"{len(bad)} {'bar is' if len(bad) == 1 else 'bars are'} bad: {bad[0]}"
