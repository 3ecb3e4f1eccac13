"""The page of a result.

What lives here: `tearsheet`, and the order of its parts. What to add: a part. What stays out: parts themselves
(`charts`, `tables`), what is around them (`shell`), how they look (`style.css`, `charts.css`).

The same sheet gives the same bytes. There is no script.
"""

from coinhts_core.backtests.tearsheet import candle_chart, charts, tables
from coinhts_core.backtests.tearsheet.markup import Markup, tag
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.backtests.tearsheet.shell import shell
from coinhts_core.backtests.tearsheet.trust import trust


def tearsheet(of: Sheet) -> str:
    return shell(of.title, _header(of), _main(of), _footer())


def _header(of: Sheet) -> Markup:
    span = f"{of.days[0]} to {of.days[-1]}, {len(of.days):,} days" if of.days else "no day"
    told = f"{of.strategy} on {', '.join(of.symbols)}, {of.timeframe} bars, {span}"
    return tag("header", tag("h1", of.title), tag("p", told))


def _main(of: Sheet) -> Markup:
    return tag(
        "main",
        _section("Headline", tables.too_few_trades(of), tables.headline(of), _warnings(of)),
        _section("Equity", charts.equity(of), charts.falls(of), charts.rolling_sharpe(of)),
        _section("Returns by month", tables.monthly_returns(of)),
        _section("Trades", candle_chart.trades_on_candles(of), charts.distribution(of), tables.trades(of)),
        _section("Costs", tables.costs(of)),
        _section("How far to trust it", trust(of)),
        _section("All figures", tables.figures(of)),
        _section(
            "How it was made",
            tag(
                "div",
                tables.facts("Parameters", of.parameters),
                tables.facts("Account", of.account),
                tables.facts("Data, code and engine", of.facts),
                class_="columns",
            ),
        ),
    )


def _warnings(of: Sheet) -> Markup:
    """All but those of figures, which stand where the figures are."""
    told = set(of.figures.warnings())
    others = [tag("li", warning) for warning in of.warnings if warning not in told]
    return tag("div", tag("h3", "Warnings"), tag("ul", *others), class_="warnings") if others else Markup()


def _section(title: str, *parts: Markup) -> Markup:
    return tag("section", tag("h2", title), *parts)


def _footer() -> Markup:
    told = (
        "A rehearsal on past prices, not a promise. Red is up and blue is down, as on Upbit. "
        "Days are UTC days; they end at 00:00 UTC, which is 09:00 KST."
    )
    return tag("footer", tag("p", told))
