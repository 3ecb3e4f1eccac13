"""Tearsheets as a person sees them: on a desk and in a hand, in the light and in the dark, and from nowhere else."""

from dataclasses import replace

import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.sheets import sheet_of
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.markets import Market
from coinhts_core.performance import standing
from coinhts_core.standing_sheets import sheet_of as standing_sheet_of
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk
from tests.core.conftest import Desk
from tests.ui.conftest import watched

SECTIONS = [
    "Headline",
    "Equity",
    "Returns by month",
    "Trades",
    "Costs",
    "How far to trust it",
    "All figures",
    "How it was made",
]
CHARTS = ["equity", "drawdown", "rolling-sharpe", "candles", "distribution"]
SCREENS = {"desk": (1280, 900), "hand": (390, 844)}
# What sticks out of the screen, but what lies in a box that scrolls by itself.
STICKING_OUT = """
    () => [...document.querySelectorAll("body *")].filter(of => !of.closest(".scrolling") && !of.closest("svg"))
        .map(of => [of.tagName + " " + of.textContent.slice(0, 40), of.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.right > innerWidth + 0.5 || box.left < -0.5)).map(([name]) => name)
"""
# Charts that are drawn: as wide as they are shown, with a line or a shape in them that has a length.
DRAWN = """
    () => [...document.querySelectorAll("figure")].filter(of => of.querySelector("svg")?.clientWidth > 200
        && [...of.querySelectorAll("svg path, svg rect")].some(one => one.getTotalLength() > 50)).map(of => of.id)
"""


def of_a_result(_):
    account = Account(stop_loss=0.02, take_profit=0.03)
    return sheet_of(run({"KRW-BTC": candles(walk(20_000) * 100_000)}, load("sma_cross", fast=3, slow=8), account))


def of_coins_on_one_cash(_):
    named = {
        f"KRW-{name}": candles(walk(5_000, seed) * 1_000) for seed, name in enumerate(("BTC", "ETH", "XRP", "SOL"))
    }
    return sheet_of(run(named, load("volume_zone_breakout", volume_window=20), mode="study"))


def of_hardly_anything(_):
    return sheet_of(run({"KRW-BTC": candles(walk(3))}, load("sma_cross")))


def of_a_standing(tmp_path):
    """As beside the asset of performances: a coin, bitcoin and the universe."""
    desk = Desk(tmp_path / "lake")
    desk.collect(desk.days)
    desk.run(desk.days)
    bitcoin = standing(desk.lake, desk.entry, desk.registered)
    other = replace(bitcoin, registered=replace(bitcoin.registered, symbol=Market("KRW-ETH")))
    return standing_sheet_of(desk.entry, other, [bitcoin, other], 0.0005)


# Candles are those of one coin, a rolling figure needs weeks, a distribution trades.
SHEETS = {
    "result": (of_a_result, CHARTS),
    "coins on one cash": (of_coins_on_one_cash, [chart for chart in CHARTS if chart != "candles"]),
    "hardly anything": (of_hardly_anything, ["equity", "drawdown", "candles"]),
    "standing": (of_a_standing, [chart for chart in CHARTS if chart != "rolling-sharpe"]),
}


@pytest.mark.parametrize("name", SHEETS)
def test_a_tearsheet_is_whole_on_every_screen(browser, keep, tmp_path, name):
    """Headings and charts are there, nothing sticks out, nobody is asked for anything, nothing is complained about."""
    make, charts = SHEETS[name]
    file = tmp_path / "page.html"
    file.write_text(tearsheet(make(tmp_path)), encoding="utf-8")
    grounds = {}
    for light in ("light", "dark"):
        for screen, (width, height) in SCREENS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=light)
            asked, errors = [], watched(page)[1]
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(file.as_uri())
            keep(page, f"{name}-{screen}-{light}")
            assert [heading.inner_text() for heading in page.locator("h2").all()] == SECTIONS
            assert page.evaluate(DRAWN) == charts
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(STICKING_OUT) == []
            assert (asked, errors) == ([file.as_uri()], [])
            grounds[light] = page.evaluate("getComputedStyle(document.body).backgroundColor")
            page.close()
    assert grounds["light"] != grounds["dark"]
