"""Symbol x date: the partitions all rooms share, and how many symbol-days become few runs.

What lives here: the definitions, keys in both directions, rectangles, their run tags and requests. What stays out:
which days need work (`rehearsal`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.instance import DynamicPartitionsStore
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from coinhts_core.markets import Market

SYMBOLS = dg.DynamicPartitionsDefinition(name="symbol")


class SymbolDays(dg.MultiPartitionsDefinition):
    """Days by symbols. A range run asks for its keys a dozen times; they are made once."""

    def get_partition_keys_in_range(
        self,
        partition_key_range: dg.PartitionKeyRange,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> Sequence[dg.MultiPartitionKey]:
        first, last = (self.get_partition_key_from_str(key) for key in partition_key_range)
        with partition_loading_context(dynamic_partitions_store=dynamic_partitions_store):
            sides = [
                of.partitions_def.get_partition_keys_in_range(
                    dg.PartitionKeyRange(first.keys_by_dimension[of.name], last.keys_by_dimension[of.name])
                )
                for of in self.partitions_defs
            ]
        return _crossed(*sides)

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[dg.MultiPartitionKey]:
        with partition_loading_context(current_time, dynamic_partitions_store):
            return _crossed(*(of.partitions_def.get_partition_keys() for of in self.partitions_defs))


def _crossed(days: Sequence[str], symbols: Sequence[str]) -> list[dg.MultiPartitionKey]:
    return list(_kept_keys(tuple(days), tuple(symbols)))


@lru_cache(maxsize=4)
def _kept_keys(days: tuple[str, ...], symbols: tuple[str, ...]) -> tuple[dg.MultiPartitionKey, ...]:
    return tuple(dg.MultiPartitionKey({"date": day, "symbol": symbol}) for day in days for symbol in symbols)


def symbol_days(start: date) -> SymbolDays:
    days = dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC")
    return SymbolDays({"date": days, "symbol": SYMBOLS})


def partition_key(symbol: str, day: date) -> dg.MultiPartitionKey:
    return dg.MultiPartitionKey({"date": day.isoformat(), "symbol": symbol})


def symbol_and_day(key: str) -> tuple[Market, date]:
    day, _, symbol = key.partition("|")
    return Market(symbol), date.fromisoformat(day)


def days_by_symbol(keys: Iterable[str]) -> dict[Market, list[date]]:
    """The symbols and days of a run, both in order: Dagster hands an IO manager's keys as a set."""
    found: dict[Market, list[date]] = defaultdict(list)
    for symbol, day in sorted(symbol_and_day(key) for key in keys):
        found[symbol].append(day)
    return dict(found)


@dataclass(frozen=True)
class Rectangle:
    """Neighbouring symbols x neighbouring days: what one range run covers."""

    symbols: tuple[str, ...]
    first: date
    last: date

    def __len__(self) -> int:
        return len(self.symbols) * ((self.last - self.first).days + 1)

    @property
    def tags(self) -> dict[str, str]:
        return {
            ASSET_PARTITION_RANGE_START_TAG: partition_key(self.symbols[0], self.first),
            ASSET_PARTITION_RANGE_END_TAG: partition_key(self.symbols[-1], self.last),
        }


def symbol_range(symbols: Sequence[str]) -> dict[str, str]:
    """The run tags of neighbouring symbols, for assets without a date."""
    return {ASSET_PARTITION_RANGE_START_TAG: symbols[0], ASSET_PARTITION_RANGE_END_TAG: symbols[-1]}


def rectangles(wanted: Mapping[Market, Iterable[date]], order: Sequence[str], largest: int = 20_000) -> list[Rectangle]:
    """The wanted symbol-days as few range runs, each of at most about `largest` partitions.

    A range run means every symbol between its ends in the order they were registered, so only neighbours with the
    same days share one.
    """
    found: list[Rectangle] = []
    for before, symbol in zip([None, *order], order, strict=False):
        for first, last in _stretches(wanted.get(Market(symbol), ())):
            place = _neighbour(found, before, first, last, largest)
            if place is None:
                found.append(Rectangle((symbol,), first, last))
            else:
                found[place] = Rectangle((*found[place].symbols, symbol), first, last)
    return found


def range_runs(
    wanted: Mapping[Market, Iterable[date]],
    instance: dg.DagsterInstance,
    run_key: str,
    config: Mapping[str, object] | None = None,
) -> Iterator[dg.RunRequest]:
    """The range runs of symbol-days, each asked for once under the key."""
    for block in rectangles(wanted, instance.get_dynamic_partitions(SYMBOLS.name or "")):
        yield dg.RunRequest(f"{run_key} {sorted(block.tags.values())}", dict(config or {}), block.tags)


def _neighbour(found: list[Rectangle], before: str | None, first: date, last: date, largest: int) -> int | None:
    """The rectangle that ends with the symbol before and has the same days, while it is small enough."""
    for place, block in enumerate(found):
        if block.symbols[-1] == before and (block.first, block.last) == (first, last) and len(block) < largest:
            return place
    return None


def _stretches(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days as unbroken stretches, each given by its first and last day."""
    stretches: list[tuple[date, date]] = []
    for day in sorted(days):
        if stretches and day - stretches[-1][1] == timedelta(days=1):
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return stretches
