"""The venue's rule book by effective date: what an order costs, how small it may be, which prices exist.

What lives here: `rules_on`, and the rounding of a price to its tick. What to add: a new entry in
`rules.toml`, dated; old entries stay, because the days traded under them are counted by them. What stays out:
the account's own costs (`backtests.account`) and what a live venue says about one coin (`exchanges`), which
wins there.

A day before the first entry of its kind uses that first entry.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from importlib import resources
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coinhts_core.errors import RefusedError
from coinhts_core.hashes import Fact

_BEYOND_ANY_PRICE = 10**15


@dataclass(frozen=True)
class Rules:
    """The entries in force on one day. `ticks` holds (from this price, tick), highest price first."""

    fee_rate: Decimal
    minimum_krw: Decimal
    ticks: tuple[tuple[Decimal, Decimal], ...]

    def tick_at(self, price: Decimal) -> Decimal:
        if not (price.is_finite() and 0 <= price < _BEYOND_ANY_PRICE):
            raise RefusedError(reason=f"{price} is not a price in KRW; give one from 0 to below {_BEYOND_ANY_PRICE:,}")
        return next(tick for from_price, tick in self.ticks if price >= from_price)

    def round_down(self, price: Decimal) -> Decimal:
        """Highest price on the grid that is not above: what a buying limit becomes."""
        tick = self.tick_at(price)
        return price // tick * tick

    def round_up(self, price: Decimal) -> Decimal:
        """Lowest price on the grid that is not below: what a selling limit becomes."""
        below = self.round_down(price)
        return below if below == price else below + self.tick_at(price)

    def is_on_tick(self, price: Decimal) -> bool:
        return price > 0 and self.round_down(price) == price

    @property
    def tick_bounds(self) -> NDArray[np.float64]:
        """The prices where ticks change, highest first, for a compiled loop."""
        return np.array([float(from_price) for from_price, _ in self.ticks])

    @property
    def tick_sizes(self) -> NDArray[np.float64]:
        return np.array([float(tick) for _, tick in self.ticks])

    def as_facts(self) -> dict[str, Fact]:
        """Facts for an identity: the values alone, so that a later entry changes no earlier day."""
        return dict(self._facts)

    @cached_property
    def _facts(self) -> dict[str, Fact]:
        return {
            "fee_rate": _plain(self.fee_rate),
            "minimum_krw": _plain(self.minimum_krw),
            "ticks": [[_plain(from_price), _plain(tick)] for from_price, tick in self.ticks],
        }


def rules_on(day: date) -> Rules:
    """The same object on all days of a stretch between two changes."""
    return _rules_since(max((change for change in days_of_change() if change <= day), default=date.min))


@cache
def _rules_since(day: date) -> Rules:
    book = {kind: _in_force(entries, day) for kind, entries in _book().items()}
    return Rules(
        fee_rate=Decimal(book["fee_rate"]),
        minimum_krw=Decimal(book["minimum_krw"]),
        ticks=tuple((Decimal(from_price), Decimal(tick)) for from_price, tick in book["ticks"]),
    )


@cache
def days_of_change() -> tuple[date, ...]:
    """The days on which an entry came into force."""
    return tuple(sorted({entry["effective_from"] for entries in _book().values() for entry in entries}))


def _in_force(entries: list[dict[str, Any]], day: date) -> Any:
    dated = sorted(entries, key=itemgetter("effective_from"))
    begun = [entry for entry in dated if entry["effective_from"] <= day]
    return (begun[-1] if begun else dated[0])["value"]


@cache
def _book() -> dict[str, list[dict[str, Any]]]:
    text = resources.files("coinhts_core").joinpath("rules.toml").read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
