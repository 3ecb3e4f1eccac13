"""The login as a person meets it: a house with a password, a real browser, and what is refused to everybody else."""

from collections.abc import Iterator
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market
from tests.ui.conftest import watched
from tests.ui.house import (
    House,
    is_closed_to_strangers,
    is_for_our_pages,
    locked_up,
    logs_in,
    logs_out,
    materialises,
)

_NOSY = """<!doctype html><html lang="en"><title>Tearsheet</title><h1>KRW-BTC</h1><p id="told">…</p>
<script>
fetch("/graphql", {method: "POST", headers: {"Content-Type": "application/json"}, body: '{"query": "{version}"}'})
  .then(answer => answer.text(), refused => "refused")
  .then(text => { document.getElementById("told").textContent = text })
</script></html>"""


@pytest.fixture
def house(chromium, server_home) -> Iterator[House]:
    del chromium  # without it there is nobody to look
    sheets = server_home / "reports" / "performance" / "sma_cross"
    sheets.mkdir(parents=True)
    (sheets / "KRW-BTC.html").write_text(_NOSY)
    with locked_up(server_home, symbols="KRW-BTC") as house:
        yield house


@pytest.fixture
def page(browser) -> Page:
    return browser.new_page(viewport={"width": 1500, "height": 2000})


def test_a_person_logs_in_works_and_leaves(house, page, keep):
    """Nobody else gets anything, whatever door he tries; a run is watched live; a report asks nothing in our name."""
    hosts, errors = watched(page)
    frames = []
    page.on("websocket", lambda opened: opened.on("framereceived", lambda _: frames.append(1)))
    is_closed_to_strangers(house)

    page.goto(f"{house.url}/assets/candles/minute?view=overview")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    logs_in(page, "falsch")
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    errors.clear()  # the browser names the refusal, too
    logs_in(page)
    page.wait_for_url("**/assets/candles/minute?view=overview")
    is_closed_to_strangers(house)
    is_for_our_pages(house, page)

    materialises(page)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    assert len(frames) > 3
    page.goto(f"{house.url}/assets/candles/minute")
    expect(page.get_by_text("2026-01-01|KRW-BTC")).to_be_visible()
    bars = open_exchange("sample").minutes(Market("KRW-BTC"), date(2026, 1, 1))
    expect(page.get_by_text(f"{bars.height:,}", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="preview")).to_contain_text("turnover_krw")
    expect(page.get_by_role("img", name="close on 2026-01-01, KRW")).to_be_visible()
    keep(page, "minute")
    assert errors == []

    page.goto(f"{house.url}/reports/")
    page.get_by_role("link", name="performance/").click()
    page.get_by_role("link", name="sma_cross/").click()
    page.get_by_role("link", name="KRW-BTC.html").click()
    expect(page.get_by_role("heading", name="KRW-BTC")).to_be_visible()
    expect(page.locator("#told")).to_have_text("refused")

    logs_out(house, page)
    expect(page.get_by_label("Password")).to_be_focused()
    page.goto(f"{house.url}/runs")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert hosts - {""} == {house.netloc}  # pictures inside a page have no host
