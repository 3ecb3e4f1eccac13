"""coinhts position: positions that people keep by hand.

What lives here: the group's commands. What stays out: what fields take, and what a position is worth
(`coinhts_core.holdings`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from coinhts_pipeline.commands.options import command, document, who

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from decimal import Decimal

    from coinhts_core.holdings.book import Author, Book
    from coinhts_core.holdings.document import PositionDocument
    from coinhts_core.holdings.holding import Holding
    from coinhts_core.holdings.prices import Prices

_number = click.argument("number", type=click.IntRange(1, 10**18))
_version = click.option("--version", help="The version you looked at; as it is now when not given.")
_TIME = "Such as 2026-01-02T12:04:05+09:00 or '2026-01-02 12:04 KST'"
Deed = Callable[["Book", int, Mapping[str, object], "Author"], "Holding"]


@click.group()
def position() -> None:
    """Positions kept by hand, in the book `manual`."""


@position.command("list")
@click.option("--symbol", help="Such as KRW-BTC; all when not given.")
@click.option("--state", help="open, closed, cancelled or deleted; all but the deleted when not given.")
@click.option("--limit", help="How many at most; 100 when not given.")
@command
def position_list(*, as_json: bool, **said: str | None) -> None:
    """Positions, the latest first, and what they earned."""
    from coinhts_core.clock import now
    from coinhts_core.holdings.document import document_of, totals
    from coinhts_pipeline import screen

    with _opened() as (book, prices):
        found = book.listed(said)
        documents = [document_of(of, prices, now(), is_whole=False) for of in found.holdings]
    facts = totals(documents)
    if as_json:
        document({"positions": [of.facts for of in documents], "matching": found.matching, "totals": facts})
    elif documents:
        columns = ["", "coin", "state", "since (UTC)", "volume", "entry", "exit or last", "profit"]
        screen.table(columns, [_row(of) for of in documents], words=3)
        beyond = f" (the latest of {found.matching})" if found.matching > len(documents) else ""
        won = f"realised {facts['realised_krw']:+,} KRW, unrealised {facts['unrealised_krw']:+,} KRW"
        won += f", {facts['unvalued']} without a stored close" if facts["unvalued"] else ""
        screen.say(screen.plain(f"{facts['count']} positions{beyond}: {won}"))
    else:
        screen.say("there is no such position")


@position.command("show")
@_number
@command
def position_show(number: int, *, as_json: bool) -> None:
    """One position, its money, and its worst and best moment."""
    with _opened() as (book, prices):
        _tell(book.find(number), prices, as_json=as_json)


@position.command("history")
@_number
@command
def position_history(number: int, *, as_json: bool) -> None:
    """Who did what to a position, and when, also after its deletion."""
    from coinhts_pipeline import screen

    with _opened() as (book, _):
        events = book.history(number)
    if as_json:
        document([of.facts for of in events])
        return
    rows = [
        [str(of.version), screen.moment(of.changed_at), of.what, _changes(of.changed), of.changed_by] for of in events
    ]
    screen.table(["", "when", "what", "from -> to", "who"], rows)


@position.command("open")
@click.argument("symbol")
@click.option("--price", "entry_price_krw", required=True, help="What a coin cost, KRW.")
@click.option("--volume", "volume_base", required=True, help="How many coins.")
@click.option("--time", "opened_at", help=f"{_TIME}; now when not given.")
@click.option("--fee-rate", "entry_fee_rate", help="A fraction; by the rule book of the day when not given.")
@click.option("--note", help="Whatever you want to remember.")
@click.option("--key", help="A name of your own: sent again with it, it is opened once.")
@command
def position_open(*, as_json: bool, **said: str | None) -> None:
    """Keep a coin that was bought."""
    with _opened() as (book, prices):
        holding, _ = book.open(said, _author())
        _tell(holding, prices, as_json=as_json)


@position.command("close")
@_number
@click.option("--price", "exit_price_krw", required=True, help="What a coin was sold for, KRW.")
@click.option("--time", "closed_at", help=f"{_TIME}; now when not given.")
@click.option("--fee-rate", "exit_fee_rate", help="A fraction; by the rule book of the day when not given.")
@click.option("--slippage", "slippage_krw", help="KRW lost beside what the price says; 0 when not given.")
@click.option("--note", help="Instead of the note that is there.")
@_version
@command
def position_close(number: int, *, as_json: bool, **said: str | None) -> None:
    """Sold whole."""
    from coinhts_core.holdings.book import Book

    _change(number, Book.close, said, as_json=as_json)


@position.command("amend")
@_number
@click.option("--price", "entry_price_krw", help="What a coin cost, KRW.")
@click.option("--volume", "volume_base", help="How many coins.")
@click.option("--time", "opened_at", help=f"{_TIME}.")
@click.option("--fee-rate", "entry_fee_rate", help="Of the entry, a fraction.")
@click.option("--exit-price", "exit_price_krw", help="What a coin was sold for, KRW.")
@click.option("--exit-time", "closed_at", help="When it was sold.")
@click.option("--exit-fee-rate", "exit_fee_rate", help="Of the exit, a fraction.")
@click.option("--slippage", "slippage_krw", help="KRW lost beside what the exit's price says.")
@click.option("--note", help="Instead of the note that is there.")
@_version
@command
def position_amend(number: int, *, as_json: bool, **said: str | None) -> None:
    """Correct what was written down; what it was stays in its history."""
    from coinhts_core.holdings.book import Book

    _change(number, Book.amend, said, as_json=as_json)


@position.command("annotate")
@_number
@click.argument("note")
@_version
@command
def position_annotate(number: int, *, as_json: bool, **said: str | None) -> None:
    """Write a note instead of the one that is there."""
    from coinhts_core.holdings.book import Book

    _change(number, Book.amend, said, as_json=as_json)


@position.command("cancel")
@_number
@_version
@command
def position_cancel(number: int, *, as_json: bool, **said: str | None) -> None:
    """It never was: opened by mistake."""
    from coinhts_core.holdings.book import Book

    _change(number, Book.cancel, said, as_json=as_json)


@position.command("delete")
@_number
@_version
@command
def position_delete(number: int, *, as_json: bool, **said: str | None) -> None:
    """Put one that is closed or cancelled out of sight; its history stays."""
    from coinhts_core.holdings.book import Book

    _change(number, Book.delete, said, as_json=as_json)


def _change(number: int, deed: Deed, said: Mapping[str, str | None], *, as_json: bool) -> None:
    with _opened() as (book, prices):
        version = said["version"] or str(book.find(number).version)
        _tell(deed(book, number, {**said, "version": version}, _author()), prices, as_json=as_json)


@contextmanager
def _opened() -> "Iterator[tuple[Book, Prices]]":
    from coinhts_core.holdings.book import Book
    from coinhts_core.holdings.prices import Prices
    from coinhts_core.lake.lake import Lake
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.schema import current_ledger

    settings = read_settings()
    with current_ledger(settings) as ledger:
        yield Book(ledger), Prices(Lake.open(settings.lake_url, settings.s3, settings.cache_folder))


def _author() -> "Author":
    from coinhts_core.clock import now
    from coinhts_core.holdings.book import Author

    return Author(who(), now())


def _tell(holding: "Holding", prices: "Prices", *, as_json: bool) -> None:
    from coinhts_core.clock import now
    from coinhts_core.holdings.document import document_of
    from coinhts_pipeline import screen

    told = document_of(holding, prices, now())
    if as_json:
        document(told.facts)
        return
    screen.table(["", ""], [[name, words] for name, words in _lines(told) if words])
    for warning in told.warnings:
        screen.note(warning)


def _lines(of: "PositionDocument") -> Iterator[tuple[str, str]]:
    from coinhts_core.backtests.report import percent
    from coinhts_pipeline import screen

    yield "position", f"{of.id}, {of.state}, version {of.version}"
    yield "coin", f"{_exact(of.volume_base)} of {of.symbol}"
    yield "opened", f"{screen.moment(of.opened_at)} at {_exact(of.entry_price_krw)} KRW"
    yield "paid", f"{_won(of.paid_krw)}, of which the fee is {_won(of.entry_fee_krw)}"
    if of.closed_at:
        yield "closed", f"{screen.moment(of.closed_at)} at {_exact(of.exit_price_krw)} KRW"
        costs = f"after the fee, {_won(of.exit_fee_krw)}, and slippage, {_won(of.slippage_krw)}"
        yield "received", f"{_won(of.received_krw)} {costs}"
    if of.marked_at:
        yield "last close", f"{_exact(of.mark_price_krw)} KRW, {screen.moment(of.marked_at)}"
    profit = of.realised_krw if of.unrealised_krw is None else of.unrealised_krw
    if profit is not None and of.return_ is not None:
        yield "unrealised" if of.closed_at is None else "realised", f"{profit:+,} KRW ({percent(of.return_)})"
    if of.held_s is not None:
        yield "held", _duration(of.held_s)
    if of.mae is not None and of.mfe is not None and of.measured_until:
        extremes = f"{percent(of.mae)} and {percent(of.mfe)}"
        yield "worst, best", f"{extremes} of the entry's price, until {screen.moment(of.measured_until)}"
    yield "note", of.note
    yield "key", of.key or ""


def _row(of: "PositionDocument") -> list[str]:
    price = of.mark_price_krw if of.exit_price_krw is None else of.exit_price_krw
    profit = of.realised_krw if of.unrealised_krw is None else of.unrealised_krw
    money = [
        _exact(of.volume_base),
        _exact(of.entry_price_krw),
        _exact(price),
        "" if profit is None else f"{profit:+,}",
    ]
    return [str(of.id), of.symbol, of.state, str(of.opened_at.date()), *money]


def _changes(changed: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name}: {'' if was is None else f'{was} -> '}{is_now}" for name, (was, is_now) in changed.items()
    )


def _won(amount: "Decimal | None") -> str:
    return f"{amount or 0:,.0f} KRW"


def _exact(amount: "Decimal | None") -> str:
    """A price or a count of coins, to its last digit."""
    return "" if amount is None else f"{amount.normalize():,f}"


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    parts = [(days, "d"), (hours, "h"), (rest // 60, "min"), (rest % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
