"""`coinhts up` as a person sees it: a real house, a real browser, one partition materialised by hand."""

from collections.abc import Callable, Iterator
from datetime import date
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market
from tests.ui.conftest import watched
from tests.ui.house import materialises, up

GROUPS = ("candles", "signals", "backtests", "positions", "performance")


pytestmark = pytest.mark.slow


@pytest.fixture
def house(chromium, server_home) -> Iterator[str]:
    """Everything up in a home of its own, without a password; gives the address."""
    del chromium  # without it there is nobody to look
    with up(server_home) as house:
        yield house.url


@pytest.fixture
def page(browser) -> Page:
    return browser.new_page(viewport={"width": 1500, "height": 2000})


@pytest.fixture
def shoot(page, keep) -> Callable[[str], None]:
    return lambda name: keep(page, name)


def test_a_day_of_a_coin_is_materialised_by_hand(house, page, shoot):
    """The graph, the dialog, the run and its outcome are there, and nothing leaves this machine."""
    hosts, errors = watched(page)

    page.goto(f"{house}/asset-groups")
    for group in GROUPS:
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    shoot("groups")

    page.goto(f"{house}/assets/candles/minute")
    materialises(page)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    shoot("run")

    page.goto(f"{house}/assets/candles/minute")
    expect(page.get_by_text("2026-01-01|KRW-BTC")).to_be_visible()
    bars = open_exchange("sample").minutes(Market("KRW-BTC"), date(2026, 1, 1))
    expect(page.get_by_text(f"{bars.height:,}", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="preview")).to_contain_text("turnover_krw")
    shoot("minute")

    assert hosts - {""} == {urlsplit(house).netloc}  # pictures inside a page have no host
    assert errors == []
