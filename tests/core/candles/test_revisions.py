from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.agenda import Agenda
from coinhts_core.candles.collection import answers, collect, record
from coinhts_core.candles.frame import MINUTES
from coinhts_core.candles.registry import register
from coinhts_core.candles.revisions import find_revised_days, find_revisions
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.lake.writer import DayRows
from tests.core.conftest import FIRST

DAYS = [FIRST + timedelta(days=place) for place in range(8)]
REVISED = DAYS[2]
AT = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Second(SampleExchange):
    """The sample market as it remembers one day later: a bar changed, one gone, one new."""

    def minutes(self, symbol, day):
        candles = super().minutes(symbol, day)
        if day != REVISED:
            return candles
        changed = pl.when(pl.col("opened_at") == candles["opened_at"][10]).then(9.0).otherwise("volume").alias("volume")
        new = candles[-1].with_columns(opened_at=_quiet_minute(candles))
        return pl.concat([candles.with_columns(changed).filter(pl.col("opened_at") != candles["opened_at"][20]), new])


def _quiet_minute(candles):
    """The first minute without a trade."""
    everywhen = pl.datetime_range(
        datetime(2026, 1, REVISED.day, tzinfo=UTC), datetime(2026, 1, REVISED.day, 23, tzinfo=UTC), "1m", eager=True
    )
    return everywhen.filter(~everywhen.is_in(candles["opened_at"].implode()))[0]


@pytest.fixture
def collected(booked_desk):
    """Eight days answered completely, rehearsed, and all of it current."""
    desk = booked_desk
    register(desk.ledger, SampleExchange(), [desk.registered.symbol], FIRST)
    tell(desk, SampleExchange(), DAYS, AT)
    desk.run(DAYS)
    return desk


def tell(desk, venue, days, asked_at, *, is_recorded=True):
    """Ask, publish and record, as a run does; give the revisions."""
    symbol = desk.registered.symbol
    told, stored = answers(desk.ledger, symbol, FIRST, DAYS[-1]), desk.lake.heads(MINUTES, symbol)
    collection = collect(venue, desk.registered, days, (), asked_at)
    revisions = find_revisions(desk.lake, symbol, told, stored, collection.complete)
    desk.lake.publish(MINUTES, symbol, collection.answered)
    if is_recorded:
        record(desk.ledger, collection, asked_at, revisions)
    return revisions


def revised_days(desk):
    return find_revised_days(desk.ledger, desk.registered.symbol, FIRST, DAYS[-1])


def kept(desk):
    """The accounts of revisions in the ledger."""
    with desk.ledger.transaction() as connection:
        query = "SELECT day, hash_before, hash_after, bars_changed, first_changed_at FROM revisions ORDER BY asked_at"
        return connection.execute(query).fetchall()


def test_a_day_told_differently_is_named_with_its_bars(collected):
    """Changed, gone and new bars count; days told alike are none; asked once more, nothing is new."""
    candles = SampleExchange().minutes(collected.registered.symbol, REVISED)
    before = collected.lake.heads(MINUTES, collected.registered.symbol)[REVISED].content_hash
    (revision,) = tell(collected, Second(), DAYS, AT + HOUR)
    assert (revision.day, revision.hash_before, revision.bars_changed) == (REVISED, before, 3)
    assert revision.first_changed_at == min(candles["opened_at"][10], _quiet_minute(candles))
    assert str(revision).startswith("3 bars differ from what was told before, the first at 00:")
    assert kept(collected) == [tuple(vars(revision).values())]
    assert tell(collected, Second(), DAYS, AT + 2 * HOUR) == []
    assert revised_days(collected) == [REVISED]
    assert len(tell(collected, SampleExchange(), [REVISED], AT + 3 * HOUR)) == len(kept(collected)) - 1 == 1


def test_what_stands_on_a_revised_day_is_stale(collected):
    """That day and every later one, until they are folded again."""
    agenda = Agenda(collected.lake, collected.ledger, {collected.entry.name: collected.entry})
    assert agenda.stale(collected.registered, DAYS[-1]) == {}
    tell(collected, Second(), [REVISED], AT + HOUR)
    assert sorted(agenda.stale(collected.registered, DAYS[-1])) == DAYS[2:]
    collected.run(DAYS)
    assert agenda.stale(collected.registered, DAYS[-1]) == {}


def test_a_kill_between_publishing_and_recording_forgets_no_revision(collected):
    """The recorded answer is still the one of before, so the day is asked for again; its old rows are gone."""
    tell(collected, Second(), [REVISED], AT + HOUR, is_recorded=False)
    assert kept(collected) == []
    (revision,) = tell(collected, Second(), [REVISED], AT + 2 * HOUR)
    assert (revision.bars_changed, revision.first_changed_at) == (None, None)
    assert str(revision) == "told differently; the bars of before are gone"
    assert kept(collected) == [tuple(vars(revision).values())]


def test_two_who_notice_the_same_revision_account_for_it_once(collected):
    """Whoever records second finds the answer replaced already."""
    symbol = collected.registered.symbol
    told, stored = answers(collected.ledger, symbol, FIRST, DAYS[-1]), collected.lake.heads(MINUTES, symbol)
    both = [collect(Second(), collected.registered, [REVISED], (), AT + place * HOUR) for place in (1, 2)]
    found = [find_revisions(collected.lake, symbol, told, stored, of.complete) for of in both]
    for place, (collection, revisions) in enumerate(zip(both, found, strict=True), start=1):
        assert len(revisions) == 1
        for _ in range(2):
            record(collected.ledger, collection, AT + place * HOUR, revisions)
    assert len(kept(collected)) == 1


def test_a_day_out_of_a_file_is_no_revision_of_the_exchange(collected):
    """Nor is a first answer, nor one with bad bars."""
    symbol = collected.registered.symbol
    told, stored = answers(collected.ledger, symbol, FIRST, DAYS[-1]), collected.lake.heads(MINUTES, symbol)
    complete = collect(Second(), collected.registered, [REVISED], (), AT + HOUR).complete
    (rows,) = complete.values()
    from_file = DayRows.of(rows.schema, SampleExchange().minutes(symbol, REVISED), made_from="sha-256 of a file").entry
    assert find_revisions(collected.lake, symbol, told, {**stored, REVISED: from_file}, complete) == []
    assert find_revisions(collected.lake, symbol, {}, stored, complete) == []
    assert find_revisions(collected.lake, symbol, told, stored, {}) == []


def test_damaged_rows_do_not_hinder_the_answer_that_mends_them(collected, tmp_path, caplog):
    """Then nobody knows how many bars changed; that there was damage is said."""
    for file in (tmp_path / "lake" / MINUTES).rglob("*.parquet"):
        file.write_bytes(b"damaged")
    (revision,) = tell(collected, Second(), DAYS, AT + HOUR)
    assert revision.bars_changed is None
    assert [of.facts["reason"] for of in caplog.records if "is damaged" in of.facts["reason"]]
