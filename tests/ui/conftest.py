"""What tests of pages may ask for: a real browser, which says what it asked for and what it complained about."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium")
    if not found and os.environ.get("CI"):
        pytest.fail("this run must see the pages, and chromium is missing: apt-get install chromium")
    return found or pytest.skip("chromium is missing: apt-get install chromium")


@pytest.fixture(scope="module")
def browser(chromium) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET, timeout=_PATIENCE_MS)
        expect.set_options(timeout=_PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture
def keep(tmp_path) -> Callable[[Page, str], None]:
    """Keep what a page shows: all of it where SCREENSHOTS says, else what is on the screen."""
    folder = os.environ.get("SCREENSHOTS")

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=Path(folder or tmp_path) / f"{name}.png", full_page=bool(folder))

    return keep


def watched(page: Page | BrowserContext) -> tuple[set[str], list[str]]:
    """Where the page's requests go and what it complains about, from here on."""
    hosts: set[str] = set()
    errors: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("websocket", lambda websocket: hosts.add(urlsplit(websocket.url).netloc))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return hosts, errors
