"""The tables of a tearsheet.

What lives here: one function a table, from a sheet to markup. What to add: a table, and its place in `page`. What stays
out: how numbers are printed (`words`), what they are (`figures`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby, pairwise
from math import prod

import polars as pl

from coinhts_core.backtests.figures import FEWEST_TRADES, FIGURES, Group
from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet import words
from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.backtests.undefined import Floats

MOST_TRADES = 100  # rows; of more, the first and the last half of them

_HEADLINE = (
    "total_return",
    "benchmark_return",
    "annual_return",
    "max_drawdown",
    "sharpe",
    "profit_factor",
    "win_rate",
    "trades",
)
_GROUPS: Mapping[Group, str] = {
    "return": "Return",
    "risk": "Risk",
    "benchmark": "Against the benchmark",
    "trades": "Trades",
    "costs": "Costs",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_AMOUNTS = ("Entry", "Exit", "Quantity", "Fees", "Profit", "Return")
_STRENGTHS = (0.01, 0.05, 0.10)  # where a month's colour gets stronger


def headline(of: Sheet) -> Markup:
    """The figures people look at first, each with the reason where there is none."""
    cards = [_card(of, name) for name in _HEADLINE if name in of.figures.values]
    return tag("dl", *cards, class_="cards")


def too_few_trades(of: Sheet) -> Markup:
    if not of.figures.has_too_few_trades:
        return Markup()
    trades = of.figures.values.get("trades") or 0
    sentence = f"Too few trades: {trades:.0f}. Fewer than {FEWEST_TRADES} tell more of luck than of the strategy."
    return tag("p", sentence, class_="badge")


def figures(of: Sheet) -> Markup:
    """Every figure with its meaning, or with the reason why it is undefined."""
    known = [(FIGURES[name].group, name) for name in of.figures.values if name in FIGURES]
    by_group = {group: [name for its, name in known if its == group] for group in _GROUPS}
    tables = [_figure_table(of, _GROUPS[group], names) for group, names in by_group.items() if names]
    return tag("div", *tables, class_="columns")


def monthly_returns(of: Sheet) -> Markup:
    months = monthly(of.days, of.equity)
    if not months:
        return tag("p", "There is no day.", class_="nothing")
    rows = []
    for year, its in groupby(months.items(), key=lambda item: item[0][0]):
        returned = {month: value for (_, month), value in its}
        known = [value for value in returned.values() if value is not None]
        cells = [_month_cell(returned.get(month)) for month in range(1, 13)]
        whole = _month_cell(prod(1.0 + value for value in known) - 1.0 if known else None)
        rows.append(tag("tr", tag("th", str(year), scope="row"), *cells, whole))
    head = _head(["UTC"], [*_MONTHS, "Year"])
    table = _scrolling("months", _table("Month by month", head, rows, class_="months"))
    return joined(table, tag("small", "The first and the last month may be parts of months."))


def monthly(days: Sequence[date], equity: Floats) -> dict[tuple[int, int], float | None]:
    """Each month's return, from the end of the month before, or the start, to its last day; none after ruin."""
    ends = {(day.year, day.month): float(worth) for day, worth in zip(days, equity[1:], strict=True)}
    worths = [*equity[:1].tolist(), *ends.values()]
    returned = (after / before - 1.0 if before > 0.0 else None for before, after in pairwise(worths))
    return dict(zip(ends, returned, strict=True))


def trades(of: Sheet) -> Markup:
    if of.trades.is_empty():
        return tag("p", "There was no trade.", class_="nothing")
    half = MOST_TRADES // 2
    left_out = max(of.trades.height - MOST_TRADES, 0)
    shown = pl.concat([of.trades.head(half), of.trades.tail(half)]) if left_out else of.trades
    has_symbols = "symbol" in shown.columns
    before = [*(["Symbol"] if has_symbols else []), "Opened", "Closed"]
    head = _head(before, _AMOUNTS, ["Reason"])
    rows = [_trade(row, has_symbols=has_symbols) for row in shown.iter_rows(named=True)]
    if left_out:
        note = f"{left_out:,} trades in between are left out"
        rows.insert(half, tag("tr", tag("td", note, colspan=len(before) + len(_AMOUNTS) + 1, class_="note")))
    caption = f"{of.trades.height:,} trades, amounts in KRW"
    return _scrolling("trade-list", _table(caption, head, rows, class_="trades"))


def costs(of: Sheet) -> Markup:
    """What trading took, and how much of what it had earned before that."""
    fees = of.figures.values.get("fees_krw")
    profit = float(of.trades["profit_krw"].drop_nulls().sum())
    slippage = of.slippage_krw or 0.0
    paid = float(of.trades["fees_krw"].drop_nulls().sum()) + slippage
    gross = profit + paid
    part = words.share(paid / gross) if gross > 0.0 else "nothing was earned before costs"
    rows = {
        "Profit before costs": words.krw(gross),
        "Fees, all fills": words.krw(fees),
        "Slippage": UNDEFINED if of.slippage_krw is None else words.krw(of.slippage_krw),
        "Profit after costs": words.krw(profit),
        "Costs, as a share of the profit before them": part,
    }
    return facts("Closed trades: what they earned and what they cost", rows)


def facts(caption: str, of: Mapping[str, object]) -> Markup:
    """Names, and what each is."""
    if not of:
        return Markup()
    rows = [tag("tr", tag("th", name, scope="row"), tag("td", _printed(value))) for name, value in of.items()]
    return _table(caption, Markup(), rows, class_="facts")


def _card(of: Sheet, name: str) -> Markup:
    value = of.figures.values[name]
    parts = [words.figure(name, value)]
    if value is None:
        parts.append(tag("small", of.figures.reasons.get(name, "")))
    elif name == "total_return" and of.has_two_bounds and of.optimistic is not None:
        best = percent(float(of.optimistic[-1] / of.optimistic[0] - 1.0))
        parts.append(tag("small", f"up to {best} if bars in doubt went well"))
    label = FIGURES[name].label
    return tag("div", tag("dt", label), tag("dd", *parts, class_=_sign(name, value)))


def _figure_table(of: Sheet, caption: str, names: Iterable[str]) -> Markup:
    rows = []
    for name in names:
        value, reason = of.figures.values[name], of.figures.reasons.get(name)
        told = f"undefined: {reason}" if reason else FIGURES[name].meaning
        label = tag("th", FIGURES[name].label, tag("small", told), scope="row")
        rows.append(tag("tr", label, tag("td", words.figure(name, value), class_="number")))
    return _table(caption, Markup(), rows, class_="figures")


def _sign(name: str, value: float | None) -> str | None:
    """Colour for what was won or lost, not for what merely is a number."""
    if value is None or FIGURES[name].unit != "return" or not value:
        return None
    return "gain" if value > 0.0 else "loss"


def _month_cell(value: float | None) -> Markup:
    if value is None:
        return tag("td")
    strength = sum(abs(value) >= bound for bound in _STRENGTHS)
    kind = "" if not value else f" {'gain' if value > 0.0 else 'loss'}-{strength}"
    return tag("td", f"{value:+.1%}", class_=f"number{kind}")


def _trade(row: Mapping[str, object], *, has_symbols: bool) -> Markup:
    profit, returned = _float(row["profit_krw"]), _float(row["return"])
    kind = "number" if not profit else f"number {'gain' if profit > 0.0 else 'loss'}"
    amounts = [words.number(_float(row[name])) for name in ("entry_price", "exit_price", "quantity")]
    fees = _float(row["fees_krw"])
    return tag(
        "tr",
        *([tag("td", str(row["symbol"]))] if has_symbols else []),
        tag("td", _moment(row["opened_at"])),
        tag("td", _moment(row["closed_at"])),
        *(tag("td", amount, class_="number") for amount in amounts),
        tag("td", UNDEFINED if fees is None else f"{fees:,.0f}", class_="number"),
        tag("td", UNDEFINED if profit is None else f"{profit:+,.0f}", class_=kind),
        tag("td", percent(returned), class_=kind),
        tag("td", str(row["reason"] or UNDEFINED)),
    )


def _moment(at: object) -> Markup:
    if not isinstance(at, datetime):
        return joined("still open")
    return tag("time", words.in_utc(at), tag("small", words.in_kst(at)), datetime=at.isoformat())


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _printed(value: object) -> str:
    if value is None:
        return UNDEFINED
    return words.number(value) if isinstance(value, float) else str(value)


def _head(before: Sequence[str], numbers: Sequence[str], after: Sequence[str] = ()) -> Markup:
    return tag(
        "tr",
        *(tag("th", name, scope="col") for name in before),
        *(tag("th", name, scope="col", class_="number") for name in numbers),
        *(tag("th", name, scope="col") for name in after),
    )


def _table(caption: str, head: Markup, rows: Sequence[Markup], class_: str) -> Markup:
    body = [tag("thead", head)] if head else []
    return tag("table", tag("caption", caption), *body, tag("tbody", *rows), class_=class_)


def _scrolling(name: str, table: Markup) -> Markup:
    """Wider than a phone: the table scrolls, not the page, and by keyboard, too."""
    return tag(
        "div", table, class_="scrolling", role="region", tabindex=0, id=name, aria_label="Table, scrolls sideways"
    )
