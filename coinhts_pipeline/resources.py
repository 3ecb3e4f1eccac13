"""From settings to core objects: what assets, sensors and commands hold in their hands.

What lives here: `House`. What stays out: what is done with it (`defs`), and starting servers (`installation`). It has
no fields on purpose: the UI shows a resource's fields, and addresses carry passwords.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import PrivateAttr

from coinhts_core.candles.registry import Registered, registered_symbols
from coinhts_core.exchanges import Exchange, open_exchange
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.lineup import Entry, read_lineup
from coinhts_core.markets import Market
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.claims import claim
from coinhts_pipeline.log_ids import in_lines, of_run


class Rooms:
    """The core's doors for one process, each opened when first used."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger

    @classmethod
    @contextmanager
    def open(cls, settings: Settings) -> Iterator[Self]:
        if settings.postgres_url is None:
            msg = "the ledger's address is set by `coinhts` before anything runs"
            raise RuntimeError(msg)
        with Ledger.open(settings.postgres_url.get_secret_value()) as ledger:
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


def claims_folder(settings: Settings) -> Path:
    return settings.home / "dagster" / "claims"


class House(dg.ConfigurableResource[Any]):
    """The rooms a run may enter: ledger, lake, exchange, lineup. Whoever opens them for a run claims it."""

    _rooms: Rooms | None = PrivateAttr(None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        settings = read_settings()
        ids = of_run(context.run.run_id, context.run.tags) if context.run else {}
        if context.run:
            claim(claims_folder(settings), context.run.run_id)
        with in_lines(**ids), Rooms.open(settings) as self._rooms:
            yield self
        self._rooms = None

    @property
    def rooms(self) -> Rooms:
        if self._rooms is None:
            msg = "the house is open only inside a run"
            raise RuntimeError(msg)
        return self._rooms
