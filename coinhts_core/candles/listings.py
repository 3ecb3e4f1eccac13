"""The exchange's list of markets as it was, day by day.

What lives here: keeping the list of a day in the ledger, and the universe of a past day. What stays out: asking the
exchange, and which of its markets are followed (`registry`).

Whoever chooses coins for days gone by out of today's list has left out those that were delisted since.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from coinhts_core.candles.registry import registered_symbols
from coinhts_core.errors import NoMarketListError
from coinhts_core.exchanges import MarketListing
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Market


@dataclass(frozen=True)
class Universe:
    """What was listed on a day, the day whose recorded list tells it, and how it does, in words."""

    day: date
    recorded_on: date
    markets: list[MarketListing]
    told: str


@dataclass(frozen=True)
class Changes:
    """Markets that came and went since the last list recorded before; none was, when `since` is None."""

    since: date | None
    came: list[Market]
    went: list[Market]


def record_listings(ledger: Ledger, day: date, markets: Iterable[MarketListing]) -> None:
    """The list of a UTC day; recorded again, the latest is the day's."""
    queries = load_queries("listings")
    rows = [{**vars(of), "day": day, "symbol": str(of.symbol), "cautions": list(of.cautions)} for of in markets]
    with ledger.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(queries["lock_listings"])
        cursor.execute(queries["forget_listings"], {"day": day})
        cursor.executemany(queries["record_listing"], rows)


def universe_on(ledger: Ledger, day: date) -> Universe:
    """What was listed on a day, as the last list recorded up to it says, or else as far as it is known."""
    recorded_on, first = _recorded_days(ledger, day)
    if first is None:
        raise NoMarketListError
    if recorded_on is None:
        return _before_the_first(ledger, day, first)
    told = "as recorded on that day" if recorded_on == day else f"as recorded on {recorded_on}, the last list before it"
    return Universe(day, recorded_on, _recorded(ledger, recorded_on), told)


def changes_since(ledger: Ledger, day: date, markets: Sequence[MarketListing]) -> Changes:
    """What a list of this day has more and less than the last one recorded before the day."""
    since, _ = _recorded_days(ledger, day - timedelta(days=1))
    if since is None:
        return Changes(None, [], [])
    before, after = ({of.symbol for of in found} for found in (_recorded(ledger, since), markets))
    return Changes(since, sorted(after - before), sorted(before - after))


def _before_the_first(ledger: Ledger, day: date, first: date) -> Universe:
    """Of symbols that were ever followed it is known since when, and until when, they were traded."""
    named = {of.symbol: of for of in _recorded(ledger, first)}
    known = registered_symbols(ledger)
    traded = sorted(
        of.symbol for of in known if of.first_day <= day and (of.delisted_on is None or day <= of.delisted_on)
    )
    markets = [named.get(symbol) or MarketListing(symbol, "", "", is_warned=False) for symbol in traded]
    unknown = len(named.keys() - {of.symbol for of in known})
    told = (
        f"no list was recorded before {first}: these are the followed coins that were traded then; "
        f"since when the {unknown} others of {first} were is not known, nor what was delisted before"
    )
    return Universe(day, first, markets, told)


def _recorded_days(ledger: Ledger, day: date) -> tuple[date | None, date | None]:
    with ledger.transaction() as connection:
        row = connection.execute(load_queries("listings")["find_recorded_days"], {"day": day}).fetchone()
    return row or (None, None)


def _recorded(ledger: Ledger, day: date) -> list[MarketListing]:
    with ledger.transaction() as connection:
        rows = connection.execute(load_queries("listings")["find_listings"], {"day": day}).fetchall()
    return [
        MarketListing(Market(symbol), korean, english, is_warned, tuple(cautions))
        for symbol, korean, english, is_warned, cautions in rows
    ]
