"""Which strategy suits which coin: intervals by hand, sentences, the statement over real rows, how long it takes."""

import time
from dataclasses import replace
from datetime import date, timedelta
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from coinhts_core.backtests.overfitting import Counted
from coinhts_core.backtests.undefined import Undefined
from coinhts_core.errors import BadRequestError
from coinhts_core.hashes import digest
from coinhts_core.ledger.queries import load_queries
from coinhts_core.results.ranking import Asked, Best, read_asked, suited
from coinhts_core.results.shelf import Shelf
from coinhts_core.trials import Over, Trial, Trials
from tests.core.results.conftest import ran

FIRST = date(2026, 1, 1)
BEST = Best("KRW-BTC", "sma_cross", "a" * 64, "1h", FIRST, date(2026, 12, 31), 0.2, -0.1, 1.5, 40, 0.0, 0.0, 3)
SHARPES = st.floats(-5.0, 5.0)
DAYS = {"start_date": "2026-01-01", "end_date": "2026-01-13"}


def on(symbol="KRW-BTC", **sharpes):
    """Give a coin's best results by strategy, the highest Sharpe ratio first, as the ledger does."""
    rows = [replace(BEST, symbol=symbol, strategy=name, sharpe=sharpe) for name, sharpe in sharpes.items()]
    (found,) = suited(rows, {})
    return found


def keep(ledger, symbol="KRW-BTC", **told):
    """Put a result's row into the ledger, as far as it matters here."""
    facts = {"strategy": "sma_cross", "sharpe": 1.0, "kind": "backtest", "mode": "account", "days": 100} | told
    row = {
        **{name: facts[name] for name in ("strategy", "kind", "mode", "sharpe")},
        "id": facts.get("id") or digest(symbol, sorted(map(str, facts.items()))),
        "question": facts.get("question") or digest(symbol, sorted(map(str, facts.items()))),
        "symbols": facts.get("symbols") or [symbol],
        "timeframe": "1h",
        "first_day": FIRST,
        "last_day": FIRST + timedelta(days=facts["days"] - 1),
        "total_return": 0.1,
        "max_drawdown": -0.05,
        "trades": 40,
        "metrics": Jsonb({"skew": 0.5, "excess_kurtosis": 1.0}),
        **{name: Jsonb({}) for name in ("asked", "made_from", "frames")},
    }
    with ledger.transaction() as connection:
        connection.execute(load_queries("results")["record_result"], row)


def found(ledger, **asked):
    """Tell of each coin its strategies' Sharpe ratios and how many results stand behind each."""
    coins = Shelf(ledger, None).ranked(Asked(**asked))
    return {coin.symbol: [(of.best.strategy, of.best.sharpe, of.best.answers) for of in coin.ranked] for coin in coins}


def test_an_interval_is_mertens():
    """A year of normal days: 1.645 times the root of (1 + half of the squared daily ratio) over the days."""
    daily = 1.5 / sqrt(365)
    reach = 1.6448536 * sqrt((1 + daily**2 / 2) / 364) * sqrt(365)
    assert on(sma_cross=1.5).ranked[0].interval == pytest.approx((1.5 - reach, 1.5 + reach))


def test_strategies_that_overlap_are_undecided():
    """The best and whoever reaches it are named; those below are not."""
    of = on(best=3.0, near=2.0, far=-3.0)
    assert of.verdict == "undecided: the intervals of best and near overlap"
    assert (of.rivals, of.is_decided) == (("best", "near"), False)
    assert on(a=3.0, b=2.9, c=2.8).verdict == "undecided: the intervals of a, b and c overlap"


def test_one_that_lies_above_all_others_suits():
    """Whether it earns anything is another question."""
    of = on(best=4.0, other=-1.0)
    assert (of.verdict, of.is_decided) == ("best suits it best: its interval lies above all others", True)
    assert on(best=0.5, other=-4.0).verdict.endswith("above all others; that it earns anything is not sure")


@pytest.mark.parametrize(
    ("sharpes", "verdict"),
    [
        ({"alone": 3.0}, "undecided: only alone can be judged"),
        ({"alone": 0.1}, "undecided: only alone can be judged; that it earns anything is not sure"),
        ({"known": 3.0, "flat": None}, "undecided: only known can be judged"),
        ({"flat": None}, "undecided: no result has a Sharpe ratio whose interval is known"),
    ],
)
def test_where_nothing_can_be_compared_it_is_said_why(sharpes, verdict):
    """One strategy alone is not chosen among others; one without a Sharpe ratio cannot be."""
    of = on(**sharpes)
    assert (of.verdict, of.is_decided) == (verdict, False)


@given(st.lists(SHARPES, min_size=1, max_size=6))
def test_the_best_is_always_among_its_rivals_and_intervals_hold_their_ratio(sharpes):
    """Whoever is decided has an interval above that of each other one."""
    ordered = sorted(sharpes, reverse=True)
    of = on(**{f"s{place}": sharpe for place, sharpe in enumerate(ordered)})
    assert of.rivals[0] == "s0"
    lows, highs = zip(*(one.interval for one in of.ranked), strict=True)
    assert all(low < sharpe < high for low, sharpe, high in zip(lows, ordered, highs, strict=True))
    assert of.is_decided == (len(ordered) > 1 and max(highs[1:]) < lows[0])


def test_a_day_has_no_interval_and_every_try_counts():
    """A reason instead; the badge counts tries of every strategy, its own apart."""
    short = replace(BEST, last_day=FIRST)
    (coin,) = suited([short, BEST], {"other": Counted(50, 0.001, 20)})
    assert isinstance(coin.ranked[0].interval, Undefined)
    assert coin.ranked[0].facts["sharpe_low"] is None
    assert (coin.ranked[1].facts["trials"], coin.ranked[1].badge.sentence.count("0 of them of this strategy")) == (
        50,
        1,
    )


def test_the_newest_answers_about_a_coin_alone_are_ranked(ledger):
    """By coin and strategy the highest Sharpe ratio; of one question only what was answered last."""
    keep(ledger, sharpe=1.0)
    keep(ledger, sharpe=2.0)
    keep(ledger, strategy="other", sharpe=None)
    keep(ledger, "KRW-ETH", sharpe=-1.0)
    for place, sharpe in enumerate((9.0, 0.5)):
        keep(ledger, "KRW-XRP", sharpe=sharpe, question="q" * 64, id=str(place) * 64)
    for told in ({"kind": "sweep"}, {"mode": "study"}, {"symbols": ["KRW-BTC", "KRW-ETH"]}):
        keep(ledger, sharpe=8.0, **told)
    assert found(ledger) == {
        "KRW-BTC": [("sma_cross", 2.0, 2), ("other", None, 1)],
        "KRW-ETH": [("sma_cross", -1.0, 1)],
        "KRW-XRP": [("sma_cross", 0.5, 1)],
    }


def test_coins_are_looked_for_and_come_a_page_at_a_time(ledger):
    """By name; one alone; of results that are long enough."""
    for symbol in ("KRW-C", "KRW-A", "KRW-B"):
        for strategy in ("one", "two"):
            keep(ledger, symbol, strategy=strategy)
    keep(ledger, "KRW-B", strategy="long", days=200)
    assert list(found(ledger, limit=2)) == ["KRW-A", "KRW-B"]
    assert list(found(ledger, limit=2, offset=2)) == ["KRW-C"]
    assert list(found(ledger, symbol="KRW-B", limit=1)) == ["KRW-B"]
    assert found(ledger, days=150) == {"KRW-B": [("long", 1.0, 1)]}


def test_what_is_kept_is_ranked_with_what_was_tried(shelf, ledger):
    """A real run, from the shelf to the facts that programs read."""
    result = ran()
    kept = shelf.keep(result.id, result, DAYS)
    Trials(ledger).record([Trial(digest("x"), "other", Over(("KRW-BTC",), "1h", FIRST, FIRST), 0.3)])
    (coin,) = shelf.ranked(Asked())
    (facts,) = coin.facts["strategies"]
    assert (coin.symbol, facts["id"], facts["sharpe"], facts["trials"]) == ("KRW-BTC", kept.id, kept.sharpe, 2)
    assert facts["sharpe_low"] < kept.sharpe < facts["sharpe_high"]
    assert facts["days"] == 13


@pytest.mark.parametrize(
    "told",
    [{"symbol": "KRW-\0"}, {"days": "0"}, {"days": "\u0663"}, {"limit": "201"}, {"offset": "-1"}, {"offset": "9" * 9}],
)
def test_what_cannot_be_meant_is_refused_by_its_field(told):
    """In one sentence."""
    with pytest.raises(BadRequestError) as refused:
        read_asked(told)
    assert refused.value.field == next(iter(told))


def test_what_is_asked_is_read():
    """And a name that is none is told what there is."""
    assert read_asked({"symbol": "krw-btc", "days": "90", "limit": "5", "offset": "0"}) == Asked("KRW-BTC", 90, 5)
    with pytest.raises(BadRequestError, match="did you mean days"):
        read_asked({"day": "1"})


@pytest.mark.slow
def test_ten_thousand_results_are_ranked_in_no_fifty_milliseconds(ten_thousand, lake, capsys):
    """The 95th of a hundred; printed."""
    shelf, times = Shelf(ten_thousand, lake), []
    for _ in range(100):
        begun = time.perf_counter()
        assert shelf.ranked(Asked())
        times.append(time.perf_counter() - begun)
    slowest = sorted(times)[94]
    with capsys.disabled():
        print(f"\nranked: p95 {slowest * 1_000:.1f} ms", end="")  # noqa: T201 - what it is for
    assert slowest <= 0.05
