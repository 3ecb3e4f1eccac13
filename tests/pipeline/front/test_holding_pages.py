"""The book of positions on a page: read, never changed."""

import time
from datetime import date, timedelta

import pytest

from coinhts_core.holdings.book import Book
from tests.core.holdings.kept import Kept
from tests.pipeline.asking import collect
from tests.pipeline.front.pages.tags import EVIL, is_kept
from tests.pipeline.front.test_requests import _Rooms

PLACE = "/reports/positions"
DAYS = [date(2026, 1, 1) + timedelta(days=place) for place in range(4)]


@pytest.fixture
def book(ledger):
    """Give a book of its own."""
    return Kept(Book(ledger))


@pytest.fixture
def look(locked_port):
    """Look as a viewer; gives the status and the page's tags."""
    cookie = locked_port.login("anschauen").cookie

    def looked(query=""):
        answer = locked_port.page(f"{PLACE}?{query}", cookie=cookie)
        return answer.status, is_kept(answer.body.decode())

    return looked


def test_positions_are_shown_with_what_the_stored_minutes_say(book, look, ledger, settings):
    """Those that are open first; worth, and the worst and best moment, out of the lake."""
    rooms = _Rooms(ledger, settings())
    collect(rooms, days=DAYS)
    book.close(book.open(opened_at="2026-01-02T12:00Z"))
    book.open(note=EVIL.replace("\x00", "").replace("\ud800", ""))
    status, found = look()
    assert status == 200
    assert [words for words in found.said("small") if words.endswith(("open", "closed"))] == ["2, open", "1, closed"]
    close = rooms.lake.read("candles/minute", "KRW-BTC", DAYS[-1], DAYS[-1])["close"][-1]
    assert f"at {close:,.0f} KRW" in found.said("small")
    assert not any(words.startswith("KRW-BTC 2") for words in found.said("li"))


def test_positions_are_looked_for(book, look):
    """By state and coin; an empty field looks for nothing."""
    book.closed()
    book.open(symbol="KRW-ETH")
    rows = {"": 2, "state=&symbol=": 2, "state=open": 1, "symbol=krw-eth&state=closed": 0, "symbol=KRW-BTC": 1}
    assert {query: len(look(query)[1].of("tr")) - bool(count) for query, count in rows.items()} == rows


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=gone", "state"), ("symbol=../x", "symbol"), ("offset=-1", "offset"), ("book=live", "book")],
)
def test_what_cannot_be_meant_is_refused_by_its_field(look, query, field):
    """As a page."""
    status, found = look(query)
    assert status == 400
    assert field in found.text


def test_an_empty_book_says_how_to_begin(look):
    """A command."""
    status, found = look()
    assert status == 200
    assert "coinhts position open" in found.text


def test_strangers_see_nothing_and_nobody_sends_anything(locked_port, open_port):
    """And without a ledger it says when to come again."""
    assert locked_port.page(PLACE).headers["location"].startswith("/login")
    assert locked_port.post(PLACE, b"", authorization="Bearer tok").status == 405
    answer = open_port.page(PLACE)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.slow
def test_a_page_of_long_positions_is_shown_in_a_second(book, look, ledger, settings, capsys):
    """Twenty that were held for four days each; printed."""
    collect(_Rooms(ledger, settings()), days=DAYS)
    for hour in range(20):
        book.open(opened_at=f"{DAYS[0]}T{hour:02}:00Z")
    look()
    begun = time.perf_counter()
    assert look()[0] == 200
    took = time.perf_counter() - begun
    with capsys.disabled():
        print(f"\ntwenty positions: {took * 1_000:.0f} ms", end="")  # noqa: T201 - what it is for
    assert took <= 1.0
