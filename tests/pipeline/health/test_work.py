from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.ledger.queries import load_queries
from coinhts_core.ops.health import WORK_BEGINS_AFTER, Work
from coinhts_pipeline.defs.strategies import rehearse_days_daily
from coinhts_pipeline.health.work import Followed, collected, decided, followed
from coinhts_pipeline.partitions import partition_key

LAST = last_complete_day(now())
BEFORE = LAST - timedelta(days=1)
FIRST = LAST - timedelta(days=9)
BTC, ETH = Followed("KRW-BTC", FIRST, None, LAST), Followed("KRW-ETH", FIRST, None, LAST)


@pytest.fixture(scope="module")
def quiet(open_house):
    """Open a house for this module, whose tests decide by a strategy of their own each."""
    with open_house() as house:
        yield house


@pytest.fixture
def decides(quiet, request):
    """Let a strategy of the test's own decide on symbol-days, as a run records it."""
    name = request.node.name[:40]

    def on(*days: tuple[str, date]) -> str:
        for symbol, day in days:
            key = dg.AssetKey(["signals", name])
            quiet.instance.report_runless_asset_event(
                dg.AssetMaterialization(key, partition=partition_key(symbol, day))
            )
        return name

    return on


def done(house, strategy, *coins):
    address = house.rooms.settings.dagster_postgres_url.get_secret_value()
    (work,) = decided(coins, [strategy], address, now())
    assert (work.of, work.first, work.last) == (strategy, FIRST, None)
    return work.done


def test_a_day_is_decided_when_it_is_for_every_coin(quiet, decides):
    """The day before counts until then, and the newest of anybody's before that."""
    strategy = decides()
    assert done(quiet, strategy, BTC, ETH) is None
    decides(("KRW-BTC", FIRST))
    assert done(quiet, strategy, BTC, ETH) == FIRST
    decides(("KRW-BTC", LAST))
    assert done(quiet, strategy, BTC, ETH) == BEFORE - timedelta(days=1)
    decides(("KRW-BTC", BEFORE), ("KRW-ETH", BEFORE))
    assert done(quiet, strategy, BTC, ETH) == BEFORE
    decides(("KRW-ETH", LAST))
    assert done(quiet, strategy, BTC, ETH) == LAST


def test_a_coin_that_is_not_listed_is_not_waited_for(quiet, decides):
    """Neither before its first day nor after its last."""
    strategy = decides(("KRW-BTC", LAST))
    gone = Followed("KRW-ETH", FIRST, BEFORE, BEFORE)
    assert done(quiet, strategy, BTC, gone) == LAST
    assert done(quiet, strategy, BTC, ETH) == BEFORE - timedelta(days=1)


def test_nobody_decides_on_no_coin(quiet):
    """And nothing is wrong with that."""
    assert decided([], ["sma_cross"], quiet.rooms.settings.dagster_postgres_url.get_secret_value(), now()) == []


def test_what_is_followed_is_told_with_the_newest_day_that_was_answered(ledger):
    """A day that the exchange did not answer is none; a coin that nobody follows any more is left out."""
    rows = [("KRW-BTC", None), ("KRW-NEW", date(2026, 2, 1)), ("KRW-OLD", None)]
    with ledger.transaction() as connection:
        for symbol, delisted_on in rows:
            facts = {"symbol": symbol, "first_day": FIRST, "anchor": FIRST, "delisted_on": delisted_on}
            connection.execute(load_queries("symbols")["register_symbol"], facts)
        connection.execute("UPDATE symbols SET is_active = symbol <> 'KRW-OLD'")
        for day, answer in ((FIRST, "complete"), (BEFORE, "unavailable")):
            facts = {"symbol": "KRW-BTC", "timeframe": "1m", "day": day, "answer": answer, "reason": "down"}
            counted = {"row_count": 0, "content_hash": "x" if answer == "complete" else None, "asked_at": now()}
            connection.execute(load_queries("coverage")["record_answer"], facts | counted)
    found = followed(ledger)
    assert found == [
        Followed("KRW-BTC", FIRST, None, FIRST),
        Followed("KRW-NEW", FIRST, date(2026, 2, 1), None),
    ]
    assert collected(found)[0] == Work("KRW-BTC", FIRST, None, FIRST)


def test_work_begins_when_its_schedule_says():
    """The hour that it may take is counted from there."""
    begins = datetime(2026, 1, 1, tzinfo=UTC) + WORK_BEGINS_AFTER
    assert rehearse_days_daily.cron_schedule == f"{begins.minute} {begins.hour} * * *"
    assert rehearse_days_daily.execution_timezone == "UTC"
