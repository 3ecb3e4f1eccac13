"""What every venue promises, tried on each; one that needs a network meets its stand-in, and fewer days."""

import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from coinhts_core.candles.frame import CANDLES, judge_day
from coinhts_core.candles.resample import resample
from coinhts_core.errors import BadSettingError, UnknownMarketError
from coinhts_core.exchanges import exchange_names, open_exchange
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.exchanges.upbit.calls import Pace
from coinhts_core.exchanges.upbit.meeting_place import meeting_place
from coinhts_core.markets import Market, Timeframe
from coinhts_core.rules import rules_on
from coinhts_core.settings import Settings, Upbit
from tests.faults.stand_in.process import StandIn

LATER = datetime(2030, 1, 1, tzinfo=UTC)
DAYS = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(20)]
BTC = Market("KRW-BTC")
GOLDEN_DAY = "1d2210deb13481d87d15630aa5a6d98c5aa383c1822fd82c8041713695b8e682"
GOLDEN_YEARS = [
    "a3a05e3899154cc19977daa1e510c7412bfe637446434076b987aa6f6d23b68b",
    "ba118bdbe8f43c3537a09ff27d4296b9425f8f4512ee2308c256e043ab614bcd",
]


@pytest.fixture(scope="module")
def stand_in_for_upbit(tmp_path_factory):
    with StandIn.start(tmp_path_factory.mktemp("stand-in")) as stand_in:
        stand_in.set_up(limits={"per_second": 10_000})
        yield stand_in


@pytest.fixture(params=exchange_names())
def exchange(request, tmp_path):
    if request.param == "upbit":
        stand_in = request.getfixturevalue("stand_in_for_upbit")
        exchange = UpbitExchange(stand_in.url, tmp_path, Pace(per_second=100))
    else:
        exchange = open_exchange(request.param)
        assert not exchange.needs_network, "give it a stand-in"
    yield exchange
    exchange.close()


@pytest.fixture
def symbols(exchange):
    listed = [listing.symbol for listing in exchange.markets()]
    return listed[:3] if exchange.needs_network else listed


@pytest.fixture
def days(exchange):
    return DAYS[:2] if exchange.needs_network else DAYS


def test_a_venue_is_called_like_its_file(exchange):
    """The file name is the registered name."""
    assert exchange.name in exchange_names()
    assert type(open_exchange(exchange.name)) is type(exchange)


def test_a_clock_is_one_of_the_worlds(exchange):
    """Or none: a venue without a network has no clock of its own."""
    told = exchange.clock()
    assert told is None or told.utcoffset() == timedelta()
    assert told is None or exchange.needs_network


def test_the_list_of_markets_is_one_a_person_can_read(exchange):
    """Valid codes, each once, in order, with names in both languages."""
    markets = exchange.markets()
    symbols = [Market(listing.symbol) for listing in markets]
    assert symbols == sorted(set(symbols))
    assert all(listing.korean_name and listing.english_name for listing in markets)
    assert not all(listing.is_warned for listing in markets)


def test_the_first_and_the_last_day_have_a_bar_and_the_days_beyond_have_none(exchange, symbols):
    """A listing begins with its first daily bar and ends with its last."""
    for symbol in symbols:
        first, last = exchange.first_day(symbol), exchange.last_day(symbol)
        assert exchange.days(symbol, first - timedelta(days=3), first).height == 1
        assert exchange.minutes(symbol, first).height
        assert exchange.minutes(symbol, first - timedelta(days=1)).equals(CANDLES.empty())
        if last:
            assert exchange.days(symbol, last, last + timedelta(days=3)).height == 1
            assert exchange.minutes(symbol, last + timedelta(days=1)).equals(CANDLES.empty())


def test_every_day_is_believable(exchange, symbols, days):
    """Minutes and days pass the rules that collected candles are judged by."""
    for symbol in symbols:
        for day in days:
            minutes, daily = exchange.minutes(symbol, day), exchange.days(symbol, day, day)
            assert judge_day(minutes, symbol, day, Timeframe.M1, asked_at=LATER).equals(minutes)
            assert judge_day(daily, symbol, day, Timeframe.D1, asked_at=LATER).equals(daily)


def test_days_are_what_their_minutes_make(exchange, symbols, days):
    """To the last bit, in whatever portions they are asked for; a day without a trade has no bar."""
    for symbol in symbols:
        minutes = pl.concat(exchange.minutes(symbol, day) for day in days)
        expected = resample(minutes, Timeframe.M1, Timeframe.D1)
        assert exchange.days(symbol, days[0], days[-1]).equals(expected)
        assert pl.concat(exchange.days(symbol, day, day) for day in days).equals(expected)


def test_no_days_are_an_empty_frame(exchange):
    """A range that ends before it begins holds nothing."""
    assert exchange.days(BTC, DAYS[1], DAYS[0]).equals(CANDLES.empty())


def test_prices_stand_on_the_grid(exchange, symbols):
    """Every price is a multiple of the tick of its day, and exactly the double that its decimal reads as."""
    rules = rules_on(DAYS[0])
    for symbol in symbols:
        bars = exchange.minutes(symbol, DAYS[-1])
        for name in ("open", "high", "low", "close"):
            assert all(rules.is_on_tick(Decimal(repr(price))) for price in bars[name].unique())


@pytest.mark.parametrize("text", ["KRW-BTCC", "KRW-ZZZZZZZZ", "BTC-ETH"])
def test_an_unknown_market_is_refused(exchange, text):
    """Everywhere alike, and with the nearest name where there is one."""
    symbol = Market(text)
    asked = [exchange.first_day, exchange.last_day]
    asked += [
        lambda code: exchange.minutes(code, DAYS[0]),
        lambda code: exchange.days(code, DAYS[0], DAYS[1]),
    ]
    for ask in asked:
        with pytest.raises(UnknownMarketError, match=f"market {text} is not listed on {exchange.name}") as refusal:
            ask(symbol)
        assert ("did you mean KRW-BTC?" in str(refusal.value)) == (text == "KRW-BTCC")


def test_a_venue_is_opened_as_the_settings_want_it(stand_in_for_upbit, tmp_path):
    """At their address, with what limits its calls where every process of the user looks, whatever its home."""
    settings = Settings(home=tmp_path, upbit=Upbit(base_url=stand_in_for_upbit.url))
    with closing(open_exchange("upbit", settings)) as upbit:
        assert BTC in {listing.symbol for listing in upbit.markets()}
    assert len(list(meeting_place(stand_in_for_upbit.url).glob("market-*"))) == 10
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_venue_is_refused_with_the_nearest():
    """The sentence names the setting, the choices and what was probably meant."""
    with pytest.raises(BadSettingError, match=r"COINHTS_EXCHANGE cannot be 'sampel': .*did you mean sample\?"):
        open_exchange("sampel")


def test_the_sample_market_is_the_same_everywhere():
    """Pinned: sample data of one machine and version may be continued on another."""
    sample = open_exchange("sample")
    assert CANDLES.content_hash(sample.minutes(BTC, date(2026, 1, 2))) == GOLDEN_DAY
    days = [
        CANDLES.content_hash(sample.days(code, date(2025, 1, 1), date(2026, 12, 31))) for code in ("KRW-XRP", "KRW-BTT")
    ]
    assert days == GOLDEN_YEARS


def test_a_fresh_process_sees_the_same_market():
    """Nothing depends on what was asked before, or on Python's own hash seed."""
    script = (
        "from datetime import date; from coinhts_core.exchanges import open_exchange\n"
        "from coinhts_core.candles.frame import CANDLES\n"
        "print(CANDLES.content_hash(open_exchange('sample').minutes('KRW-BTC', date(2026, 1, 2))))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == GOLDEN_DAY


def test_the_sample_market_is_lively():
    """Quiet minutes, bursts of volume, wild days in a row, calm weekends, a common tide."""
    sample = open_exchange("sample")
    span = (date(2025, 1, 1), date(2026, 12, 31))
    days = {code: sample.days(Market(code), *span) for code in ("KRW-BTC", "KRW-ETH", "KRW-NEAR")}
    moves = {code: (bars["close"] / bars["open"]).log() for code, bars in days.items()}
    wild = moves["KRW-BTC"].abs()
    together = pl.DataFrame({"wild": wild, "before": wild.shift(1), "btc": moves["KRW-BTC"], "eth": moves["KRW-ETH"]})
    assert together.select(pl.corr("wild", "before")).item() > 0.1
    assert together.select(pl.corr("btc", "eth")).item() > 0.5
    ranges = days["KRW-BTC"].select(
        width=pl.col("high") / pl.col("low") - 1, weekend=pl.col("opened_at").dt.weekday() > 5
    )
    assert ranges.filter("weekend")["width"].mean() < 0.8 * ranges.filter(~pl.col("weekend"))["width"].mean()
    month = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(31)]
    btc, near = (pl.concat(sample.minutes(Market(code), day) for day in month) for code in ("KRW-BTC", "KRW-NEAR"))
    assert 0.97 < btc.height / (31 * 1_440) < 0.998
    assert 0.55 < near.height / (31 * 1_440) < 0.85
    assert resample(near, Timeframe.M1, Timeframe.H1).height < 31 * 24
    assert btc["volume"].max() > 20 * btc["volume"].mean()
