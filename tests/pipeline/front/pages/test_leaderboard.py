from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.overfitting import Counted
from coinhts_core.results.ranking import Asked, Best, suited
from coinhts_pipeline.front.pages.leaderboard import Board, Scale, leaderboard_page
from tests.pipeline.front.pages.tags import EVIL, is_kept

BEST = Best(
    "KRW-BTC", "sma_cross", "ab" * 32, "1h", date(2026, 1, 1), date(2026, 12, 31), 0.2, -0.1, 1.5, 40, 0.0, 0.0, 3
)
TRIED = {"sma_cross": Counted(50, 0.001, 20)}


def shown(*best, asked=None, has_more=False):
    return is_kept(leaderboard_page(Board(suited(best, TRIED), asked or Asked(), has_more)))


def test_a_coin_has_a_verdict_and_its_strategies():
    """With Sharpe ratio, interval, tries, and how far to trust it; the result is a click away."""
    found = shown(
        replace(BEST, sharpe=4.0), replace(BEST, strategy="other", sharpe=-1.0), replace(BEST, symbol="KRW-ETH")
    )
    assert found.said("h2") == ["KRW-BTC", "KRW-ETH"]
    assert "sma_cross suits it best: its interval lies above all others." in found.said("td")
    assert "Undecided: only sma_cross can be judged; that it earns anything is not sure." in found.said("td")
    assert {"4.00", "-1.00", "50", "365", "+20.00%", "-10.00%"} <= set(found.said("td"))
    assert f"/reports/results/{BEST.id}" in {attrs["href"] for attrs in found.of("a")}
    assert "2.33 to 5.67" in found.said("div")


def test_the_way_of_reckoning_is_said():
    """And that a choice among many tries is another matter."""
    told = shown(BEST).text
    assert "90% interval: Mertens' standard error" in told
    assert "deflated Sharpe ratio" in told


def test_what_cannot_be_reckoned_has_a_reason():
    """No drawing, and no figure."""
    found = shown(replace(BEST, sharpe=None))
    assert not found.of("svg")
    assert "its daily returns do not differ, or are too few" in found.said("small")


def test_an_empty_house_says_how_to_begin():
    """And a filter that finds nothing that there is nothing like that."""
    assert "coinhts backtest run" in " ".join(shown().said("code"))
    assert "No result is like that." in shown(asked=Asked(symbol="KRW-XRP")).said("p")


@pytest.mark.parametrize(("offset", "links"), [(0, ["20"]), (20, ["0", "40"])])
def test_many_coins_are_turned_over(offset, links):
    """With what they are filtered by."""
    found = shown(BEST, asked=Asked(days=30, offset=offset), has_more=True)
    here = [attrs["href"] for attrs in found.of("a") if attrs["href"].startswith("/reports/leaderboard?")]
    assert [of.partition("offset=")[2] for of in here] == links
    assert all("days=30" in of for of in here)


def test_nothing_that_is_kept_is_taken_for_markup():
    """Whatever somebody got into the ledger."""
    shown(replace(BEST, symbol=EVIL, strategy=EVIL, timeframe=EVIL), asked=Asked(symbol=EVIL))


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=5))
def test_every_interval_and_0_have_a_place_in_the_drawing(sharpes):
    """In order, and within its rims."""
    coins = suited([replace(BEST, sharpe=of) for of in sharpes], {})
    scale = Scale.of(coins)
    for of in coins[0].ranked:
        low, high = map(scale.place, of.interval)
        assert 5.0 <= low < scale.place(of.best.sharpe) < high <= 155.0
    assert 5.0 <= scale.place(0.0) <= 155.0
