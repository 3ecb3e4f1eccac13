"""The agenda: which symbol-days still need work, so that nobody does work twice.

What lives here: the days to extend a universe by, and the days that something left stale. What stays out: the
runs that do the work (`coinhts_pipeline`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from coinhts_core.backtests.chain import NOT_LISTED, WAITING
from coinhts_core.candles.frame import MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.days import DayRange
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.books import chain_ids
from coinhts_core.ledger.connection import Ledger
from coinhts_core.lineup import Entry
from coinhts_core.rehearsal import Rehearsal


@dataclass(frozen=True)
class Agenda:
    """What is stored, against what should be."""

    lake: Lake
    ledger: Ledger
    lineup: Mapping[str, Entry]

    def to_extend(self, registered: Registered, first: date, last: date) -> set[date]:
        """Days from the first absent one (or `first`, when earlier) to `last` that are not all current.

        With an absent day every later one changes, too, also one that rightly waits for it now.
        """
        covered = self.lake.heads(MINUTES, registered.symbol).keys()
        listed = [day for day in DayRange(registered.anchor, last) if registered.is_listed_on(day)]
        since = next((day for day in listed if day not in covered), None)
        behind = {day for day in listed if since and day >= since}
        days = DayRange(min([first, *behind]), last)
        return behind | {day for entry in self.lineup.values() for day in self._outdated(entry, registered, days)}

    def stale(self, registered: Registered, last: date) -> dict[date, str]:
        """Stored days that something left behind (new code, repaired candles, an earlier start), and why.

        Where a folded day would come to wait, the days it would wait for are named, too. Days before a later start
        stay as they are.
        """
        found: dict[date, str] = {}
        for entry in self.lineup.values():
            stored = self.lake.heads(f"backtests/{entry.name}", registered.symbol)
            days = [day for day in stored if day <= last and not _is_before_start(registered, day)]
            outdated = self._outdated(entry, registered, days)
            found |= {
                day: f"{entry.name} waited for candles"
                if stored[day].data_version == WAITING
                else f"{entry.name} is stale"
                for day in outdated
            }
            folded = [day for day in outdated if stored[day].data_version not in {WAITING, NOT_LISTED}]
            found |= dict.fromkeys(self._absent_before(registered, folded), "its candles are missing")
        return found

    def _absent_before(self, registered: Registered, days: Sequence[date]) -> list[date]:
        """Listed days without candles before the last of these days."""
        covered = self.lake.heads(MINUTES, registered.symbol)
        lead = DayRange(registered.anchor, max(days)) if days else ()
        return [day for day in lead if registered.is_listed_on(day) and day not in covered]

    def _outdated(self, entry: Entry, registered: Registered, days: Iterable[date]) -> set[date]:
        """Days whose stored signals, backtest or positions are not what a rehearsal of now would store."""
        wanted = list(days)
        if not wanted:
            return set()
        symbol, span = registered.symbol, (min(wanted), max(wanted))
        rehearsal = Rehearsal(self.lake, entry, registered, span[1])
        links = rehearsal.links(wanted)
        folded = self.lake.heads(f"backtests/{entry.name}", symbol)
        decided = self.lake.heads(f"signals/{entry.name}", symbol)
        booked = chain_ids(self.ledger, f"backtest:{entry.name}", symbol, *span)
        expected = rehearsal.signal_entries(wanted)
        return {
            day
            for day in wanted
            if booked.get(day) != links[day]
            or day not in folded
            or folded[day].data_version != links[day]
            or decided.get(day) != expected[day]
        }


def _is_before_start(registered: Registered, day: date) -> bool:
    """An anchor after the coin's first day is the start; what lies before it is no partition."""
    return day < registered.anchor and registered.first_day < registered.anchor
