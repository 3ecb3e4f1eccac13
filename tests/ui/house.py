"""A house that is up, asked as a browser would, as a script would, and as nobody should."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

PASSWORD, TOKEN = "geheim", "tok"


class House:
    """A `coinhts up`: its address, and questions that no browser asks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.netloc = urlsplit(url).netloc

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> int:
        return self._answer(method, path, body, headers)[0]

    def query(self, **headers: str) -> int:
        return self.ask("POST", "/graphql", '{"query": "{ version }"}', content_type="application/json", **headers)

    def graphql(self, query: str, **variables: object) -> dict:
        """What a script with the token is told."""
        body = json.dumps({"query": query, "variables": variables})
        headers = {"content_type": "application/json", "authorization": f"Bearer {TOKEN}"}
        answer = json.loads(self._answer("POST", "/graphql", body, headers)[1])
        assert "errors" not in answer, answer
        return answer["data"]

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

    def _answer(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = HTTPConnection(self.netloc, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def up(home: Path, **settings: str) -> Iterator[House]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    named = {f"COINHTS_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "coinhts_pipeline.cli", "up", "--json"],
        env={**os.environ, **named, "COINHTS_HOME": str(home), "COINHTS_WEB__PORT": port},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield House(json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"])
    finally:
        process.terminate()
        process.communicate(timeout=30)


def locked_up(home: Path, **settings: str):
    """With a password and a token."""
    return up(home, web__password=PASSWORD, web__token=TOKEN, **settings)


def logs_in(page: Page, password: str = PASSWORD) -> None:
    """With the keyboard alone: the field has the focus."""
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def logs_out(house: House, page: Page) -> None:
    page.goto(f"{house.url}/reports/")
    page.get_by_role("link", name="Log out").click()
    page.get_by_role("button", name="Log out").click()


def materialises(page: Page) -> None:
    """The first day of a coin, on the page of an asset of days, up to the page of its run."""
    page.get_by_role("button", name="Materialize").click()
    dialog = page.get_by_role("dialog")
    chooses(page, "2026-01-01", "KRW-BTC")
    dialog.get_by_role("button", name="Launch 1 run").click()
    page.get_by_text("View", exact=True).click()


def chooses(page: Page, days: str, *coins: str) -> None:
    """Days and coins, in the dialog."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(days)
    dialog.get_by_role("textbox").press("Enter")
    dialog.get_by_text("Select a partition or create one").click()
    for coin in coins:
        page.get_by_text(coin, exact=True).first.click()
    page.keyboard.press("Escape")


def is_closed_to_strangers(house: House) -> None:
    """To whoever has neither cookie nor token; health answers, and says nothing."""
    closed = ("/", "/overview", "/reports/", "/api/openapi.json", "/metrics", "/server_info", "/runs")
    assert {path: house.ask("GET", path) for path in closed} == dict.fromkeys(closed, 401)
    assert [house.query(), house.listen()] == [401, 401]
    assert house.query(authorization="Bearer falsch") == 401
    assert house.query(authorization=f"Bearer {TOKEN}") == house.ask("GET", "/health") == 200


def is_for_our_pages(house: House, page: Page) -> str:
    """The cookie is worth something on our pages alone, and scripts never see it; gives it."""
    (kept,) = page.context.cookies()
    cookie = f"{kept['name']}={kept['value']}"
    assert (kept["httpOnly"], kept["sameSite"], kept["secure"]) == (True, "Lax", False)
    assert [house.query(cookie=cookie, origin=house.url), house.listen(cookie=cookie)] == [200, 101]
    evil = {"cookie": cookie, "origin": "http://evil.example"}
    assert [house.query(**evil), house.listen(**evil), house.ask("POST", "/logout", **evil)] == [403] * 3
    assert [house.query(cookie=cookie), house.query(cookie=cookie, host="evil.example", origin=house.url)] == [403, 403]
    return cookie
