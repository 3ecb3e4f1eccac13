"""The core's doors, and a home made ready for whoever walks through them: schema, venue, universe.

What lives here: `Rooms`, and `open_rooms` for commands that need no Dagster. What stays out: Dagster's part of a home
(`installation`), and the rooms as assets are handed them (`resources`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Self

from coinhts_core.candles.registry import Registered, register, registered_symbols, universe
from coinhts_core.errors import NotFollowedError, RefusedError
from coinhts_core.exchanges import Exchange, open_exchange
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.address import reachable, url_of
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.venue import find_venue, mark_venue
from coinhts_core.lineup import Entry, read_lineup
from coinhts_core.markets import Market
from coinhts_core.settings import Settings
from coinhts_pipeline.schema import bring_forward


class Rooms:
    """The core's doors for one process, each opened when first used."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger

    @classmethod
    @contextmanager
    def open(cls, settings: Settings) -> Iterator[Self]:
        with Ledger.open(url_of(settings)) as ledger:
            rooms = cls(settings, ledger)
            try:
                yield rooms
            finally:
                rooms.close()

    def close(self) -> None:
        if "exchange" in vars(self):
            self.exchange.close()

    @cached_property
    def lake(self) -> Lake:
        return Lake.open(self.settings.lake_url, self.settings.s3, self.settings.cache_folder)

    @cached_property
    def exchange(self) -> Exchange:
        return open_exchange(self.settings.exchange, self.settings)

    @cached_property
    def lineup(self) -> Mapping[str, Entry]:
        return read_lineup(self.settings.strategies_folder, self.settings.lineup_file)

    @property
    def symbols(self) -> dict[Market, Registered]:
        return {registered.symbol: registered for registered in registered_symbols(self.ledger)}

    @property
    def active(self) -> list[Registered]:
        return [registered for registered in self.symbols.values() if registered.is_active]

    def chosen(self, text: str | None) -> list[Registered]:
        """The asked symbols, each of them followed; all active ones when none is asked for."""
        known = self.symbols
        active = {symbol: of for symbol, of in known.items() if of.is_active}
        if text is None:
            return list(active.values())
        words = [word for word in text.split(",") if word.strip()] or [text]
        asked = [Market.parse(word) for word in words]
        for symbol in universe(self.exchange, asked, list(known.values())):
            if symbol not in active:
                raise NotFollowedError(symbol=symbol, followed=", ".join(active))
        return [active[symbol] for symbol in dict.fromkeys(asked)]


@contextmanager
def open_rooms(settings: Settings) -> Iterator[Rooms]:
    """A server that answers, the ledger's schema as this code knows it, one venue, and the universe registered."""
    if settings.restoring_note.exists():
        reason = f"{settings.home} holds half of a backup; `coinhts backup restore` goes on where it stopped"
        raise RefusedError(reason=reason)
    with reachable(settings) as found, Rooms.open(found) as rooms:
        bring_forward(found, rooms.ledger)
        _mark_venue(rooms)
        wanted = universe(rooms.exchange, found.symbols, list(rooms.symbols.values()))
        register(rooms.ledger, rooms.exchange, wanted, found.start_date)
        yield rooms


def _mark_venue(rooms: Rooms) -> None:
    """Data of two venues is never mixed; a name that is no venue's never becomes a mark."""
    venue, home = rooms.settings.exchange, rooms.settings.home
    if find_venue(rooms.ledger) is None:
        venue = rooms.exchange.name
    mark_venue(rooms.ledger, venue, suggestion=f"{home}-{venue}")
    rooms.lake.mark_venue(venue, suggestion=f"{home}-{venue}")
