import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from coinhts_core.errors import ExchangeUnavailableError, RefusedError
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.exchanges.upbit.listings import fetch_markets, fetch_tickers, fetch_ticks
from coinhts_core.markets import Market
from tests.core.exchanges.upbit.conftest import QUICK

BTC, PEPE = Market("KRW-BTC"), Market("KRW-PEPE")
MARKET = {"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin"}
TICKER = {
    "market": "KRW-BTC",
    "trade_price": 1,
    "signed_change_price": -1,
    "signed_change_rate": -0.5,
    "acc_trade_price_24h": 1.5,
    "trade_timestamp": 1_767_312_000_000,
}


def answering(stand_in, rows):
    body = json.dumps(rows)
    stand_in.set_up({"route": "/v1", "faults": [{"kind": "body", "body": body}]})


def test_the_list_tells_warnings_and_cautions(stand_in, calls_with):
    """A warned market may soon leave; cautions carry the venue's own names."""
    stand_in.set_up(now="2026-03-01T12:00:00+00:00")
    listings = {listing.symbol: listing for listing in fetch_markets(calls_with())}
    assert list(listings) == sorted(listings)
    assert [symbol for symbol, listing in listings.items() if listing.is_warned] == ["KRW-STMX"]
    assert (listings[PEPE].cautions, listings[BTC].cautions) == (("PRICE_FLUCTUATIONS",), ())
    assert (listings[BTC].korean_name, listings[BTC].english_name) == ("비트코인", "Bitcoin")


def test_a_fall_is_negative_and_every_digit_is_kept(stand_in, calls_with):
    """The signed fields are read, and numbers are the decimals that were sent."""
    answering(stand_in, [TICKER | {"trade_price": 0.00001234, "acc_trade_price_24h": 91974066194.07951}])
    ticker = fetch_tickers(calls_with(), [BTC])[BTC]
    assert (ticker.price_krw, ticker.change_krw, ticker.change_rate) == (Decimal("0.00001234"), -1, Decimal("-0.5"))
    assert ticker.turnover_24h_krw == Decimal("91974066194.07951")
    assert ticker.traded_at.date() == date(2026, 1, 2)


def test_several_markets_are_asked_for_in_one_call(stand_in, calls_with):
    """Tickers and ticks come by market."""
    calls = calls_with()
    assert list(fetch_tickers(calls, [BTC, PEPE])) == [BTC, PEPE]
    ticks = fetch_ticks(calls, [BTC, PEPE])
    assert ticks[BTC] == 1_000
    assert 0 < ticks[PEPE] < 1
    assert len(stand_in.calls()) == 2
    assert fetch_tickers(calls, []) == fetch_ticks(calls, []) == {}
    assert len(stand_in.calls()) == 2


def test_an_unknown_market_is_refused(calls_with):
    """Asked for together with others, too."""
    for fetch in (fetch_tickers, fetch_ticks):
        with pytest.raises(RefusedError, match="KRW-NONE"):
            fetch(calls_with(), [BTC, Market("KRW-NONE")])


@pytest.mark.parametrize(
    ("fetch", "row"),
    [
        (fetch_markets, row)
        for row in (
            7, None, "KRW-BTC", [], {}, MARKET | {"market": "krw-btc"}, MARKET | {"market": "../x"},
            MARKET | {"market": None}, MARKET | {"korean_name": 5}, MARKET | {"english_name": ""},
            MARKET | {"market_event": {"warning": "true"}}, MARKET | {"market_event": {"caution": {"A": 1}}},
            MARKET | {"market_event": {"caution": ["A"]}}, MARKET | {"market_event": 3},
        )
    ]
    + [
        (lambda calls: fetch_tickers(calls, [BTC]), row)
        for row in (
            7, {}, TICKER | {"trade_price": 0}, TICKER | {"trade_price": "1"}, TICKER | {"trade_price": None},
            TICKER | {"signed_change_rate": True}, TICKER | {"trade_timestamp": 10**30}, TICKER | {"market": "KRW-ETH"},
        )
    ]
    + [
        (lambda calls: fetch_ticks(calls, [BTC]), row)
        for row in (
            7, {}, {"market": "KRW-BTC", "tick_size": "one"}, {"market": "KRW-BTC", "tick_size": "NaN"},
            {"market": "KRW-BTC", "tick_size": "-1"}, {"market": "KRW-BTC", "tick_size": 0},
            {"market": "KRW-ETH", "tick_size": 1},
        )
    ],
)  # fmt: skip
def test_a_row_that_says_something_else_is_shown_and_refused(stand_in, calls_with, fetch, row):
    """Wrong kinds, wrong market, impossible numbers: the answer is no answer."""
    answering(stand_in, [row])
    with pytest.raises(ExchangeUnavailableError, match="upbit did not answer"):
        fetch(calls_with(replace(QUICK, delays_s=())))


@pytest.mark.parametrize("rows", [[], [MARKET, MARKET | {"korean_name": "다른"}]])
def test_a_list_without_markets_or_with_one_twice_is_no_list(stand_in, calls_with, rows):
    """All would look delisted at once, or one of two names would win."""
    answering(stand_in, rows)
    with pytest.raises(ExchangeUnavailableError, match="without a single market, or with one of them twice"):
        fetch_markets(calls_with(replace(QUICK, delays_s=())))


def test_the_list_is_asked_for_once_a_while(upbit, stand_in):
    """Symbol by symbol, the same list is meant."""
    assert upbit.markets() == upbit.markets()
    assert upbit.last_day(BTC) is None
    assert len(stand_in.calls("market")) == 1
    assert isinstance(upbit, UpbitExchange)
