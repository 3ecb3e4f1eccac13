"""Venues: one file, one venue, found by its name.

What lives here: what a venue must be able to say, and the door, `open_exchange`. What to add: a file (or
package) in this folder holding one class derived from `Exchange`; nothing else needs an edit, and the
contract suite tries it. What stays out: what to ask for and when (`candles.collection`), and whether to
believe the answer (`candles.frame`).

A venue knows no time: days that are not over yet are the caller's to leave out. It raises our own errors
only.
"""

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Self

import polars as pl

from coinhts_core.discovery import load_from_package, names_in
from coinhts_core.errors import BadSettingError
from coinhts_core.markets import Market
from coinhts_core.settings import Settings, read_settings
from coinhts_core.wording import nearest


@dataclass(frozen=True)
class MarketListing:
    """A market as the venue's list shows it; a warned one may soon be delisted, cautions are the venue's own words."""

    symbol: Market
    korean_name: str
    english_name: str
    is_warned: bool
    cautions: tuple[str, ...] = ()


class Exchange(ABC):
    """A venue. A symbol it never listed is an UnknownMarketError; frames have the columns of `CANDLES`."""

    needs_network: ClassVar[bool] = True
    calls_per_second: float = math.inf

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The venue as the settings want it; one that needs no network needs none of them."""
        del settings
        return cls()

    def close(self) -> None:  # noqa: B027 - not abstract, because most venues hold nothing open
        """Give back connections; the venue is not used any more."""

    def calls_for(self, first_day: date, days: Iterable[date]) -> int:
        """At most so many calls bring the minutes of these days of a symbol whose first day that is."""
        del first_day, days
        return 0

    def blocked_until(self) -> datetime | None:
        """When the venue, which has blocked us, may be called again; None while it may be now."""
        return None

    def clock(self) -> datetime | None:
        """What the venue's clock shows, to the second, as it answers one small call; None where it does not tell."""
        return None

    @abstractmethod
    def markets(self) -> list[MarketListing]:
        """Everything that is listed, by symbol."""

    @abstractmethod
    def first_day(self, symbol: Market) -> date:
        """Day of the symbol's first daily bar."""

    @abstractmethod
    def last_day(self, symbol: Market) -> date | None:
        """Day of the last trade before the delisting; None while the symbol is listed.

        A venue that keeps none of its candles does not know the market any more.
        """

    @abstractmethod
    def minutes(self, symbol: Market, day: date) -> pl.DataFrame:
        """Minute bars of one UTC day, oldest first; minutes without a trade have none."""

    @abstractmethod
    def days(self, symbol: Market, first: date, last: date) -> pl.DataFrame:
        """Daily bars from first to last, both included, oldest first."""


def exchange_names() -> list[str]:
    return names_in(sys.modules[__name__])


def open_exchange(name: str, settings: Settings | None = None) -> Exchange:
    """A venue by its name; a script or a notebook leaves its settings to the environment."""
    names = exchange_names()
    if name not in names:
        reason = f"choose one of {', '.join(names)}{nearest(name, names)}"
        raise BadSettingError(name="COINHTS_EXCHANGE", value=name, reason=reason)
    venue = load_from_package(sys.modules[__name__], name, Exchange)  # type: ignore[type-abstract]  # of the base
    return venue.open(settings or read_settings())
