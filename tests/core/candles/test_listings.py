from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.candles.listings import Changes, changes_since, record_listings, universe_on
from coinhts_core.candles.registry import note_delistings, register
from coinhts_core.errors import NoMarketListError
from coinhts_core.exchanges import MarketListing, open_exchange
from coinhts_core.markets import Market

DAY = date(2026, 3, 1)
ADA, BTC, BTT, STMX = (Market(f"KRW-{base}") for base in ("ADA", "BTC", "BTT", "STMX"))
ALL = [
    MarketListing(ADA, "에이다", "Cardano", is_warned=False, cautions=("PRICE_FLUCTUATIONS", "SMALL_ACCOUNTS")),
    MarketListing(BTC, "비트코인", "Bitcoin", is_warned=False),
    MarketListing(STMX, "스톰엑스", "StormX", is_warned=True),
]


def later(days):
    return DAY + timedelta(days=days)


def test_a_list_comes_back_as_it_was(ledger):
    """With both names, the warning and every caution; on that day, and on later ones until the next list."""
    record_listings(ledger, DAY, ALL)
    today, afterwards = universe_on(ledger, DAY), universe_on(ledger, later(9))
    assert (today.markets, today.recorded_on, today.told) == (ALL, DAY, "as recorded on that day")
    assert (afterwards.markets, afterwards.recorded_on) == (ALL, DAY)
    assert afterwards.told == "as recorded on 2026-03-01, the last list before it"


def test_without_any_list_it_is_said_how_to_get_one(ledger):
    """A guess would be worse."""
    with pytest.raises(NoMarketListError, match="no market list was ever recorded; run refresh_markets"):
        universe_on(ledger, DAY)


def test_before_the_first_list_stand_the_coins_whose_days_are_known(ledger):
    """Those followed ever, between their first day and their last; and the sentence says what that leaves out."""
    sample = open_exchange("sample")
    register(ledger, sample, [BTC, BTT, STMX], DAY)
    note_delistings(ledger, sample, [STMX])
    record_listings(ledger, later(60), ALL[:2])
    before = universe_on(ledger, date(2026, 1, 10))
    assert [of.symbol for of in before.markets] == [BTC, STMX]
    assert [of.korean_name for of in before.markets] == ["비트코인", ""]
    assert before.recorded_on == later(60)
    assert "no list was recorded before 2026-04-30" in before.told
    assert "the 1 others" in before.told
    assert [of.symbol for of in universe_on(ledger, later(40)).markets] == [BTC, BTT]
    assert universe_on(ledger, date(2020, 1, 1)).markets == []


def test_what_came_and_went_is_told_against_the_last_list_before_the_day(ledger):
    """However often the day's own list is recorded meanwhile."""
    assert changes_since(ledger, DAY, ALL) == Changes(None, [], [])
    record_listings(ledger, DAY, ALL)
    assert changes_since(ledger, DAY, ALL[1:]) == Changes(None, [], [])
    changed = [*ALL[1:], MarketListing(BTT, "비트토렌트", "BitTorrent", is_warned=False)]
    for _ in range(2):
        assert changes_since(ledger, later(3), changed) == Changes(DAY, [BTT], [ADA])
        record_listings(ledger, later(3), changed)
    assert changes_since(ledger, later(4), changed) == Changes(later(3), [], [])


LISTS = st.lists(st.tuples(st.integers(0, 8), st.sets(st.sampled_from(range(3)), min_size=1)), min_size=1, max_size=12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recorded=LISTS, asked=st.integers(0, 9))
def test_the_last_list_recorded_of_the_last_day_is_the_universe(ledger, recorded, asked):
    """In whatever order days are recorded, and however often."""
    with ledger.transaction() as connection:
        connection.execute("DELETE FROM listings")
    lists = {}
    for day, places in recorded:
        lists[day] = [ALL[place] for place in sorted(places)]
        record_listings(ledger, later(day), lists[day])
    known = [day for day in lists if day <= asked]
    universe = universe_on(ledger, later(asked))
    assert universe.recorded_on == later(max(known, default=min(lists)))
    assert universe.markets == (lists[max(known)] if known else [])


def test_two_who_record_at_once_leave_one_list(ledger):
    """Not a mixture of both."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda place: record_listings(ledger, DAY, ALL[place % 2 :][:2]), range(24)))
    assert universe_on(ledger, DAY).markets in (ALL[:2], ALL[1:])
