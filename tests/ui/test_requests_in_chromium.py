"""What a person does below /reports/: asks for backtests, watches, looks at what came of them, compares, cancels."""

import json
from collections.abc import Iterator
from datetime import date
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect

from coinhts_core.days import DayRange
from coinhts_core.lake.lake import Lake
from tests.pipeline.asking import collect
from tests.ui.conftest import watched
from tests.ui.house import TOKEN, House, locked_up, logs_in
from tests.ui.test_walk_in_chromium import SCREENS, STICKING_OUT, furnished

COIN, FIRST, LAST = "KRW-BTC", date(2026, 1, 1), date(2026, 1, 8)
PATIENCE_MS = 120_000  # compiled loops may have to be compiled first
# What a reader who does not see the page, or has no mouse, stumbles over.
STUMBLING = """
    () => {
        const told = [];
        const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(of => Number(of.tagName[1]));
        if (levels[0] !== 1) told.push("the first heading is no h1");
        levels.forEach((of, at) => { if (at && of > levels[at - 1] + 1) told.push(`h${of} after h${levels[at - 1]}`) });
        for (const of of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
            if (!of.labels.length && !of.ariaLabel) told.push(`${of.tagName} ${of.name} has no label`);
        for (const of of document.querySelectorAll("a, button, summary"))
            if (!(of.ariaLabel || of.textContent).trim()) told.push(`${of.outerHTML} says nothing`);
        for (const of of document.querySelectorAll("th")) if (!of.scope) told.push(`${of.textContent} heads nothing`);
        const ids = [...document.querySelectorAll("[id]")].map(of => of.id);
        ids.filter((of, at) => ids.indexOf(of) !== at).forEach(of => told.push(`${of} is there twice`));
        return told;
    }
"""
# How the element that has the focus shows it.
FOCUS = "() => { const of = getComputedStyle(document.activeElement); return [of.outlineStyle, of.outlineWidth] }"


@pytest.fixture
def house(chromium, server_home) -> Iterator[House]:
    """A house with a few days of a coin's candles."""
    del chromium  # without it there is nobody to look
    lake = Lake.open(str(furnished(server_home) / "lake"))
    collect(SimpleNamespace(lake=lake), days=list(DayRange(FIRST, LAST)))
    with locked_up(server_home, symbols=COIN) as house:
        yield house


@pytest.fixture
def page(browser) -> Page:
    return browser.new_page(viewport=SCREENS["desk"])


def test_a_person_asks_watches_compares_and_cancels(house, page, keep):
    """By forms and links alone; every page is whole on a desk and in a hand, in the light and in the dark."""
    hosts, errors = watched(page)
    page.goto(f"{house.url}/reports/requests")
    expect(page.get_by_label("Password")).to_be_focused()
    logs_in(page)
    expect(page.get_by_text("Nothing was asked for yet")).to_be_visible()

    _script_asks(house)

    _asks(page, params="fast = 500\nslow = 5")
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.get_by_label("Knobs").input_value() == "fast = 500\nslow = 5"
    _is_shown(page, "form-refused", keep)
    errors.clear()  # the browser names the refusal, too
    page.get_by_label("Knobs").fill("fast = 5\nslow = 20")
    page.get_by_role("button", name="Ask for it").click()
    _asks(page, params="fast = 10\nslow = 40")
    page.get_by_role("link", name="Hold it still").click()
    expect(page.get_by_role("progressbar").first).to_be_visible()
    _is_shown(page, "requests-waiting", keep)
    page.get_by_role("link", name="Look again by itself").click()
    expect(page.get_by_role("link", name="Result", exact=True)).to_have_count(
        4, timeout=PATIENCE_MS
    )  # it looks again by itself

    _cancels_a_long_one(house, page)
    _is_shown(page, "requests-done", keep)
    _opens(page, "fast 10, slow 40")
    expect(page.get_by_role("heading", name="Equity")).to_be_visible()
    keep(page, "result")
    page.goto(f"{house.url}/reports/requests?kind=sweep&state=completed")
    _opens(page, "sweep of sma_cross")
    page.get_by_role("link", name="Heat map").click()
    expect(page.get_by_role("table")).to_contain_text("best")
    _is_shown(page, "heatmap", keep)

    page.goto(f"{house.url}/reports/results?strategy=sma_cross&kind=backtest")
    for box in page.get_by_role("checkbox").all():
        box.check()
    _is_shown(page, "results", keep)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("fast 10 → 5").or_(page.get_by_text("fast 5 → 10"))).to_be_visible()
    keep(page, "compare")
    for name, path in {"front": "", "leaderboard": "leaderboard", "positions": "positions"}.items():
        page.goto(f"{house.url}/reports/{path}")
        _is_shown(page, name, keep)
    assert errors == []
    assert hosts == {house.netloc}


def _asks(page: Page, params: str) -> None:
    """With the keyboard, from the list to the button."""
    page.get_by_role("link", name="Ask for a backtest").press("Enter")
    page.get_by_label("Strategy").select_option("sma_cross")
    page.get_by_label("Coins").fill(COIN)
    page.get_by_label("First day").fill(str(FIRST))
    page.get_by_label("Last day").fill(str(LAST))
    page.get_by_label("Cash").fill("5,000,000")
    page.get_by_label("Knobs").fill(params)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Ask for it")).to_be_focused()
    assert page.evaluate(FOCUS) == ["solid", "3px"]
    page.keyboard.press("Enter")


def _script_asks(house: House) -> None:
    """A small sweep, another strategy, and a position to look at."""
    asked = {"symbols": [COIN], "end_date": str(LAST)}
    swept = {"kind": "sweep", "strategy": "sma_cross", "grid": {"fast": [2, 4, 6], "slow": [9, 12, 15]}}
    bought = {"symbol": COIN, "entry_price_krw": 95_000_000, "volume_base": "0.1", "opened_at": "2026-01-02T00:00Z"}
    assert _posts(house, "/api/backtests", asked | swept) == 202
    assert _posts(house, "/api/backtests", asked | {"strategy": "volume_long_candle"}) == 202
    assert _posts(house, "/api/positions", bought) == 201


def _opens(page: Page, request: str) -> None:
    """What a request came to."""
    page.get_by_role("row").filter(has_text=request).get_by_role("link", name="Result", exact=True).click()


def _cancels_a_long_one(house: House, page: Page) -> None:
    """A sweep that a script asked for."""
    fast, slow = list(range(2, 52)), list(range(60, 260))
    asked = {"kind": "sweep", "strategy": "sma_cross", "timeframe": "1m", "grid": {"fast": fast, "slow": slow}}
    assert _posts(house, "/api/backtests", {**asked, "symbols": [COIN], "end_date": str(LAST)}) == 202
    page.goto(f"{house.url}/reports/requests?kind=sweep&still=yes")  # still, so that no button is taken away
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("cell", name="cancelled", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    page.goto(f"{house.url}/reports/requests")


def _posts(house: House, path: str, body: dict) -> int:
    connection = HTTPConnection(house.netloc, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    connection.request("POST", path, json.dumps(body), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def _is_shown(page: Page, name: str, keep) -> None:
    """Nothing sticks out, whatever the screen, and nobody stumbles."""
    assert page.evaluate(STUMBLING) == []
    for screen, size in SCREENS.items():
        page.set_viewport_size(size)
        assert page.evaluate(STICKING_OUT) == [], name
        for light in ("dark", "light"):
            page.emulate_media(color_scheme=light)
            keep(page, f"{name}-{screen}-{light}")
    page.set_viewport_size(SCREENS["desk"])
