"""Results as pages, asked for as a browser does."""

import asyncio
import time
from pathlib import Path

import polars as pl
import pytest
from starlette.requests import Request

from coinhts_core.backtests.sheets import sheet_of
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.results.facts import Table
from coinhts_core.results.shelf import Shelf
from coinhts_pipeline.front.readings import Readings
from coinhts_pipeline.front.reports import SANDBOX
from coinhts_pipeline.front.result_pages import routes
from coinhts_pipeline.front.shown import House
from tests.core.results.conftest import SWEPT, ran, with_ten_thousand
from tests.pipeline.front.pages.tags import Tags, is_kept

DAYS = {"start_date": "2026-01-01", "end_date": "2026-01-13"}
POINTS = [(fast, slow, (fast - 4) / 10 - slow / 100 if fast != slow else None) for fast in (3, 4, 5) for slow in (5, 8)]
GRID = {"fast": [3, 4, 5], "slow": [5, 8], "cash": [1e7]}


@pytest.fixture
def shelf(ledger, settings):
    """Give the shelf of the house that is served."""
    return Shelf(ledger, Lake.open(settings().lake_url))


@pytest.fixture
def show(locked_port):
    """Give a page as a viewer sees it: its status and what is in it."""
    cookie = locked_port.login("anschauen").cookie

    def show(path, status=200):
        answer = locked_port.page(path, cookie=cookie)
        assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.body
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src" not in answer.headers["content-security-policy"]
        return is_kept(answer.body.decode())

    return show


def kept(shelf, **knobs):
    result = ran(**knobs)
    return shelf.keep(result.id, result, DAYS)


def swept(shelf, identity="a" * 64):
    rows = [
        {
            "symbol": "KRW-BTC",
            "fast": fast,
            "slow": slow,
            "cash": 1e7,
            "sharpe": sharpe,
            "total_return": sharpe,
            "trades": 9,
        }
        for fast, slow, sharpe in POINTS
    ]
    return shelf.keep(identity, Table("sweep", pl.DataFrame(rows), {"combinations": len(rows)}), SWEPT | {"grid": GRID})


def test_strangers_are_sent_to_the_door(locked_port):
    """Whatever page they ask for."""
    for path in ("", "results", "results/abcdef", "compare", "heatmap/abcdef"):
        answer = locked_port.page(f"/reports/{path}")
        assert (answer.status, answer.headers["location"]) == (303, f"/login?next=/reports/{path}")


def test_an_empty_house_says_what_to_do_next(show):
    """In a command, on the front page and in the list."""
    for path in ("/reports/", "/reports/results"):
        assert "coinhts backtest run" in show(path).text
    assert "No result is like that" in show("/reports/results?strategy=sma_cross").text


def test_the_front_page_shows_the_latest_and_the_files(show, shelf, settings):
    """Each leads where it says."""
    rows = [kept(shelf, fast=fast) for fast in range(2, 8)]
    (settings().reports_folder / "performance").mkdir(parents=True)
    tags = show("/reports/")
    places = [attrs["href"] for attrs in tags.of("a")]
    assert [place for place in places if place.startswith("/reports/results/")] == [
        f"/reports/results/{row.id}" for row in rows[:0:-1]
    ]
    assert "./performance/" in places


def test_results_are_filtered_and_sorted_by_links_and_a_form(show, shelf):
    """What was asked for stays in the form and in the ways on."""
    rows = [kept(shelf, fast=fast) for fast in (3, 4, 5)]
    swept(shelf)
    listed = [attrs["value"] for attrs in show("/reports/results?kind=backtest").of("input") if attrs["name"] == "id"]
    assert listed == [row.id for row in rows[::-1]]
    tags = show(
        f"/reports/results?sort=return&min_return={rows[0].total_return}&from=2026-01-01&to=9999-12-31&strategy=sma_cross"
    )
    best = sorted((row for row in rows if row.total_return >= rows[0].total_return), key=lambda row: -row.total_return)
    assert [of["value"] for of in tags.of("input") if of["name"] == "id"] == [row.id for row in best]
    (head,) = [of for of in tags.of("th") if of.get("aria-sort")]
    assert head["aria-sort"] == "descending"
    fields = {of["name"]: of["value"] for of in tags.of("input") if of.get("type") != "checkbox"}
    assert (fields["from"], fields["strategy"], fields["min_return"]) == (
        "2026-01-01",
        "sma_cross",
        str(rows[0].total_return),
    )
    assert {"value": "return", "selected": ""} in tags.of("option")
    ways = [of["href"] for of in tags.of("a") if "sort=sharpe" in of["href"]]
    assert len(ways) == 1
    assert "&to=9999-12-31&strategy=sma_cross" in ways[0]
    assert {tags.said("td").count(word) for word in shelf.grades(best, shelf.counted("of all")).values()} == {len(best)}


def test_a_list_is_shown_in_parts(show, shelf):
    """As many as asked for, and the way to those before and behind."""
    rows = [kept(shelf, fast=fast) for fast in (3, 4, 5)]
    seen, place = [], "/reports/results?limit=2&kind=backtest"
    while place:
        tags = show(place)
        seen += [of["value"] for of in tags.of("input") if of["name"] == "id"]
        place = next((of["href"] for of in tags.of("a") if of.get("rel") == "next"), None)
    assert seen == [row.id for row in rows[::-1]]
    (back,) = [of["href"] for of in tags.of("a") if of.get("rel") == "prev"]
    assert [of["value"] for of in show(back).of("input") if of["name"] == "id"] == seen[:2]


def test_a_run_is_shown_by_its_tearsheet(locked_port, shelf, settings):
    """As it was drawn, in the sandbox of reports; whoever drew it."""
    cookie = locked_port.login("anschauen").cookie
    result = ran()
    row = shelf.keep(result.id, result, DAYS)
    for folder in (settings().home / "results", settings().reports_folder / "requests"):
        folder.mkdir(parents=True)
        page = folder / f"{row.id}.html"
        page.write_text(tearsheet(sheet_of(result)))
        answer = locked_port.page(f"/reports/results/{row.id[:8]}", cookie=cookie)
        assert (answer.status, answer.body) == (200, page.read_bytes())
        assert answer.headers["content-security-policy"] == SANDBOX
        page.unlink()


def test_a_run_without_a_tearsheet_is_shown_by_its_figures(show, shelf):
    """Drawn on another machine, say; with how far it may be trusted."""
    row = kept(shelf)
    tags = show(f"/reports/results/{row.id}")
    assert "Trust: " in tags.text
    assert "Total return" in tags.text
    assert "is not on this machine" in tags.text


def test_a_sweep_is_shown_combination_by_combination(show, shelf):
    """The best first, by the figure asked for; those without it last."""
    row = swept(shelf)
    tags = show(f"/reports/results/{row.id}")
    assert tags.said("th")[-6:] == ["1", "2", "3", "4", "5", "6"]
    cells = tags.said("td")
    sharpes = [cells[place] for place in range(4, len(cells), len(cells) // 6)]
    assert sharpes == ["0.02", "-0.05", "-0.08", "-0.15", "-0.18", "\N{EN DASH}"]
    assert [of["aria-sort"] for of in tags.of("th") if of.get("aria-sort")] == ["descending"]
    assert f"/reports/heatmap/{row.id}?by=sharpe" in [of["href"] for of in tags.of("a")]
    show(f"/reports/results/{row.id}?by=trades")


def test_a_heat_map_shows_each_value_and_says_which_is_best(show, shelf):
    """The stronger the colour, the higher; two knobs of choice."""
    row = swept(shelf)
    tags = show(f"/reports/heatmap/{row.id[:9]}")
    cells = {of["class"]: 0 for of in tags.of("td") if "heat-" in (of.get("class") or "")}
    assert {"number heat-5 best", "number heat-0"} <= set(cells)
    assert tags.said("small").count("best") == 1
    assert [of["value"] for of in tags.of("option") if "selected" in of] == ["fast", "slow", "sharpe"]
    turned = show(f"/reports/heatmap/{row.id}?x=slow&y=fast&by=trades")
    assert [of["value"] for of in turned.of("option") if "selected" in of] == ["slow", "fast", "trades"]


@pytest.mark.parametrize("query", ["id={}&id={}", "a={}&b={}"])
def test_two_results_are_compared(show, shelf, query):
    """What differs, both curves and all figures."""
    one, other = kept(shelf), kept(shelf, fast=4)
    tags = show(f"/reports/compare?{query.format(one.id, other.id[:8])}")
    assert "the cause is parameters: all else is the same" in tags.text
    assert "fast 3 → 4" in tags.text
    assert [of["class"] for of in tags.of("path")] == ["grid", "line main", "line benchmark-1"]


REFUSED = [
    ("results?limit=0", "limit"),
    ("results?offset=-1", "offset"),
    ("results?from=2026-02-30", "from"),
    ("results?min_return=nan", "min_return"),
    ("results?min_return=1&max_return=0", "min_return"),
    ("results?strategy=%3Cscript%3E", "strategy"),
    ("results?symbol=%00", "symbol"),
    ("results?sort=id", "sort"),
    ("results?sort=return&sort=sharpe", "sort"),
    ("results?%3Cb%3E=1", "<b>"),
    ("results/abc", "id"),
    (f"results/{'a' * 65}", "id"),
    ("results/%3Cscript%3E", "id"),
    ("results/aaaaaa?by=sharpee", "by"),
    ("results/aaaaaa?by=%3Cscript%3E", "by"),
    ("results/aaaaaa?offset=x", "offset"),
    ("compare", "id"),
    ("compare?id=aaaaaa", "id"),
    ("compare?id=aaaaaa&id=bbbbbb&id=cccccc", "id"),
    ("compare?a=aaaaaa&b=%00", "b"),
    ("heatmap/aaaaaa?x=fst", "x"),
    ("heatmap/aaaaaa?y=cash", "y"),
    ("heatmap/aaaaaa?x=fast&y=fast", "y"),
    ("heatmap/aaaaaa?by=symbol", "by"),
    ("heatmap/%00", "id"),
]


def test_what_cannot_be_meant_is_refused_by_its_field(show, shelf):
    """On a page that leads on, in one sentence."""
    swept(shelf)
    for path, field in REFUSED:
        tags = show(f"/reports/{path}", 400)
        (sentence,) = tags.said("p")[1:]
        assert f"the request's {field} is refused" in sentence
        assert tags.of("nav")


def test_what_is_not_there_is_not_found(show, shelf):
    """And what several begin with asks for more."""
    for path in ("results/abcdef", "compare?a=abcdef&b=abcdee", "heatmap/abcdef"):
        assert "no result begins with abcdef" in show(f"/reports/{path}", 404).text
    for last in "01":
        shelf.keep("c" * 63 + last, ran(), DAYS)
    assert "give more letters" in show("/reports/results/cccccc", 409).text
    row = kept(shelf)
    assert "is no sweep" in show(f"/reports/heatmap/{row.id}", 409).text


def test_a_damaged_result_is_named(show, shelf, settings):
    """Never a figure out of other bytes, and no old drawing either; the list still answers."""
    row = kept(shelf)
    page = settings().home / "results" / f"{row.id}.html"
    page.parent.mkdir(parents=True)
    page.write_text("drawn before")
    for file in _objects(settings, row.id, "trades"):
        file.write_bytes(file.read_bytes()[:-1])
    assert "the trades of result" in show(f"/reports/results/{row.id}", 409).text
    for file in _objects(settings, row.id, "equity"):
        file.unlink()
    assert "the equity of result" in show(f"/reports/compare?a={row.id}&b={row.id}", 409).text
    assert show("/reports/results").text.count(row.id[:12]) == 1


def _objects(settings, identity: str, frame: str) -> list[Path]:
    return list((settings().home / "lake" / "results" / identity / frame).rglob("*.parquet"))


@pytest.mark.parametrize("path", ["results", "results/abcdef", "compare?a=abcdef&b=abcdee", "heatmap/abcdef"])
def test_without_a_ledger_a_page_says_so(open_port, path):
    """And when to ask again; files are shown all the same."""
    answer = open_port.page(f"/reports/{path}")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "coinhts up" in Tags(answer.body.decode()).text
    assert "There is no ledger here" in is_kept(open_port.page("/reports/").body.decode()).text


def test_a_ledger_that_is_away_is_said_to_be(settings, ledger):
    """The front page shows its files all the same; the others say when to ask again."""
    settings().reports_folder.mkdir()
    (settings().reports_folder / "one.html").write_text("1")
    with Ledger.open(ledger.url, most_connections=1) as busy, busy.transaction():
        front, listed, *_ = routes(House(settings(), Readings(busy, settings(), patience_s=0.0)))

        async def both():
            return await asyncio.gather(*(route.endpoint(_request(route.path)) for route in (front, listed)))

        first, second = asyncio.run(both())
    assert (first.status_code, second.status_code, second.headers["retry-after"]) == (200, 503, "5")
    tags = is_kept(first.body.decode())
    assert "./one.html" in [of["href"] for of in tags.of("a")]
    assert [of for of in tags.of("p") if of.get("role") == "alert"]
    assert is_kept(second.body.decode()).said("h1") == ["Service Unavailable"]


def _request(path):
    return Request({"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""})


def test_pages_are_read(locked_port):
    """Whoever writes is refused, the owner too."""
    cookie = locked_port.login("geheim").cookie
    for path in ("", "results", "results/abcdef", "compare", "heatmap/abcdef"):
        assert locked_port.post(f"/reports/{path}", b"x", cookie=cookie).status == 405


def test_what_there_is_not_is_a_page(show):
    """A file of that name could be there, and is not."""
    for path in ("results/abcdef/more", "heatmap", "heatmap/", "results.html", "compare/x"):
        assert "there is no such report" in show(f"/reports/{path}", 404).text


@pytest.mark.slow
def test_of_ten_thousand_results_a_page_takes_no_fifty_milliseconds(locked_port, ledger, capsys):
    """The 95th of a hundred, for each way to look, from the request to the last byte; printed."""
    with_ten_thousand(ledger)
    cookie = locked_port.login("anschauen").cookie
    for query in (
        "",
        "strategy=strategy_7",
        "sort=return",
        "from=2026-06-01&to=2026-06-07",
        "min_return=0.99",
        "offset=9000",
    ):
        times = []
        for _ in range(100):
            begun = time.perf_counter()
            answer = locked_port.page(f"/reports/results?{query}", cookie=cookie)
            times.append(time.perf_counter() - begun)
            assert answer.status == 200
        slowest = sorted(times)[94]
        with capsys.disabled():
            print(f"\n{query or 'newest'}: p95 {slowest * 1_000:.1f} ms", end="")  # noqa: T201 - what it is for
        assert slowest <= 0.05
