"""The leaderboard as people see it: which strategy suits which coin, and how sure that is.

What lives here: the page. What stays out: the ranking (`coinhts_core.results.ranking`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet import words
from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_core.backtests.undefined import Undefined
from coinhts_core.results.ranking import METHOD, SURE, Asked, Ranked, Suited
from coinhts_pipeline.front.pages.looks import (
    ROOT,
    Column,
    code,
    entry,
    form,
    link,
    note,
    page,
    section,
    table,
)
from coinhts_pipeline.front.pages.results import place_of

HERE = "leaderboard"
PLACE = f"{ROOT}{HERE}"
_WIDTH, _HEIGHT, _RIM = 160, 16, 5  # of an interval's drawing
_COINS = (Column("Coin"), Column("Which strategy suits it"), Column("Sharpe", is_number=True), Column("90 % interval"))
_STRATEGIES = (
    Column("Strategy"),
    Column("Sharpe", is_number=True),
    Column("90 % interval"),
    Column("Return", is_number=True),
    Column("Drawdown", is_number=True),
    Column("Trades", is_number=True),
    Column("Days", is_number=True),
    Column("Results", is_number=True),
    Column("Tried", is_number=True),
    Column("Above luck", is_number=True),
    Column("Trust"),
)


@dataclass(frozen=True)
class Board:
    """Some coins, what was asked for, and whether more follow."""

    coins: Sequence[Suited]
    asked: Asked
    has_more: bool


@dataclass(frozen=True)
class Scale:
    """Of all intervals on a page, so that they can be compared by eye; 0 is on it."""

    low: float
    high: float

    @classmethod
    def of(cls, coins: Sequence[Suited]) -> Self:
        known = [of.interval for coin in coins for of in coin.ranked if not isinstance(of.interval, Undefined)]
        return cls(min((0.0, *(low for low, _ in known))), max((0.0, *(high for _, high in known))))

    def place(self, value: float) -> float:
        """Across a drawing, a little off its rims."""
        span = self.high - self.low or 1.0
        return _RIM + (value - self.low) / span * (_WIDTH - 2 * _RIM)


def leaderboard_page(of: Board) -> str:
    return page("Which strategy suits which coin", *_lead(), _filters(of.asked), *_shown(of), here=HERE)


def _lead() -> list[Markup]:
    told = (
        f"Of every strategy the best kept backtest of a coin alone, by its Sharpe ratio, and its {SURE:.0%} interval: "
        f"{METHOD}. Where intervals overlap, nothing is decided. Results over other days answer other questions."
    )
    luck = (
        "An interval is that of one result by itself; that it is the best of many tries is told by the deflated Sharpe "
        "ratio (above luck) and by the word of trust, which count every combination that was ever tried."
    )
    return [tag("p", told), note(luck)]


def _filters(asked: Asked) -> Markup:
    days = {"type": "number", "min": "1", "inputmode": "numeric"}
    return form(
        entry("symbol", "Coin", asked.symbol or "", placeholder="KRW-BTC", autocomplete="off"),
        entry("days", "Days at least", str(asked.days), **days),
        deed="Show",
        to=PLACE,
    )


def _shown(of: Board) -> list[Markup]:
    if not of.coins and of.asked == Asked():
        begin = code("coinhts backtest run --strategy sma_cross --symbols KRW-BTC")
        return [note("No backtest of a coin alone is kept yet. ", begin, " keeps the first one.")]
    if not of.coins:
        return [note("No result is like that.")]
    scale = Scale.of(of.coins)
    summary = table("coins", "Coins, by name", _COINS, [_coin(one, scale) for one in of.coins])
    return [summary, _pager(of), *(_section(one, scale) for one in of.coins)]


def _coin(of: Suited, scale: Scale) -> list[str]:
    best = of.ranked[0]
    name = tag("a", of.symbol, href=f"#{of.symbol}", class_="coin")
    return [name, _sentence(of.verdict), figure("sharpe", best.best.sharpe), interval(best, scale)]


def _section(of: Suited, scale: Scale) -> Markup:
    rows = [_strategy(one, scale) for one in of.ranked]
    caption = f"Strategies on {of.symbol}, the highest Sharpe ratio first"
    told = tag("p", _sentence(of.verdict))
    return tag("div", section(of.symbol, told, table(f"on-{of.symbol}", caption, _STRATEGIES, rows)), id=of.symbol)


def _strategy(of: Ranked, scale: Scale) -> list[str]:
    best, deflated = of.best, of.badge.deflated_sharpe
    days = joined(f"{best.days:,}", tag("div", tag("small", f"{best.first_day} to {best.last_day}")))
    return [
        joined(link(best.strategy, place_of(best.id)), tag("div", tag("small", best.timeframe))),
        figure("sharpe", best.sharpe),
        interval(of, scale),
        percent(best.total_return),
        percent(best.max_drawdown),
        figure("trades", best.trades),
        days,
        f"{best.answers:,}",
        UNDEFINED if of.badge.trials is None else f"{of.badge.trials:,}",
        UNDEFINED if deflated is None else words.share(deflated),
        of.badge.grade,
    ]


def interval(of: Ranked, scale: Scale) -> Markup:
    """In figures and as a line, with 0 and the Sharpe ratio marked on it; or why there is none."""
    if isinstance(of.interval, Undefined) or of.best.sharpe is None:
        return tag("small", str(of.interval))
    low, high = of.interval
    places = [f"{scale.place(value):.1f}" for value in (low, high, of.best.sharpe, 0.0)]
    middle = _HEIGHT // 2
    drawn = (
        tag("path", class_="nought", d=f"M{places[3]} 0V{_HEIGHT}"),
        tag("path", class_="reach", d=f"M{places[0]} {middle}H{places[1]}"),
        tag("path", class_="found", d=f"M{places[2]} {middle}h0"),
    )
    told = f"{figure('sharpe', low)} to {figure('sharpe', high)}"
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return joined(tag("svg", *drawn, viewBox=box, class_="interval", aria_hidden="true"), tag("div", told))


def _pager(of: Board) -> Markup:
    query = {"symbol": of.asked.symbol, "days": of.asked.days}
    before, after = max(of.asked.offset - of.asked.limit, 0), of.asked.offset + of.asked.limit
    back = [link("Coins before these", PLACE, **query, offset=before)] if of.asked.offset else []
    on = [link("Coins after these", PLACE, **query, offset=after)] if of.has_more else []
    return tag("p", *back, *on, class_="deeds")


def _sentence(words: str) -> str:
    """Strategies are spelt as they are; all else begins as a sentence does."""
    return f"{words[:1].upper()}{words[1:]}." if words.startswith("undecided") else f"{words}."
