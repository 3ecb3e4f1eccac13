"""A comparison as a page: one self-contained HTML file that asks nobody for anything.

What lives here: `page_of`. What stays out: what is compared (`comparison`), and how pages look (`tearsheet`'s style).
"""

from importlib import resources

from coinhts_core.backtests import tearsheet
from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.report import svg_curves
from coinhts_core.backtests.tearsheet.markup import Markup, tag
from coinhts_core.backtests.tearsheet.words import figure
from coinhts_core.results.comparison import Compared, Comparison

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_FITTING = "svg { max-width: 100%; height: auto; }"  # drawn for wide pages
_SHORT = 12


def page_of(of: Comparison) -> str:
    title = f"{of.first.id[:_SHORT]} against {of.second.id[:_SHORT]}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", _style(), Markup(_FITTING)),
    )
    header = tag("header", tag("h1", title), tag("p", of.verdict))
    main = tag(
        "main", _section("Causes", _causes(of)), _section("Equity", _curves(of)), _section("Figures", _table(of))
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', header, main), lang='en')}\n"


def _causes(of: Comparison) -> Markup:
    told = [tag("li", f"{cause.name}: {cause.how}") for cause in of.causes]
    return tag("ul", *told) if told else tag("p", "What was asked, the candles and the code are the same.")


def _curves(of: Comparison) -> Markup:
    drawn = svg_curves(of.curves, "of 100 at first", of.days)
    return Markup(drawn) if drawn else tag("p", "There is no equity to draw.")


def _table(of: Comparison) -> Markup:
    names = (of.first.id[:_SHORT], of.second.id[:_SHORT], "change")
    head = tag("tr", tag("th", "", scope="col"), *(tag("th", name, scope="col", class_="number") for name in names))
    table = tag("table", tag("thead", head), tag("tbody", *map(_row, of.figures)))
    return tag("div", table, class_="scrolling", role="region", tabindex=0, aria_label="Table, scrolls sideways")


def _row(of: Compared) -> Markup:
    label, *values = row_of(of)
    return tag("tr", tag("th", label, scope="row"), *(tag("td", value, class_="number") for value in values))


def row_of(of: Compared) -> list[str]:
    """A figure's label, both values in its unit, and the change."""
    return [FIGURES[of.name].label, *(figure(of.name, value) for value in (of.first, of.second, of.change))]


def _section(title: str, part: Markup) -> Markup:
    return tag("section", tag("h2", title), part)


def _style() -> Markup:
    return Markup(resources.files(tearsheet).joinpath("style.css").read_text(encoding="utf-8"))
