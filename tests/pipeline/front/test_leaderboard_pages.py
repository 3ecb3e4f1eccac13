import pytest

from coinhts_core.lake.lake import Lake
from coinhts_core.results.shelf import Shelf
from tests.core.results.conftest import ran
from tests.pipeline.front.pages.tags import is_kept

PLACE = "/reports/leaderboard"
DAYS = {"start_date": "2026-01-01", "end_date": "2026-01-13"}


@pytest.fixture
def look(locked_port):
    """Look as a viewer; gives the status and the page's tags."""
    cookie = locked_port.login("anschauen").cookie

    def looked(query=""):
        answer = locked_port.page(f"{PLACE}?{query}", cookie=cookie)
        return answer.status, is_kept(answer.body.decode())

    return looked


def test_what_is_kept_is_ranked(look, ledger, settings):
    """With a link to the result that stands for its strategy; of so many days at least."""
    result = ran()
    kept = Shelf(ledger, Lake.open(settings().lake_url)).keep(result.id, result, DAYS)
    status, found = look("symbol=&days=")
    assert status == 200
    assert found.said("h2") == ["KRW-BTC"]
    assert f"/reports/results/{kept.id}" in {attrs["href"] for attrs in found.of("a")}
    assert look("days=14")[1].said("h2") == look("symbol=KRW-ETH")[1].said("h2") == []


def test_an_empty_house_says_how_to_begin(look):
    """A command."""
    assert "coinhts backtest run" in look()[1].text


@pytest.mark.parametrize(("query", "field"), [("symbol=x", "symbol"), ("days=-1", "days"), ("sort=best", "sort")])
def test_what_cannot_be_meant_is_refused_by_its_field(look, query, field):
    """As a page."""
    status, found = look(query)
    assert status == 400
    assert field in found.text


def test_strangers_see_nothing(locked_port, open_port):
    """And without a ledger it says when to come again."""
    assert locked_port.page(PLACE).headers["location"].startswith("/login")
    answer = open_port.page(PLACE)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
