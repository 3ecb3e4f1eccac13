import asyncio
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from starlette.responses import PlainTextResponse
from starlette.routing import Route

from coinhts_pipeline.front import rooms
from coinhts_pipeline.front.rooms import NotSo, Room
from coinhts_pipeline.front.shown import Missing


class _Module:
    """A room that tells what it was opened with."""

    opened = 0

    @classmethod
    def routes(cls, house):
        cls.opened += 1
        return [Route("/here", lambda _: PlainTextResponse(str(house)), methods=["GET"])]


def _asked(app, method, path):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}, None, send))
    return sent[0]["status"], sent[1]["body"]


def test_a_room_is_opened_when_somebody_first_asks(monkeypatch):
    """Once; it knows its paths, and their methods."""
    monkeypatch.setattr(rooms, "module_of", lambda _: _Module)
    monkeypatch.setattr(_Module, "opened", 0)
    room = Room("any", "the house", Missing())
    assert _Module.opened == 0
    assert _asked(room, "GET", "/here") == (200, b"the house")
    status, body = _asked(room, "POST", "/here")
    assert (status, b"bad_method" in body) == (405, True)
    assert (_asked(room, "GET", "/there"))[0] == 404
    assert _Module.opened == 1


def test_of_many_who_ask_first_at_once_one_opens_the_room(monkeypatch):
    """The others wait for it, and are answered by the same routes."""
    monkeypatch.setattr(rooms, "module_of", lambda _: time.sleep(0.05) or _Module)
    monkeypatch.setattr(_Module, "opened", 0)
    room = Room("any", "the house", Missing())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _asked(room, "GET", "/here"), range(8)))
    assert (set(answers), _Module.opened) == ({(200, b"the house")}, 1)


def test_a_method_that_is_not_known_is_named():
    """Whatever the path is."""
    status, body = _asked(NotSo(), "BREW", "/pot")
    assert status == 405
    assert b"/pot does not know the method BREW" in body


def test_the_front_starts_without_what_its_rooms_need():
    """Tables and figures take seconds to import, and nobody may ask for them."""
    told = "import sys, coinhts_pipeline.front.app; print(*{'polars', 'numba', 'numpy', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "\n"
