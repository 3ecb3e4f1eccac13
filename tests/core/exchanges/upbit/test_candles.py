import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.candles.frame import CANDLES
from coinhts_core.candles.resample import resample
from coinhts_core.errors import ExchangeUnavailableError, UnknownMarketError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.exchanges.upbit.http import Bounds
from coinhts_core.markets import Market, Timeframe
from tests.core.exchanges.upbit.conftest import QUICK
from tests.core.exchanges.upbit.hostile_bodies import ROW, hostile_bodies

TRUTH = SampleExchange()
BTC, SC, STMX = (Market(code) for code in ("KRW-BTC", "KRW-SC", "KRW-STMX"))
DAY, FIRST = date(2026, 1, 5), TRUTH.first_day(SC)
NOW = datetime(2026, 1, 5, 10, 30, 30, tzinfo=UTC)
CANDLE = "/v1/candles"
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


def until_answered(ask, most=60):
    """Ask as the next runs would; every refusal on the way is one of ours."""
    for _ in range(most):
        try:
            return ask()
        except ExchangeUnavailableError:
            continue
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
    """Each page ends where the oldest bar of the one before began."""
    assert upbit.minutes(BTC, DAY).equals(TRUTH.minutes(BTC, DAY))
    calls = stand_in.calls("candle")
    assert len(calls) == -(-TRUTH.minutes(BTC, DAY).height // 200)
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
    pages = [json.dumps(rows[at : at + 200]) for at in (*range(0, 1_500, 200), 1_400, 1_500)]
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
            assert until_answered(lambda s=symbol, d=day: upbit.minutes(s, d)).equals(TRUTH.minutes(symbol, day))
        expected = TRUTH.days(symbol, date(2025, 1, 1), DAY)
        assert until_answered(lambda s=symbol: upbit.days(s, date(2025, 1, 1), DAY)).equals(expected)
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


def test_two_different_candles_of_a_minute_are_refused(upbit, stand_in):
    """Which of them is true is not ours to guess."""
    twice = [{"kind": "duplicate", "places": [3]}, {"kind": "revise", "places": [3]}]
    stand_in.set_up({"route": CANDLE, "faults": [{"kind": "all", "faults": twice}]})
    with pytest.raises(ExchangeUnavailableError, match="two different candles of KRW-BTC at 2026-01-05 23:5"):
        upbit.minutes(BTC, DAY)


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
