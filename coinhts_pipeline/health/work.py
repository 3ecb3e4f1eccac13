"""The day's work: which days were collected, and decided on, as the ledger and Dagster's tables tell.

What lives here: facts, found by a few statements however many coins are followed; the lake is not looked through. What
stays out: what they mean (`coinhts_core.ops`), and looking through every day (`stored`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from json import dumps

from coinhts_core.days import last_complete_day
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.ops.health import Work
from coinhts_pipeline.health.scheduler import dagster_tables

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Followed:
    """A coin: the days it is wanted for, and the newest whose minutes were answered."""

    symbol: str
    anchor: date
    delisted_on: date | None
    answered: date | None

    def is_listed_on(self, day: date) -> bool:
        return self.anchor <= day and (self.delisted_on is None or day <= self.delisted_on)


def followed(ledger: Ledger) -> list[Followed]:
    with ledger.transaction() as connection:
        return [Followed(*row) for row in connection.execute(load_queries("health")["list_followed"]).fetchall()]


def collected(coins: Iterable[Followed]) -> list[Work]:
    return [Work(of.symbol, of.anchor, of.delisted_on, of.answered) for of in coins]


def decided(coins: Iterable[Followed], strategies: Iterable[str], dagster_address: str, moment: datetime) -> list[Work]:
    """A strategy has decided on a day when it has for every coin; days before the last two count as one coin's did."""
    known = list(coins)
    last = last_complete_day(moment)
    wanted = {
        day: {_partition(day, of.symbol) for of in known if of.is_listed_on(day)} for day in (last, last - _ONE_DAY)
    }
    assets = {_asset(name): name for name in strategies}
    with dagster_tables(dagster_address) as ask:
        newest = dict(ask("find_newest_partitions", assets=list(assets)))
        there = set(ask("find_materialized", assets=list(assets), partitions=sorted(set().union(*wanted.values()))))
    first = min((of.anchor for of in known), default=None)
    if first is None:
        return []
    return [
        Work(
            name,
            first,
            None,
            _done(newest.get(asset), {day for day in wanted if _all(asset, wanted[day], there)}, last),
        )
        for asset, name in assets.items()
    ]


def _all(asset: str, partitions: Iterable[str], there: set[tuple[str, ...]]) -> bool:
    return all((asset, partition) in there for partition in partitions)


def _done(newest: str | None, whole: set[date], last: date) -> date | None:
    if newest is None:
        return None
    return max(whole, default=min(date.fromisoformat(newest.partition("|")[0]), last - 2 * _ONE_DAY))


def _partition(day: date, symbol: str) -> str:
    """As Dagster spells a key of two dimensions, by their names' order."""
    return f"{day}|{symbol}"


def _asset(strategy: str) -> str:
    """As Dagster spells an asset's key in its tables."""
    return dumps(["signals", strategy])
