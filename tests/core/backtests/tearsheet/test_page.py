import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.backtests.tearsheet.sheet import NO_CANDLES

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x00\ud800"
SECTIONS = ["Headline", "Equity", "Returns by month", "Trades", "Costs", "How far to trust it", "All figures"]
SECTIONS += ["How it was made"]
CHARTS = ["equity", "drawdown", "rolling-sharpe", "candles", "distribution"]
TABLES = {"Month by month", "40 trades, amounts in KRW", "Closed trades: what they earned and what they cost"}
TABLES |= {"Return", "Risk", "Trades", "Costs", "Parameters", "Account", "Data, code and engine"}
# What can make a browser ask somebody for something.
ASKING = {"src", "href", "srcset", "action", "formaction", "background", "poster", "data", "ping", "xlink:href"}


class Seen(HTMLParser):
    """Every element of a page, and whether each one that begins also ends."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_has_its_parts_in_order(make_sheet, tree):
    """Headings, charts and tables that a reader without eyes finds his way in, too."""
    page = tearsheet(make_sheet(trades=40))
    whole = tree(page)
    assert [heading.text for heading in whole.iter("h2")] == SECTIONS
    assert [heading.text for heading in whole.iter("h1")] == ["sma_cross on KRW-BTC"]
    assert whole.get("lang") == "en"
    assert all(image.get("role") == "img" and image.find("title").text for image in whole.iter("svg"))
    assert all(table.find("caption").text for table in whole.iter("table"))
    assert all(cell.get("scope") in {"row", "col"} for cell in whole.iter("th"))
    assert [figure.get("id") for figure in whole.iter("figure")] == CHARTS
    assert {table.find("caption").text for table in whole.iter("table")} >= TABLES
    ids = [element.get("id") for element in whole.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert not Seen(page).open


def test_nobody_is_asked_for_anything(make_sheet):
    """No address, no script, and a policy by which none could be loaded."""
    page = tearsheet(make_sheet(trades=40))
    assert not re.findall(r"(?:https?:)?//\w|url\(|@import", page)
    elements = Seen(page).elements
    assert not {name for name, _ in elements} & {"script", "link", "iframe", "img", "object", "embed", "base", "form"}
    assert not {attribute for _, attributes in elements for attribute in attributes} & ASKING
    policies = [given["content"] for name, given in elements if given.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_no_name_is_markup(make_sheet):
    """Whatever a file, a person or a venue called something."""
    page = tearsheet(_named(make_sheet(days=10, trades=2), HOSTILE))
    plain = tearsheet(_named(make_sheet(days=10, trades=2), "plain"))
    assert [name for name, _ in Seen(page).elements] == [name for name, _ in Seen(plain).elements]
    assert page.count("&lt;script&gt;") == plain.count("plain")
    assert not [name for _, given in Seen(page).elements for name in given if name.startswith("on")]
    assert page.encode()


def test_the_same_result_is_the_same_page(make_sheet):
    """To the byte: a page can be compared, and stored once."""
    assert tearsheet(make_sheet(trades=40)) == tearsheet(make_sheet(trades=40))


@pytest.mark.parametrize(("days", "trades", "most"), [(365, 200, 200_000), (1_800, 10_000, 250_000)])
def test_a_page_stays_small(make_sheet, days, trades, most):
    """A year of hours as well as years with ten thousand trades."""
    assert len(tearsheet(make_sheet(days=days, trades=trades)).encode()) < most


def test_an_empty_result_has_a_page(make_sheet):
    """With reasons where there would be charts."""
    page = tearsheet(make_sheet(days=0, trades=0))
    assert "There is no day to draw." in page
    assert "<svg" not in page


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)  # it is a function
@given(st.lists(st.one_of(st.just(0.0), st.floats(1.0, 1e15)), min_size=1, max_size=120))
def test_any_equity_can_be_shown(make_sheet, equity):
    """Standing still, ruined, or beyond all measure: every course is made of numbers."""
    curve = np.array(equity)
    page = tearsheet(make_sheet(days=len(equity) - 1, trades=0, equity=curve, benchmarks={}, candles=NO_CANDLES))
    courses = re.findall(r' d="([^"]*)"', page)
    assert all(re.fullmatch(r"[MLHVhvzZ0-9. -]*", course) for course in courses)


def test_warnings_are_told_once(make_sheet):
    """Those of figures stand where the figures are."""
    of = make_sheet(days=10, trades=0)
    page = tearsheet(replace(of, warnings=[*of.figures.warnings(), "the last day is missing"]))
    assert "<li>the last day is missing</li>" in page
    assert "annual_return" not in page
    assert "Warnings" not in tearsheet(of)


def _named(of, word):
    """Everything that can have a name has this one; no file could give a frame half a letter."""
    written = pl.lit(word.replace("\ud800", ""))
    names = {"title": word, "strategy": word, "symbols": [word], "timeframe": word, "warnings": [word]}
    pairs = {name: {word: word} for name in ("parameters", "account", "facts")}
    trades = of.trades.with_columns(reason=written, symbol=written)
    return replace(of, **names, **pairs, benchmarks={word: of.equity}, trades=trades)
