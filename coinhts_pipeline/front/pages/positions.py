"""Positions kept by hand, as people see them.

What lives here: the page. What stays out: what a position earned (`coinhts_core.holdings`), and changing one, which the
command and the API do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args

from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet import words
from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.holdings.book import KEPT
from coinhts_core.holdings.document import PositionDocument, totals
from coinhts_core.holdings.holding import State
from coinhts_pipeline.front.pages.looks import (
    ROOT,
    Column,
    choice,
    code,
    entry,
    facts,
    form,
    link,
    moment,
    note,
    page,
    section,
    table,
)

HERE = "positions"
LIST = f"{ROOT}{HERE}"
_COLUMNS = (
    Column("Position"),
    Column("Opened"),
    Column("Closed"),
    Column("Volume", is_number=True),
    Column("Fees", is_number=True),
    Column("Realised", is_number=True),
    Column("Unrealised", is_number=True),
    Column("Return", is_number=True),
    Column("Worst moment (MAE)", is_number=True),
    Column("Best moment (MFE)", is_number=True),
    Column("Note"),
)


@dataclass(frozen=True)
class Shown:
    """Some positions, how many there are like them, and what was asked for."""

    documents: Sequence[PositionDocument]
    matching: int
    asked: Mapping[str, str]
    rows: int

    @property
    def offset(self) -> int:
        return int(self.asked.get("offset", "0"))


def positions_page(of: Shown) -> str:
    return page("Positions", _changing(), _filters(of.asked), *_listed(of), here=HERE)


def _changing() -> Markup:
    """Nothing is changed here: who did what belongs to whoever does it."""
    deeds = joined(code("coinhts position open"), ", ", code("close"), ", ", code("annotate"), " and ", code("delete"))
    return note("The book of positions kept by hand, open ones first. ", deeds, " change it; so does /api/positions.")


def _filters(asked: Mapping[str, str]) -> Markup:
    states = {"": "every state", **{state: state for state in get_args(State) if state in KEPT}}
    return form(
        choice("state", "State", states, asked.get("state", "")),
        entry("symbol", "Coin", asked.get("symbol", ""), placeholder="KRW-BTC", autocomplete="off"),
        deed="Show",
        to=LIST,
    )


def _listed(of: Shown) -> list[Markup]:
    if not of.documents and not of.asked:
        opening = code("coinhts position open KRW-BTC --price 95000000 --volume 0.01")
        return [note("Nothing is kept here yet. ", opening, " writes down the first one.")]
    if not of.documents:
        return [note("No position is like that.")]
    caption = f"{len(of.documents)} of {of.matching:,} positions"
    rows = [_row(one) for one in of.documents]
    return [_totals(of), table("positions", caption, _COLUMNS, rows), _pager(of), *_warnings(of.documents)]


def _totals(of: Shown) -> Markup:
    found = totals(of.documents)
    rate = UNDEFINED if found["win_rate"] is None else words.share(found["win_rate"])
    told = {
        "Realised, of those listed": words.krw(found["realised_krw"]),
        "Unrealised, of those listed": words.krw(found["unrealised_krw"]),
        "Won and lost": f"{found['wins']} and {found['losses']}",
        "Share won": rate,
    }
    unvalued = {"Open, without a price": str(found["unvalued"])} if found["unvalued"] else {}
    return facts(told | unvalued)


def _row(of: PositionDocument) -> list[str]:
    fees = of.entry_fee_krw + (of.exit_fee_krw or Decimal(0))
    volume = joined(exact(of.volume_base), tag("div", tag("small", of.symbol.removeprefix("KRW-"))))
    return [
        joined(tag("span", of.symbol, class_="coin"), tag("div", tag("small", f"{of.id}, {of.state}"))),
        joined(moment(of.opened_at), _at(of.entry_price_krw)),
        joined(moment(of.closed_at), _at(of.exit_price_krw)) if of.closed_at else UNDEFINED,
        volume,
        words.krw(float(fees)),
        words.krw(of.realised_krw),
        joined(words.krw(of.unrealised_krw), _at(of.mark_price_krw)),
        percent(of.return_),
        percent(of.mae),
        percent(of.mfe),
        of.note,
    ]


def _at(price: Decimal | None) -> Markup:
    return Markup() if price is None else tag("div", tag("small", f"at {exact(price)} KRW"))


def exact(number: Decimal) -> str:
    """Every digit there is, and no nought behind the last."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _pager(of: Shown) -> Markup:
    query: dict[str, Any] = dict(of.asked)
    before, after = max(of.offset - of.rows, 0), of.offset + of.rows
    back = [link("Before these", LIST, **{**query, "offset": before or None})] if of.offset else []
    on = [link("After these", LIST, **{**query, "offset": after})] if after < of.matching else []
    return tag("p", *back, *on, class_="deeds")


def _warnings(documents: Sequence[PositionDocument]) -> list[Markup]:
    told = [tag("li", f"{of.symbol} {of.id}: {warning}") for of in documents for warning in of.warnings]
    return [section("What is not known", tag("ul", *told))] if told else []
