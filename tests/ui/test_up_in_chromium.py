"""`coinhts up` as a person sees it: a real house, a real browser, one partition materialised by hand."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market
from tests.ui.conftest import watched

GROUPS = ("candles", "signals", "backtests", "positions", "performance")


@pytest.fixture
def house(chromium, server_home) -> Iterator[str]:
    """Everything up in a home of its own; gives the address."""
    del chromium  # without it there is nobody to look
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "coinhts_pipeline.cli", "up", "--json"],
        env={**os.environ, "COINHTS_HOME": str(server_home), "COINHTS_WEB__PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        document = "".join(iter(process.stdout.readline, "}\n"))
        yield json.loads(document + "}")["url"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


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
    page.get_by_role("button", name="Materialize").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("2026-01-01")
    dialog.get_by_role("textbox").press("Enter")
    dialog.get_by_text("Select a partition or create one").click()
    page.get_by_text("KRW-BTC", exact=True).first.click()
    page.keyboard.press("Escape")
    shoot("dialog")
    dialog.get_by_role("button", name="Launch 1 run").click()

    page.get_by_text("View", exact=True).click()
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
