import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.candles.frame import CANDLES, sift
from coinhts_core.candles.resample import resample
from coinhts_core.days import DayRange
from coinhts_core.errors import ExchangeUnavailableError, UnknownMarketError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.exchanges.upbit.http import Bounds
from coinhts_core.markets import Market, Timeframe
from tests.core.exchanges.upbit.conftest import QUICK
from tests.core.exchanges.upbit.hostile_bodies import NO_AMOUNTS, ROW, hostile_bodies

TRUTH = SampleExchange()
BTC, SC, STMX = (Market(code) for code in ("KRW-BTC", "KRW-SC", "KRW-STMX"))
DAY, FIRST = date(2026, 1, 5), TRUTH.first_day(SC)
NOW = datetime(2026, 1, 5, 10, 30, 30, tzinfo=UTC)
CANDLE = "/v1/candles"
COLUMN_OF = dict(zip(list(ROW)[2:], CANDLES.names[1:], strict=True))
ROOT = Path(__file__).parents[4]
LOUD = [
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "truncate"},
    {"kind": "garbage"}, {"kind": "html"}, {"kind": "wrong_type"}, {"kind": "nan"}, {"kind": "double_keys"},
    {"kind": "hang", "seconds": 0.7}, {"kind": "bomb", "mebibytes": 16},
]  # fmt: skip
SLY = [
    {"kind": "permute"}, {"kind": "duplicate", "places": [0, 7, 199]}, {"kind": "inclusive"},
    {"kind": "lose", "share": 0.02}, {"kind": "lose", "share": 0.2}, {"kind": "lose", "share": 0.6},
    {"kind": "all", "faults": [{"kind": "duplicate", "places": [3]}, {"kind": "revise", "places": [3]}]},
]  # fmt: skip


def at_midnight(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def sifted(told, timeframe=Timeframe.M1, first=DAY):
    return sift(told, BTC, DayRange(first, DAY), timeframe, asked_at=NOW + timedelta(days=1))


def until_answered(ask, truth, timeframe, most=60):
    """Ask as the next runs would, until no bar is bad; refusals are ours, and what is believed on the way is true."""
    for _ in range(most):
        try:
            found = sifted(ask(), timeframe, date(2025, 1, 1))
        except ExchangeUnavailableError:
            continue
        assert found.good.join(truth, on=CANDLES.names, how="anti").is_empty()
        if not found.bad:
            return found.good
    pytest.fail("never answered")


@pytest.mark.parametrize("timeframe", Timeframe)
def test_every_length_of_bar_is_the_truth_without_the_unfinished_one(upbit, stand_in, timeframe):
    """Across many pages; the bar of the moment of asking is on the first page, and not in the frame."""
    stand_in.set_up(now=NOW.isoformat(), limits={"per_second": 1_000})
    length = timedelta(minutes=timeframe.minutes)
    since = max(NOW - 450 * length, at_midnight(TRUTH.first_day(BTC)))
    first = min(since, at_midnight(DAY)).date()
    bars = (
        pl.concat(TRUTH.minutes(BTC, first + timedelta(days=n)) for n in range((DAY - first).days + 1))
        if (length < timedelta(days=1))
        else TRUTH.days(BTC, date(2025, 1, 1), DAY)
    )
    whole = resample(bars, Timeframe.M1 if length < timedelta(days=1) else Timeframe.D1, timeframe)
    expected = whole.filter(pl.col("opened_at").is_between(since, NOW - length))
    assert upbit.candles(BTC, timeframe, since, NOW).equals(expected)
    assert expected.height > 50
    assert f"/{timeframe.minutes}" in (path := stand_in.calls("candle")[0]["path"]) or path.endswith(("days", "weeks"))


def test_a_day_is_asked_for_in_as_few_pages_as_it_fills(upbit, stand_in):
    """Each page begins with the oldest bar of the one before, and goes on from there."""
    assert upbit.minutes(BTC, DAY).equals(TRUTH.minutes(BTC, DAY))
    calls = stand_in.calls("candle")
    assert len(calls) == -(-(TRUTH.minutes(BTC, DAY).height + 1) // 199)
    assert "count=200&to=2026-01-06T00%3A00%3A00" in calls[0]["query"]


@pytest.mark.parametrize("symbol", [SC, STMX])
def test_the_first_day_is_found_in_a_few_calls(upbit, stand_in, symbol):
    """And what lies before it is empty."""
    first = TRUTH.first_day(symbol)
    assert upbit.first_day(symbol) == first
    assert len(stand_in.calls()) <= 7
    assert upbit.minutes(symbol, first).equals(TRUTH.minutes(symbol, first))
    assert upbit.minutes(symbol, first - timedelta(days=1)).equals(CANDLES.empty())


def test_a_market_that_left_has_a_last_day(upbit, stand_in):
    """From its own candles; before that day it has none."""
    assert upbit.last_day(STMX) == TRUTH.last_day(STMX)
    stand_in.set_up(now="2026-03-01T12:00:00+00:00", delisted={"KRW-XRP": "2026-02-14"})
    later = UpbitExchange(stand_in.url, Path(upbit._calls._breaker._file).parent, QUICK)
    assert (later.last_day(STMX), later.last_day(Market("KRW-XRP"))) == (None, date(2026, 2, 14))


@pytest.mark.parametrize(
    "forgotten",
    [{"kind": "status", "status": 404, "body": '{"error": {"name": 404}}'}, {"kind": "body", "body": "[]"}],
)
def test_a_market_that_left_without_its_candles_is_unknown(upbit, stand_in, forgotten):
    """Whether they answer with nothing or with a 404; while the list is silent, nothing is concluded."""
    stand_in.set_up({"route": CANDLE, "faults": [forgotten]}, limits={"per_second": 1_000})
    with pytest.raises(UnknownMarketError, match="market KRW-STMX is not listed on upbit"):
        upbit.last_day(STMX)
    assert upbit.last_day(BTC) is None
    stand_in.set_up({"route": "/v1/market", "faults": [{"kind": "status", "status": 503}]})
    fresh = UpbitExchange(stand_in.url, Path(upbit._calls._folder), QUICK)
    with pytest.raises(ExchangeUnavailableError):
        fresh.last_day(STMX)


@pytest.mark.parametrize(
    ("symbol", "day", "announced"), [(BTC, DAY, 8), (SC, DAY, 8), (SC, FIRST, 10), (SC, FIRST + timedelta(days=7), 8)]
)
def test_a_day_takes_no_more_calls_than_announced(upbit, stand_in, symbol, day, announced):
    """In a coin's first week, too, where the end of its history is confirmed; a day without quiet takes them all."""
    assert upbit.calls_for(TRUTH.first_day(symbol), [day]) == announced
    upbit.minutes(symbol, day)
    assert announced / 2 <= len(stand_in.calls("candle")) <= announced
    assert symbol != BTC or len(stand_in.calls("candle")) == announced


def test_a_coin_that_began_late_in_a_day_takes_the_most_calls(upbit, stand_in):
    """Seven full pages, one that is not, and two that confirm it."""
    first = datetime(2026, 1, 4, 23, 0, tzinfo=UTC)
    row = {**ROW, "market": "KRW-BTC", "opening_price": 1, "high_price": 1, "low_price": 1, "trade_price": 1}
    moments = [first + timedelta(minutes=n) for n in range(60 + 1_440)]
    rows = [row | {"candle_date_time_utc": f"{at:%Y-%m-%dT%H:%M:%S}"} for at in reversed(moments)]
    pages = [json.dumps(rows[at : at + 200]) for at in (*range(0, 1_500, 199), 1_393, 1_500)]
    rules = [
        {"route": CANDLE, "calls": [call], "faults": [{"kind": "body", "body": page}]}
        for call, page in enumerate(pages, start=1)
    ]
    stand_in.set_up(*rules, limits={"per_second": 1_000})
    assert upbit.minutes(BTC, DAY).height == 1_440
    assert len(stand_in.calls("candle")) == len(pages) == upbit.calls_for(first.date(), [DAY])


def test_an_unknown_market_is_refused_with_the_nearest(upbit):
    """The venue's 404 becomes a sentence a person can act on."""
    with pytest.raises(UnknownMarketError, match=r"market KRW-BTCC is not listed on upbit; did you mean KRW-BTC\?"):
        upbit.minutes(Market("KRW-BTCC"), DAY)


@pytest.mark.parametrize("faults", [LOUD, SLY, LOUD + SLY])
def test_a_third_of_all_replies_may_be_faulty(stand_in, tmp_path, faults):
    """Days of two coins, their first among them: every candle is the truth's, or the day is refused and asked again."""
    rule = {"route": CANDLE, "share": 0.3, "seed": 11, "faults": faults}
    stand_in.set_up(rule, limits={"per_second": 1_000})
    impatient = replace(QUICK, bounds=Bounds(reply_s=0.5))
    upbit = UpbitExchange(stand_in.url, tmp_path, impatient)
    for symbol in (BTC, SC):
        for day in (TRUTH.first_day(symbol), DAY):
            expected = TRUTH.minutes(symbol, day)
            told = until_answered(lambda s=symbol, d=day: upbit.minutes(s, d), expected, Timeframe.M1)
            assert told.equals(expected)
        expected = TRUTH.days(symbol, date(2025, 1, 1), DAY)
        told = until_answered(lambda s=symbol: upbit.days(s, date(2025, 1, 1), DAY), expected, Timeframe.D1)
        assert told.equals(expected)
    met = {call["fault"] for call in stand_in.calls()}
    assert len(met) > len(faults) // 2
    assert all("Origin" not in call["headers"] for call in stand_in.calls())
    upbit.close()


PLACES = st.lists(st.integers(0, 199), min_size=1, max_size=30)
REORDERED = st.one_of(
    st.builds(lambda seed: {"kind": "permute", "seed": seed}, st.integers(0, 999)),
    st.builds(lambda places: {"kind": "duplicate", "places": places}, PLACES),
)
LACKING = st.one_of(
    st.builds(lambda places: {"kind": "drop", "places": places}, PLACES),
    st.builds(lambda bars: {"kind": "late", "bars": bars}, st.integers(1, 200)),
)


def on_calls(faults, most):
    """Faults for some calls of a route, each of them a few at once."""
    rule = st.builds(
        lambda call, faults: {"route": CANDLE, "calls": [call], "faults": [{"kind": "all", "faults": faults}]},
        st.integers(1, 9),
        st.lists(faults, min_size=1, max_size=3),
    )
    return st.lists(rule, max_size=most)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reordered=on_calls(REORDERED, 5), lacking=on_calls(LACKING | REORDERED, 1), day=st.sampled_from([DAY, FIRST]))
def test_rows_in_any_order_twice_or_missing_give_the_truth_or_a_refusal(upbit, stand_in, reordered, lacking, day):
    """A page that lacks bars, or all of them, is never taken for quiet minutes."""
    stand_in.set_up(*lacking, *reordered, limits={"per_second": 1_000})
    try:
        bars = upbit.minutes(SC, day)
    except ExchangeUnavailableError:
        bars = None
    assert lacking if bars is None else bars.equals(TRUTH.minutes(SC, day))


def test_a_bar_that_is_left_out_every_time_is_missed(upbit, stand_in):
    """The same twice is still no full page, and something lies before it."""
    stand_in.set_up({"route": CANDLE, "faults": [{"kind": "drop", "places": [50]}]}, limits={"per_second": 1_000})
    with pytest.raises(
        ExchangeUnavailableError, match=r"199 candles of KRW-BTC up to 2026-01-06 .*, where there are more"
    ):
        upbit.minutes(BTC, DAY)


def answering(*rows):
    """Rules for a market whose whole history are these rows, newest first."""
    told, nothing = ({"kind": "body", "body": json.dumps(content)} for content in (rows, []))
    return [
        {"route": CANDLE, "calls": [1, 2], "faults": [told]},
        {"route": CANDLE, "calls": [3], "faults": [nothing]},
    ]


@pytest.mark.parametrize("field", list(ROW)[2:])
def test_an_amount_that_is_none_is_a_bar_put_aside(upbit, stand_in, field):
    """Empty, missing, a text or a number that cannot be: the bars around it are believed, and it is told."""
    lacking = {name: value for name, value in ROW.items() if name != field}
    for strange in (*(ROW | {field: value} for value in NO_AMOUNTS), lacking):
        rows = [{**row, "candle_date_time_utc": f"2026-01-05T00:0{n}:00"} for n, row in enumerate((ROW, strange, ROW))]
        stand_in.set_up(*answering(*reversed(rows)), limits={"per_second": 1_000})
        found = sifted(upbit.minutes(BTC, DAY))
        assert found.good["opened_at"].dt.minute().to_list() == [0, 2]
        (bad,) = found.bad
        assert bad.opened_at == at_midnight(DAY) + timedelta(minutes=1)
        assert not isinstance(told := bad.bar[COLUMN_OF[field]], float) or told == strange[field]


@pytest.mark.parametrize("most", [None, 200])
def test_two_different_candles_of_a_minute_are_both_put_aside(upbit, stand_in, most):
    """Which of them is true is not ours to guess; where a page counts both, it is no less full."""
    truth = TRUTH.minutes(BTC, DAY)
    moments = truth["opened_at"].reverse().gather([0, 3, 198, 199, 700, truth.height - 1]).sort()
    other = {f"{at:%Y-%m-%dT%H:%M:%S}": {"candle_acc_trade_volume": 7.5} for at in moments}
    twice = {"kind": "contradict", "market": BTC, "bars": other, "rows": most}
    stand_in.set_up({"route": CANDLE, "faults": [twice]}, limits={"per_second": 1_000})
    found = sifted(upbit.minutes(BTC, DAY))
    assert [bad.opened_at for bad in found.bad] == [moment for moment in moments for _ in range(2)]
    assert {bad.rule for bad in found.bad} == {"bars_are_unique"}
    assert found.good.equals(truth.filter(~pl.col("opened_at").is_in(moments.implode())))


def test_a_page_of_nothing_but_contradictions_leads_nowhere(upbit, stand_in):
    """Hundreds of candles of one moment are no page to go on from, and none of them is believed."""
    rows = [ROW | {"candle_date_time_utc": "2026-01-05T10:00:00", "opening_price": price} for price in range(1, 400)]
    stand_in.set_up({"route": CANDLE, "faults": [{"kind": "body", "body": json.dumps(rows)}]})
    assert sifted(upbit.minutes(BTC, DAY)).is_bad_answer
    assert len(stand_in.calls()) == 3


@pytest.mark.parametrize("place", [0, 7, 100, 198, 199])
@pytest.mark.parametrize("moment", ["2026-01-05T05:10:00", "2026-01-05T00:00:30", "2025-06-01T00:00:00"])
def test_a_wrong_moment_hides_no_other_bar(upbit, stand_in, place, moment):
    """Paging goes on where the page ends, and not where one of its bars is said to be."""
    at = TRUTH.minutes(BTC, DAY)["opened_at"][-1 - place]
    moved = {f"{at:%Y-%m-%dT%H:%M:%S}": {"candle_date_time_utc": moment}}
    wrong = {"kind": "change", "market": BTC, "bars": moved}
    stand_in.set_up({"route": CANDLE, "calls": [1], "faults": [wrong]}, limits={"per_second": 1_000})
    with pytest.raises(ExchangeUnavailableError, match=f"where one at {moment[:10]} .* was told"):
        upbit.minutes(BTC, DAY)


CHANGES = st.dictionaries(
    st.integers(0, 1_427),
    st.tuples(st.sampled_from(list(ROW)[2:]), st.sampled_from(NO_AMOUNTS)),
    min_size=1,
    max_size=100,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, twice=st.booleans(), seed=st.integers(0, 999))
def test_exactly_the_spoilt_bars_are_put_aside(upbit, stand_in, changes, twice, seed):
    """Wherever on a page they are, in whatever order it comes, and whether they replace the true ones or join them."""
    truth = TRUTH.minutes(BTC, DAY)
    spoilt = {
        f"{truth['opened_at'][at % truth.height]:%Y-%m-%dT%H:%M:%S}": {name: of} for at, (name, of) in changes.items()
    }
    fault = {"kind": "contradict" if twice else "change", "market": BTC, "bars": spoilt}
    each = {"kind": "all", "faults": [fault, {"kind": "permute", "seed": seed}]}
    stand_in.set_up({"route": CANDLE, "faults": [each]}, limits={"per_second": 1_000})
    found = sifted(upbit.minutes(BTC, DAY))
    assert Counter(f"{bad.opened_at:%Y-%m-%dT%H:%M:%S}" for bad in found.bad) == dict.fromkeys(spoilt, 1 + twice)
    named = pl.col("opened_at").dt.strftime("%Y-%m-%dT%H:%M:%S")
    assert found.good.equals(truth.filter(~named.is_in(list(spoilt))))


def test_the_unfinished_bar_may_move_while_pages_are_compared(upbit, stand_in):
    """Trading goes on between two calls."""
    stand_in.set_up({"route": CANDLE, "calls": [2], "faults": [{"kind": "revise", "places": [0]}]})
    assert upbit.first_day(SC) == FIRST


def test_newer_candles_than_asked_for_are_refused(upbit, stand_in):
    """A venue that answers with its newest, whatever is asked, has not said that there were none."""
    stand_in.set_up({"route": CANDLE, "faults": [{"kind": "body", "body": json.dumps([ROW])}]})
    with pytest.raises(ExchangeUnavailableError, match=r"at 2026-01-05 00:00:00.* among those before 2026-01-03"):
        upbit.minutes(BTC, date(2026, 1, 2))


def test_a_listed_market_without_candles_is_not_unknown(upbit, stand_in):
    """One wrong 404 does not make a coin unheard of."""
    error = {"kind": "status", "status": 404, "body": '{"error": {"name": 404}}'}
    stand_in.set_up({"route": CANDLE, "faults": [error]})
    with pytest.raises(ExchangeUnavailableError, match="no candles of KRW-BTC, which it lists"):
        upbit.minutes(BTC, DAY)


def test_a_venue_that_counts_the_edge_in_is_understood(upbit, stand_in):
    """Its documentation says two things; both give the same bars."""
    stand_in.set_up({"route": CANDLE, "faults": [{"kind": "inclusive"}]}, limits={"per_second": 1_000})
    assert upbit.minutes(BTC, DAY).equals(TRUTH.minutes(BTC, DAY))
    first = TRUTH.first_day(SC)
    assert upbit.minutes(SC, first).equals(TRUTH.minutes(SC, first))


def test_hostile_bodies_are_refused_one_and_all(stand_in, tmp_path):
    """Hundreds of them, a bomb and one without end: each with our error, and together with less than 64 MiB."""
    faults = [{"kind": "body", "body": body} for body in hostile_bodies()]
    faults += [{"kind": "bomb", "mebibytes": 256}, {"kind": "huge"}]
    rules = [{"route": CANDLE, "calls": [call], "faults": [fault]} for call, fault in enumerate(faults, start=1)]
    stand_in.set_up(*rules, limits={"per_second": 10_000})
    probe = [sys.executable, "-m", "tests.core.exchanges.upbit.hostile_probe", stand_in.url, str(tmp_path)]
    told = subprocess.run([*probe, str(len(faults))], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    sys.stdout.write(f"{len(faults)} bodies: {told}\n")
    assert len(faults) >= 300
    assert json.loads(told)["taken"] == []
    assert json.loads(told)["grown_mib"] < 64
