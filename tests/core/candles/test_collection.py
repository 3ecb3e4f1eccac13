from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from coinhts_core.candles.collection import answers, collect, record
from coinhts_core.candles.coverage import Answer
from coinhts_core.candles.quarantine import find_bad_bars
from coinhts_core.candles.registry import Registered, register
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges import open_exchange
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market, Timeframe

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


class Hasty(SampleExchange):
    """The sample market, with a wrong bar at each of these places of each day; -1 is told twice, differently."""

    def __init__(self, *places):
        self.places = places

    def minutes(self, symbol, day):
        candles = super().minutes(symbol, day).with_row_index("place")
        wrong = pl.when(pl.col("place").is_in([place for place in self.places if place >= 0]))
        spoilt = candles.with_columns(close=wrong.then(float("inf")).otherwise("close"))
        return pl.concat([spoilt, spoilt[-1].with_columns(volume=9.5)] if -1 in self.places else [spoilt])


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
    rows = SAMPLE.minutes(BTC, DAYS[2]).height
    assert f"{rows} of {rows} bars are bad, such as: prices_are_positive does not hold" in found.refused[DAYS[2]]
    assert found.unreadable == set()


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


def known(ledger):
    """What is told of the day, and the rules its bars in quarantine break."""
    told = answers(ledger, BTC, DAYS[1], DAYS[1])[DAYS[1]]
    bad = find_bad_bars(ledger, BTC, Timeframe.M1, DAYS[1], DAYS[1]).get(DAYS[1], [])
    return told.kind, told.row_count, [(bar.opened_at, bar.rule) for bar in bad]


def ask(venue, **options):
    return collect(venue, LISTED, [DAYS[1]], (), ASKED_AT, **options)


def test_a_day_is_kept_without_its_bad_bars(registered, tmp_path):
    """The good ones reach the lake, the bad ones quarantine, and the next whole answer ends both."""
    truth = SAMPLE.minutes(BTC, DAYS[1])
    found = ask(Hasty(7, -1))
    record(registered, found, ASKED_AT)
    places = [7, truth.height - 1]
    rules = ["values_are_finite", "bars_are_unique", "bars_are_unique"]
    moments = [truth["opened_at"][place] for place in (*places, places[-1])]
    assert known(registered) == ("partial", truth.height - 2, list(zip(moments, rules, strict=True)))
    lake = Lake.open(str(tmp_path / "lake"))
    lake.publish("candles/minute", BTC, found.answered)
    stored = lake.read("candles/minute", BTC, DAYS[1], DAYS[1]).drop("day")
    assert stored.equals(truth.filter(~pl.col("opened_at").is_in(moments)))
    assert np.isfinite(stored.drop("opened_at").to_numpy()).all()
    record(registered, ask(SAMPLE), ASKED_AT + timedelta(hours=1))
    assert known(registered) == ("complete", truth.height, [])


def test_the_later_of_two_partial_answers_is_what_is_known(registered):
    """Its bad bars take the place of those of before, and a venue that is down changes neither."""
    for place in range(3):
        record(registered, ask(Hasty(*range(9 - place))), ASKED_AT + timedelta(hours=place))
    record(registered, ask(Troubled()), ASKED_AT + timedelta(hours=3))
    kind, _, bad = known(registered)
    assert (kind, len(bad)) == ("partial", 7)
    record(registered, ask(Hasty(*range(20))), ASKED_AT)
    assert len(known(registered)[2]) == 7


def test_half_an_answer_leaves_a_whole_day_as_it_is(registered):
    """Its bad bars are kept in quarantine all the same; without the whole one, half is better than nothing."""
    rows = SAMPLE.minutes(BTC, DAYS[1]).height
    record(registered, ask(SAMPLE), ASKED_AT)
    found = ask(Hasty(7), whole={DAYS[1]})
    assert (found.answered, found.left_alone) == ({}, {DAYS[1]})
    record(registered, found, ASKED_AT + timedelta(hours=1))
    kind, count, bad = known(registered)
    assert (kind, count, len(bad)) == ("complete", rows, 1)
    record(registered, ask(Hasty(9), whole={DAYS[1]}), ASKED_AT + timedelta(hours=2))
    assert known(registered)[2] == [(SAMPLE.minutes(BTC, DAYS[1])["opened_at"][9], "values_are_finite")]
    found = ask(Hasty(7))
    record(registered, found, ASKED_AT + timedelta(hours=3))
    assert known(registered)[:2] == ("partial", rows - 1)
    assert found.complete == {}


def test_an_answer_that_is_hardly_candles_is_refused(registered):
    """Too many bad bars, or no frame of candles at all: the day is worth asking for again, and nothing is kept."""
    many = ask(Hasty(*range(300)))
    assert "300 of" in many.refused[DAYS[1]]
    record(registered, many, ASKED_AT)
    assert known(registered) == ("unavailable", 0, [])

    class Wordy(SampleExchange):
        def minutes(self, symbol, day):
            return super().minutes(symbol, day).drop("high")

    wordy = ask(Wordy())
    assert (wordy.unreadable, list(wordy.refused)) == ({DAYS[1]}, [DAYS[1]])
    assert "high is missing" in wordy.refused[DAYS[1]]


def test_bars_in_another_order_are_noted_and_sorted():
    """The rows, and so their identity, are those of the ordered day."""

    class Upside(SampleExchange):
        def minutes(self, symbol, day):
            return super().minutes(symbol, day).reverse()

    upside, straight = ask(Upside()), ask(SAMPLE)
    assert (upside.unordered, straight.unordered) == ({DAYS[1]}, set())
    assert upside.answered[DAYS[1]].entry == straight.answered[DAYS[1]].entry
