"""The reception: from the words of a request to its place in the queue, the same for every door of the house.

What lives here: `Reception`. What stays out: how a door hears the words (the command line, HTTP, a job's form), and the
queue (`desk`).
"""

import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from threading import RLock
from typing import Any, TypeVar

from coinhts_core import code_version
from coinhts_core.candles.registry import Registered, registered_symbols
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.lineup import Entry, read_lineup
from coinhts_core.markets import Market
from coinhts_core.requests.choices import Choices, choices_of
from coinhts_core.requests.desk import Desk, Standing
from coinhts_core.requests.furnish import Furnished, Known, furnish
from coinhts_core.requests.request import Request, read_request
from coinhts_core.settings import Settings

_NO_LINEUP: Mapping[str, Entry] = {}
T = TypeVar("T")


class Reception:
    """Takes requests; what it has read of the house it may remember for a moment, if many ask at once."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        lake: Lake,
        remembers_s: float = 0.0,
        watch: Callable[[], float] = time.monotonic,
    ) -> None:
        self.desk = Desk(ledger)
        self._settings, self._ledger, self._lake = settings, ledger, lake
        self._remembers_s, self._watch = remembers_s, watch
        self._remembered: dict[tuple[str, ...], tuple[float, Any]] = {}
        self._files: list[tuple[str, float]] | None = None
        self._reading = RLock()

    def submit(self, asked: bytes | Mapping[str, Any], moment: datetime) -> Standing:
        """What was answered once is found again, unless its result was thrown away since."""
        furnished = self.furnished(read_request(asked), moment)
        standing = self.desk.submit(furnished.request, furnished.identity, moment)
        if standing.state == "completed" and self.desk.forget_lost(standing.id):
            return self.desk.submit(furnished.request, furnished.identity, moment)
        return standing

    def furnished(self, request: Request, moment: datetime) -> Furnished:
        return furnish(request, self._known(self._lineup(), moment))

    def choices(self, moment: datetime) -> Choices:
        """What may be asked about now."""
        return choices_of(self._known(self._lineup(), moment))

    def recalled(self, asked: Mapping[str, Any], moment: datetime) -> Furnished:
        """One that was furnished before, as it would be furnished now: the lineup has no part in it any more."""
        return furnish(read_request(asked), self._known(_NO_LINEUP, moment))

    def _known(self, lineup: Mapping[str, Entry], moment: datetime) -> Known:
        days = DayRange(self._settings.start_date, last_complete_day(moment))
        symbols = self._lately(("symbols",), self._symbols)
        return Known(symbols, lineup, self._settings.strategies_folder, days, self._heads)

    def _symbols(self) -> dict[Market, Registered]:
        return {of.symbol: of for of in registered_symbols(self._ledger)}

    def _lineup(self) -> Mapping[str, Entry]:
        return self._lately(("lineup",), self._read_lineup)

    def _read_lineup(self) -> Mapping[str, Entry]:
        """A strategy's file may have changed since its code was last looked at."""
        folder, lineup = self._settings.strategies_folder, self._settings.lineup_file
        files = sorted((file.name, file.stat().st_mtime) for file in folder.glob("*.py"))
        if files != self._files:
            code_version.forget()
            self._files = files
        return read_lineup(folder, lineup)

    def _heads(self, asset: str, symbol: Market) -> Mapping[date, DayEntry]:
        return self._lately((asset, symbol), lambda: self._lake.heads(asset, symbol))

    def _lately(self, name: tuple[str, ...], read: Callable[[], T]) -> T:
        """Where many ask at once, one reads, and the others wait for it."""
        with self._reading:
            moment = self._watch()
            read_at, known = self._remembered.get(name, (float("-inf"), None))
            if known is None or moment - read_at >= self._remembers_s:
                known = read()
                self._remembered[name] = (moment, known)
            found: T = known
            return found
