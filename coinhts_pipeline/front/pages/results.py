"""Results that were kept, as lists: the latest of them, and all that are looked for.

What lives here: lists, and the ways from and to them. What to add: a column, a filter. What stays out: reading them
(`result_pages`), and a single result (`runs`, `sweeps`, `walks`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet.markup import Markup, tag
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_core.results.facts import KINDS
from coinhts_core.results.kept import SORTS, Kept, Wanted
from coinhts_pipeline.front.pages.looks import (
    ROOT,
    Column,
    address,
    button,
    choice,
    code,
    days,
    entry,
    form,
    link,
    moment,
    note,
    page,
    section,
    table,
)

HERE = "results"
LIST, COMPARE = f"{ROOT}results", f"{ROOT}compare"
_SHORT = 12
_SORTED: Mapping[str, str] = {
    "newest": "Kept",
    "return": "Return",
    "drawdown": "Drawdown",
    "sharpe": "Sharpe",
    "trades": "Trades",
}
_FIRST: Mapping[str, str] = {
    "newest": "newest",
    "return": "highest return",
    "drawdown": "smallest drawdown",
    "sharpe": "highest Sharpe ratio",
    "trades": "most trades",
}


@dataclass(frozen=True)
class Listed:
    """A page of a list: what was asked for and found, how far each run may be trusted, and whether more follow."""

    asked: Mapping[str, str]
    wanted: Wanted
    rows: Sequence[Kept]
    grades: Mapping[str, str]
    has_more: bool


def latest(rows: Sequence[Kept]) -> Markup:
    """A few, for the front page."""
    if not rows:
        return section("Latest results", _empty())
    columns = [Column("Result"), Column("Return", is_number=True), Column("Sharpe", is_number=True), Column("Kept")]
    told = [(result_link(of), percent(of.total_return), figure("sharpe", of.sharpe), moment(of.kept_at)) for of in rows]
    return section("Latest results", table("latest", "The latest first", columns, told), tag("p", link("All", LIST)))


def results_page(of: Listed) -> str:
    found = _found(of) if of.rows else _nothing(of)
    return page("Results", _filters(of), found, _pager(of), here=HERE)


def result_link(of: Kept) -> Markup:
    """Where it is shown, in words that tell it from others."""
    kind = "" if of.kind == "backtest" else f"{of.kind} of "
    words = f"{kind}{of.strategy} on {', '.join(of.symbols)}, {of.timeframe}"
    return tag("a", words, href=place_of(of.id))


def place_of(identity: str) -> str:
    return f"{LIST}/{identity}"


def _filters(of: Listed) -> Markup:
    told = {name: of.asked.get(name, "") for name in ("strategy", "symbol", "from", "to", "min_return", "max_return")}
    return form(
        entry("strategy", "Strategy", told["strategy"]),
        choice("kind", "Kind", {"": "any", **{kind: kind for kind in KINDS}}, of.wanted.kind or ""),
        entry("symbol", "Coin", told["symbol"], placeholder="KRW-BTC"),
        entry("from", "Kept from, UTC", told["from"], type="date"),
        entry("to", "Kept until, UTC", told["to"], type="date"),
        entry("min_return", "Return at least", told["min_return"], placeholder="0.05 is 5 %", inputmode="decimal"),
        entry("max_return", "Return at most", told["max_return"], inputmode="decimal"),
        choice("sort", "First the", {sort: _FIRST[sort] for sort in SORTS}, of.wanted.sort),
        deed="Show",
        to=LIST,
        name="filters",
    )


def _found(of: Listed) -> Markup:
    first = of.wanted.offset + 1
    caption = f"Results {first:,} to {of.wanted.offset + len(of.rows):,}, the {_FIRST[of.wanted.sort]} first"
    listed = table("results", caption, _columns(of), [_row(kept, of.grades) for kept in of.rows], headed_by=1)
    deeds = tag("div", button("Compare the two chosen"), class_="deeds")
    return tag("form", listed, deeds, action=COMPARE, method="get")


def _columns(of: Listed) -> list[Column]:
    plain = [Column(label) for label in ("Compare", "Result", "Kind", "Strategy", "Coins", "Days")]
    figures = [_sortable(of, sort, is_number=True) for sort in ("return", "drawdown", "sharpe", "trades")]
    return [*plain, *figures, Column("Trust"), _sortable(of, "newest", is_number=False)]


def _sortable(of: Listed, sort: str, *, is_number: bool) -> Column:
    others = {name: value for name, value in of.asked.items() if name not in {"sort", "offset"}}
    is_sorted = sort == of.wanted.sort
    to = address(LIST, **others, sort=sort)
    return Column(_SORTED[sort], is_number, to, "descending" if is_sorted else None)


def _row(of: Kept, grades: Mapping[str, str]) -> list[str]:
    short = of.id[:_SHORT]
    return [
        tag("input", type="checkbox", name="id", value=of.id, aria_label=f"Compare {short}"),
        tag("a", short, href=place_of(of.id)),
        f"{of.kind}, pinned" if of.is_pinned else of.kind,
        of.strategy,
        ", ".join(of.symbols),
        days(of.first_day, of.last_day),
        percent(of.total_return),
        figure("max_drawdown", of.max_drawdown),
        figure("sharpe", of.sharpe),
        figure("trades", of.trades),
        grades.get(of.id, UNDEFINED),
        moment(of.kept_at),
    ]


def _nothing(of: Listed) -> Markup:
    if not of.asked:
        return _empty()
    return note("No result is like that. ", link("Show all", LIST))


def _empty() -> Markup:
    run = code("coinhts backtest run --strategy sma_cross --symbols KRW-BTC")
    return note("Nothing is kept yet: ", run, " keeps what it comes to, and so does asking under ", _requests(), ".")


def _requests() -> Markup:
    return link("Requests", f"{ROOT}requests")


def _pager(of: Listed) -> Markup:
    offset, limit = of.wanted.offset, of.wanted.limit
    return pager(LIST, of.asked, offset, limit, "results", has_more=of.has_more)


def pager(to: str, asked: Mapping[str, str], offset: int, limit: int, what: str, *, has_more: bool) -> Markup:
    """The way to the rows before and behind."""
    others = {name: value for name, value in asked.items() if name != "offset"}
    ways = []
    if offset:
        before = max(offset - limit, 0)
        ways.append(tag("a", f"{limit:,} before", href=address(to, **others, offset=before or None), rel="prev"))
    if has_more:
        ways.append(tag("a", f"{limit:,} more", href=address(to, **others, offset=offset + limit), rel="next"))
    spaced = [part for way in ways for part in (way, " ")]
    return tag("nav", tag("p", *spaced), aria_label=f"Further {what}") if ways else Markup()
