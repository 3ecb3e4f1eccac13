from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.candles.collection import answers, collect, record
from coinhts_core.candles.coverage import Answer
from coinhts_core.candles.registry import Registered, register
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges import open_exchange
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market

BTC = Market("KRW-BTC")
DAYS = [date(2026, 1, 1) + timedelta(days=place) for place in range(5)]
ASKED_AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
SAMPLE = open_exchange("sample")
LISTED = Registered(BTC, date(2025, 1, 1), DAYS[1], None, is_active=True)


class Troubled(SampleExchange):
    """The sample market on a bad day: down on one day, and telling nonsense on another."""

    def minutes(self, symbol, day):
        if day == DAYS[1]:
            raise ExchangeUnavailableError(venue="troubled", reason="it sleeps")
        candles = super().minutes(symbol, day)
        return candles.with_columns(low=-pl.col("low")) if day == DAYS[2] else candles


@pytest.fixture
def registered(ledger):
    register(ledger, SAMPLE, [BTC], DAYS[0])
    return ledger


def test_every_day_has_exactly_one_fate():
    """Not listed, answered, or not over yet; and a covered day is not asked for again."""
    found = collect(SAMPLE, LISTED, DAYS, {DAYS[2]}, ASKED_AT)
    assert found.unlisted == {DAYS[0]}
    assert list(found.answered) == [DAYS[1], DAYS[3]]
    assert found.refused == {DAYS[4]: "it is not over yet"}
    assert [of.entry.asked_at for of in found.answered.values()] == [ASKED_AT] * 2
    assert found.answered[DAYS[1]].frame.equals(SAMPLE.minutes(BTC, DAYS[1]))


def test_a_bad_day_blocks_no_other():
    """A venue that is down, and bars that cannot have happened, are refused by themselves, with reasons."""
    found = collect(Troubled(), LISTED, DAYS[1:4], (), ASKED_AT)
    assert list(found.answered) == [DAYS[3]]
    assert found.refused[DAYS[1]] == "troubled did not answer (it sleeps); try again later"
    assert "prices_are_positive does not hold" in found.refused[DAYS[2]]


def test_answers_are_remembered(registered):
    """What was asked and answered; unlisted days and days that are not over were never asked for."""
    found = collect(Troubled(), LISTED, DAYS, (), ASKED_AT)
    record(registered, found, ASKED_AT)
    rows = found.answered[DAYS[3]].entry.rows
    assert answers(registered, BTC, DAYS[0], DAYS[4]) == {
        DAYS[1]: Answer("unavailable", 0),
        DAYS[2]: Answer("unavailable", 0),
        DAYS[3]: Answer("complete", rows),
    }
    assert list(answers(registered, BTC, DAYS[2], DAYS[2])) == [DAYS[2]]
    assert answers(registered, Market("KRW-ETH"), DAYS[0], DAYS[4]) == {}


def test_a_good_answer_is_never_hidden_by_a_bad_one(registered):
    """Down now, the venue once said it all; the other way round, the answer is news."""
    good, bad = (collect(venue, LISTED, [DAYS[1]], (), ASKED_AT) for venue in (SAMPLE, Troubled()))
    complete = {DAYS[1]: Answer("complete", good.answered[DAYS[1]].entry.rows)}
    for place, collection in enumerate((bad, good, bad)):
        record(registered, collection, ASKED_AT + timedelta(hours=place))
        found = answers(registered, BTC, DAYS[1], DAYS[1])
        assert found == (complete if place else {DAYS[1]: Answer("unavailable", 0)})


def test_an_older_answer_never_wins(registered):
    """Of two processes that asked, the later one is right, whoever writes last."""
    full = collect(SAMPLE, LISTED, [DAYS[1]], (), ASKED_AT)
    record(registered, full, ASKED_AT)
    empty = collect(SAMPLE, LISTED, [DAYS[1]], (), ASKED_AT)
    empty.answered = {DAYS[1]: collect(SAMPLE, LISTED, [DAYS[3]], (), ASKED_AT).answered[DAYS[3]]}
    before = answers(registered, BTC, DAYS[1], DAYS[1])
    record(registered, empty, ASKED_AT - timedelta(hours=1))
    assert answers(registered, BTC, DAYS[1], DAYS[1]) == before


def test_nothing_to_record_is_no_error(registered):
    """All days were covered."""
    record(registered, collect(SAMPLE, LISTED, DAYS[1:4], set(DAYS), ASKED_AT), ASKED_AT)
    assert answers(registered, BTC, DAYS[0], DAYS[4]) == {}
