"""coinhts market: what the exchange lists.

What lives here: the group's commands. What stays out: past lists (`coinhts_core.candles.listings`).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.candles.listings import Universe
    from coinhts_core.candles.registry import Registered
    from coinhts_core.exchanges import MarketListing
    from coinhts_core.markets import Market


@click.group()
def market() -> None:
    """The exchange's list of markets, of today and of days gone by."""


@market.command("list")
@click.option("--date", "day", help="A day such as 20260131 (UTC), as it was recorded; today when not given.")
@command
def market_list(*, day: str | None, as_json: bool) -> None:
    """Every market with its names and warnings, whether it is followed, and since when and until when it traded."""
    from coinhts_core.candles.listings import Universe, universe_on
    from coinhts_core.clock import now
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.rooms import open_rooms

    today = now().date()
    asked = _day(day, today)
    with open_rooms(read_settings()) as rooms:
        if asked is None:
            listed = rooms.exchange.markets()
            markets = [*listed, *_gone(rooms.symbols, listed)]
            universe = Universe(today, today, markets, f"as {rooms.exchange.name} lists them now")
        else:
            universe = universe_on(rooms.ledger, asked)
        rows = [_row(of, rooms.symbols.get(of.symbol)) for of in universe.markets]
    if as_json:
        document({"day": universe.day, "recorded_on": universe.recorded_on, "told": universe.told, "markets": rows})
    else:
        _show(universe, rows)


def _day(text: str | None, today: date) -> date | None:
    from coinhts_core.days import parse_day
    from coinhts_core.errors import BadTimeRangeError

    day = parse_day(text) if text else None
    if text and day and day > today:
        raise BadTimeRangeError(text=text, reason="that day is still to come")
    return day


def _gone(known: "Mapping[Market, Registered]", listed: "Iterable[MarketListing]") -> "list[MarketListing]":
    """Coins that were followed once and are on the list no more; the list had their names."""
    from coinhts_core.exchanges import MarketListing

    symbols = {of.symbol for of in listed}
    return [
        MarketListing(of.symbol, "", "", is_warned=False)
        for of in known.values()
        if of.delisted_on and of.symbol not in symbols
    ]


def _row(listing: "MarketListing", known: "Registered | None") -> dict[str, Any]:
    return {
        **vars(listing),
        "is_followed": known is not None and known.is_active,
        "first_day": known.first_day if known else None,
        "delisted_on": known.delisted_on if known else None,
    }


def _show(universe: "Universe", rows: list[dict[str, Any]]) -> None:
    from coinhts_pipeline import screen

    screen.say(f"{len(rows)} markets on {universe.day}, {universe.told}\n")
    columns = ["symbol", "name", "한글", "followed", "warned", "cautions", "first day", "delisted"]
    shown = [
        [
            row["symbol"],
            row["english_name"],
            row["korean_name"],
            "yes" if row["is_followed"] else "",
            "yes" if row["is_warned"] else "",
            ", ".join(row["cautions"]),
            str(row["first_day"] or ""),
            str(row["delisted_on"] or ""),
        ]
        for row in rows
    ]
    screen.table(columns, shown)
