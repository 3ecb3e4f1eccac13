"""Requests on pages: asked, refused, cancelled and asked again with forms, by the owner alone."""

import time
from urllib.parse import urlencode

import pytest

from coinhts_core.clock import now
from coinhts_core.ledger.queries import load_queries
from coinhts_core.requests.desk import Desk
from tests.pipeline.asking import DAYS, collect, question
from tests.pipeline.front.pages.tags import EVIL, is_kept
from tests.pipeline.front.test_requests import _Rooms

LIST = "/reports/requests"
FORM = {"content_type": "application/x-www-form-urlencoded", "accept": "text/html"}
TYPED = {
    "strategy": "sma_cross",
    "symbols": "KRW-BTC",
    "start_date": str(DAYS[1]),
    "end_date": str(DAYS[-1]),
    "timeframe": "",
    "cash": "5,000,000",
    "params": "fast = 2\nslow = 5",
}


@pytest.fixture
def port(ledger, settings, locked_port):
    """Give the port of a house that has a coin and some days of its candles."""
    rooms = _Rooms(ledger, settings())
    with ledger.transaction() as connection:
        row = {"symbol": "KRW-BTC", "first_day": DAYS[0], "anchor": DAYS[0], "delisted_on": None}
        connection.execute(load_queries("symbols")["register_symbol"], row)
    collect(rooms)
    return locked_port


@pytest.fixture
def desk(ledger):
    return Desk(ledger)


@pytest.fixture
def owner(port):
    return {"cookie": port.login("geheim").cookie}


@pytest.fixture
def viewer(port):
    return {"cookie": port.login("anschauen").cookie}


@pytest.fixture
def send(port, owner):
    """Send the form, as the owner."""

    def sent(**typed):
        return port.post(LIST, urlencode(TYPED | typed, errors="replace").encode(), **FORM, **owner)

    return sent


def test_a_backtest_is_asked_for_watched_cancelled_and_asked_for_again(port, desk, owner, send):
    """Each deed leads back to the list, as it was looked at."""
    taken = send()
    assert (taken.status, taken.headers["location"]) == (303, LIST)
    (standing,) = desk.listed()
    asked = question()
    assert {name: standing.asked[name] for name in asked} == asked
    assert standing.asked["account"]["cash"] == 5_000_000
    shown = port.page(LIST, **owner)
    assert shown.headers["cache-control"] == "no-store"
    found = is_kept(shown.body.decode())
    assert [attrs["content"] for attrs in found.of("meta") if attrs.get("http-equiv") == "refresh"] == ["2"]
    one = f"{LIST}/{standing.id}"
    cancelled = port.post(f"{one}/cancel?state=queued", **owner)
    assert (cancelled.status, cancelled.headers["location"]) == (303, f"{LIST}?state=queued")
    assert desk.find(standing.id).state == "cancelled"
    assert port.post(f"{one}/retry", **owner).status == 303
    assert desk.find(standing.id).state == "queued"
    assert send().status == 303
    assert len(desk.listed()) == 1


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"strategy": "nobody"}, "strategy"),
        ({"symbols": "KRW-DOGE"}, "symbols"),
        ({"symbols": EVIL}, "symbols"),
        ({"end_date": "2999-01-01"}, "end_date"),
        ({"start_date": "31.12."}, "start_date"),
        ({"timeframe": "2m"}, "timeframe"),
        ({"cash": "viel"}, "cash"),
        ({"cash": "-1"}, "cash"),
        ({"params": "fast = 0"}, "params"),
        ({"params": "fast"}, "params"),
        ({"params": '{"fast": NaN}'}, "params"),
        ({"params": EVIL}, "params"),
    ],
)
def test_what_is_refused_stands_beside_its_field_and_what_was_typed_stays(send, desk, typed, field):
    """By the judge of /api/backtests; nothing is queued."""
    refused = send(**typed)
    found = is_kept(refused.body.decode())
    assert refused.status == 400
    (wrong,) = [attrs for _, attrs in found.found if attrs.get("aria-invalid")]
    assert wrong["name"] == field
    assert f"{field}-refused" in {attrs.get("id") for attrs in found.of("p")}
    sent = [text.replace("\x00", "\ufffd").replace("\ud800", "?") for text in (TYPED | typed).values()]
    kept = [attrs.get("value") for attrs in found.of("input")] + found.said("textarea")
    assert set(sent) - {*kept, typed.get("strategy", "sma_cross"), typed.get("timeframe", "")} == set()
    assert desk.listed() == []


def test_what_is_no_form_asks_for_nothing(port, owner, desk):
    """Nor does one that is too long."""
    for body, kind in ((b"{}", "application/json"), (b"params=" + b"x" * 70_000, FORM["content_type"])):
        assert port.post(LIST, body, content_type=kind, **owner).status == 400
    assert desk.listed() == []


def test_a_full_queue_says_when_to_come_again(send, ledger):
    """And keeps what was typed."""
    with ledger.transaction() as connection:
        connection.execute(
            "INSERT INTO requests (identity, kind, strategy, asked, created_at, changed_at, not_before) "
            "SELECT lpad(to_hex(n), 64, '0'), 'sweep', 's', '{}', now(), now(), now() FROM generate_series(1, 2000) n"
        )
    full = send()
    assert (full.status, full.headers["retry-after"]) == (429, "30")
    assert "5,000,000" in full.body.decode()


def test_a_viewer_looks_and_is_offered_nothing_else(port, viewer, desk, send):
    """Whatever he sends is refused; strangers log in first."""
    send()
    (one,) = desk.listed()
    found = is_kept(port.page(LIST, **viewer).body.decode())
    assert {attrs["method"] for attrs in found.of("form")} == {"get"}
    assert port.page(f"{LIST}/new", **viewer).status == 403
    for path in (LIST, f"{LIST}/{one.id}/cancel", f"{LIST}/{one.id}/retry"):
        assert port.post(path, b"", **FORM, **viewer).status == 403
    assert port.page(LIST).headers["location"].startswith("/login")
    sent = port.post(LIST, b"", **FORM)
    assert (sent.status, sent.headers["location"]) == (303, "/login?next=/reports/")
    assert desk.find(one.id).state == "queued"


def test_a_page_of_others_changes_nothing(port, owner, send, desk):
    """The browser would send the cookie along."""
    send()
    (one,) = desk.listed()
    for headers in (
        {"origin": "http://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        answer = port.post(f"{LIST}/{one.id}/cancel", b"", **FORM, **owner, **headers)
        assert answer.status == 403
    assert desk.find(one.id).state == "queued"


def test_what_cannot_be_done_is_a_page_with_a_sentence(port, owner, send, desk):
    """Nobody's request, one that has ended, a deed that is none."""
    send()
    (one,) = desk.listed()
    desk.cancel(one.id, now())
    for path, status in ((f"{one.id}/cancel", 409), (f"{'0' * 64}/cancel", 404), (f"{one.id}/explode", 404)):
        answer = port.post(f"{LIST}/{path}", b"", **FORM, **owner)
        assert answer.status == status
        assert len([of for of in is_kept(answer.body.decode()).of("p") if of.get("role") == "alert"]) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=happy", "state"),
        ("kind=queue", "kind"),
        ("offset=-1", "offset"),
        ("offset=%D9%A3", "offset"),
        ("still=no", "still"),
        ("limit=5", "limit"),
        ("state=queued&state=dead", "state"),
        ("%00%FF=1", "?"),
    ],
)
def test_a_query_that_is_none_is_refused_by_name(port, viewer, query, field):
    """As a page."""
    answer = port.page(f"{LIST}?{query}", **viewer)
    assert answer.status == 400
    assert field in is_kept(answer.body.decode()).text


def test_lists_are_filtered_and_turned_over(port, viewer, desk, send):
    """By state and kind, some at a time; an empty field filters nothing."""
    for fast in range(2, 29):
        send(params=f"fast = {fast}\nslow = 40")
    desk.cancel(desk.listed()[0].id, now())

    def rows(query):
        return len(is_kept(port.page(f"{LIST}?{query}", **viewer).body.decode()).of("time"))

    later = {attrs["href"] for attrs in is_kept(port.page(LIST, **viewer).body.decode()).of("a")}
    assert f"{LIST}?offset=25" in later
    counts = {"": 25, "offset=25": 2, "state=cancelled": 1, "kind=sweep": 0, "state=&kind=": 25}
    assert {query: rows(query) for query in counts} == counts


@pytest.mark.slow
def test_a_page_of_ten_thousand_requests_takes_no_fifty_milliseconds(port, viewer, ledger, capsys):
    """The 95th of a hundred, for each way to look; printed."""
    with ledger.transaction() as connection:
        connection.execute(
            "INSERT INTO requests (identity, kind, strategy, asked, state, created_at, changed_at, not_before) "
            "SELECT lpad(to_hex(n), 64, '0'), 'backtest', 's', '{}', "
            "CASE n % 3 WHEN 0 THEN 'queued' WHEN 1 THEN 'completed' ELSE 'cancelled' END, now() + n * interval '1 s', "
            "now(), now() FROM generate_series(1, 10000) n"
        )
    for query in ("", "state=completed", "kind=sweep", "offset=5000"):
        times = []
        for _ in range(100):
            begun = time.perf_counter()
            assert port.page(f"{LIST}?{query}", **viewer).status == 200
            times.append(time.perf_counter() - begun)
        slowest = sorted(times)[94]
        with capsys.disabled():
            print(f"\n{query or 'newest'}: p95 {slowest * 1_000:.1f} ms", end="")  # noqa: T201 - what it is for
        assert slowest <= 0.05


def test_a_form_may_be_begun_elsewhere(port, owner):
    """What the query says is typed already, and nothing is asked for yet."""
    page = port.page(f"{LIST}/new?symbols=KRW-BTC&params=fast%20%3D%203&x=1", **owner)
    assert page.status == 200
    found = is_kept(page.body.decode())
    assert "KRW-BTC" in {attrs.get("value") for attrs in found.of("input")}
    assert "fast = 3" in found.said("textarea")


def test_a_strategy_that_cannot_be_loaded_is_named(port, owner, send, settings):
    """By the form, and by whoever sends it."""
    folder = settings().strategies_folder
    folder.mkdir()
    (folder / "broken.py").write_text("x = 1")
    for answer in (port.page(f"{LIST}/new", **owner), send(strategy="broken")):
        assert answer.status == 409
        assert "broken.py" in answer.body.decode()


@pytest.mark.parametrize("path", [LIST, f"{LIST}/new"])
def test_without_a_ledger_it_says_so(open_port, path):
    """And when to come again."""
    answer = open_port.page(path)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    is_kept(answer.body.decode())
    assert open_port.post(LIST, b"", **FORM).status == 503
