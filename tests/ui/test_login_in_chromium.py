"""The login as a person meets it: a house with a password, a real browser, and what is refused to everybody else."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.ui.conftest import watched

_NOSY = """<!doctype html><html lang="en"><title>Tearsheet</title><h1>KRW-BTC</h1><p id="told">…</p>
<script>
fetch("/graphql", {method: "POST", headers: {"Content-Type": "application/json"}, body: '{"query": "{version}"}'})
  .then(answer => answer.text(), refused => "refused")
  .then(text => { document.getElementById("told").textContent = text })
</script></html>"""


class House:
    """A `coinhts up` with a password: its address, and questions that no browser asks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.netloc = urlsplit(url).netloc

    def ask(self, method: str, path: str, **headers: str) -> int:
        connection = HTTPConnection(self.netloc, timeout=30)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, '{"query": "{ version }"}' if method == "POST" else None, named)
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    def query(self, **headers: str) -> int:
        return self.ask("POST", "/graphql", **{"content_type": "application/json", **headers})

    def listen(self, **headers: str) -> int:
        """Open the UI's websocket, and leave."""
        origin = headers.pop("origin", self.url)
        try:
            with connect(
                f"ws://{self.netloc}/graphql", origin=origin, subprotocols=["graphql-ws"], additional_headers=headers
            ) as opened:
                return opened.response.status_code
        except InvalidStatus as refused:
            return refused.response.status_code


@pytest.fixture
def house(chromium, server_home) -> Iterator[House]:
    del chromium  # without it there is nobody to look
    sheets = server_home / "reports" / "performance" / "sma_cross"
    sheets.mkdir(parents=True)
    (sheets / "KRW-BTC.html").write_text(_NOSY)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    web = {"COINHTS_WEB__PORT": port, "COINHTS_WEB__PASSWORD": "geheim", "COINHTS_WEB__TOKEN": "tok"}
    process = subprocess.Popen(
        [sys.executable, "-m", "coinhts_pipeline.cli", "up", "--json"],
        env={**os.environ, **web, "COINHTS_HOME": str(server_home), "COINHTS_SYMBOLS": "KRW-BTC"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield House(json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"])
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def page(browser) -> Page:
    return browser.new_page(viewport={"width": 1500, "height": 2000})


def test_a_person_logs_in_works_and_leaves(house, page, keep):
    """Nobody else gets anything, whatever door he tries; a run is watched live; a report asks nothing in our name."""
    hosts, errors = watched(page)
    frames = []
    page.on("websocket", lambda opened: opened.on("framereceived", lambda _: frames.append(1)))
    _is_closed_to(house)

    page.goto(f"{house.url}/assets/candles/minute?view=overview")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        keep(page, f"login-{scheme}")
    _logs_in(page, "falsch")
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    errors.clear()  # the browser names the refusal, too
    _logs_in(page, "geheim")
    page.wait_for_url("**/assets/candles/minute?view=overview")
    _is_closed_to(house)
    _is_for_our_pages(house, page)

    _materialises(page)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    assert len(frames) > 3
    assert errors == []

    page.goto(f"{house.url}/reports/")
    page.get_by_role("link", name="performance/").click()
    page.get_by_role("link", name="sma_cross/").click()
    keep(page, "reports")
    page.get_by_role("link", name="KRW-BTC.html").click()
    expect(page.get_by_role("heading", name="KRW-BTC")).to_be_visible()
    expect(page.locator("#told")).to_have_text("refused")

    page.goto(f"{house.url}/reports/")
    page.get_by_role("link", name="Log out").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_focused()
    page.goto(f"{house.url}/runs")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert hosts - {""} == {house.netloc}  # pictures inside a page have no host


def _logs_in(page: Page, password: str) -> None:
    """With the keyboard alone: the field has the focus."""
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def _materialises(page: Page) -> None:
    page.get_by_role("button", name="Materialize").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("2026-01-01")
    dialog.get_by_role("textbox").press("Enter")
    dialog.get_by_text("Select a partition or create one").click()
    page.get_by_text("KRW-BTC", exact=True).first.click()
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Launch 1 run").click()
    page.get_by_text("View", exact=True).click()


def _is_closed_to(house: House) -> None:
    """To whoever has neither cookie nor token; health answers, and says nothing."""
    assert [house.ask("GET", path) for path in ("/", "/reports/", "/api/openapi.json", "/server_info")] == [401] * 4
    assert [house.query(), house.listen()] == [401, 401]
    assert house.query(authorization="Bearer falsch") == 401
    assert house.query(authorization="Bearer tok") == house.ask("GET", "/health") == 200


def _is_for_our_pages(house: House, page: Page) -> None:
    """The cookie is worth something on our pages alone, and scripts never see it."""
    (kept,) = page.context.cookies()
    cookie = f"{kept['name']}={kept['value']}"
    assert (kept["httpOnly"], kept["sameSite"], kept["secure"]) == (True, "Lax", False)
    assert [house.query(cookie=cookie, origin=house.url), house.listen(cookie=cookie)] == [200, 101]
    evil = {"cookie": cookie, "origin": "http://evil.example"}
    assert [house.query(**evil), house.listen(**evil), house.ask("POST", "/logout", **evil)] == [403] * 3
    assert [house.query(cookie=cookie), house.query(cookie=cookie, host="evil.example", origin=house.url)] == [403, 403]
