from dataclasses import replace
from datetime import date

import pytest

from coinhts_core.candles.listings import record_listings
from coinhts_core.candles.registry import Registered, note_delistings, register, registered_symbols, universe
from coinhts_core.errors import ExchangeUnavailableError, UnknownMarketError
from coinhts_core.exchanges import MarketListing, open_exchange
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market

SAMPLE = open_exchange("sample")
START = date(2026, 1, 1)
BTC, ETH, BTT, STMX = (Market(f"KRW-{base}") for base in ("BTC", "ETH", "BTT", "STMX"))


def test_the_universe_is_what_the_settings_name():
    """In their order, each known to the venue; `all-krw` is the venue's own list."""
    assert universe(SAMPLE, ("KRW-ETH", "KRW-BTC")) == [ETH, BTC]
    everything = universe(SAMPLE, "all-krw")
    assert {BTC, ETH, BTT, STMX} < set(everything) == {listing.symbol for listing in SAMPLE.markets()}


@pytest.mark.parametrize(("symbol", "hint"), [("KRW-BTCC", "did you mean KRW-BTC?"), ("USDT-ZZZZ", "on sample")])
def test_a_market_the_venue_does_not_list_is_refused(symbol, hint):
    """Before anything is registered."""
    with pytest.raises(UnknownMarketError, match=hint.replace("?", r"\?")):
        universe(SAMPLE, ("KRW-BTC", symbol))


class Silent(SampleExchange):
    """The sample market, not answering."""

    def markets(self):
        raise ExchangeUnavailableError(venue="sample", reason="maintenance")

    def first_day(self, _symbol):
        return self.markets()

    last_day = first_day


def test_known_symbols_need_no_venue(ledger):
    """It is asked about each symbol once; later it may be down, or list the symbol no more."""
    known = register(ledger, SAMPLE, [BTC, STMX], START)
    assert universe(Silent(), ("KRW-BTC", "KRW-STMX"), known) == universe(Silent(), "all-krw", known) == [BTC, STMX]
    assert register(ledger, Silent(), [BTC, STMX], START) == known
    with pytest.raises(ExchangeUnavailableError):
        universe(Silent(), ("KRW-BTC", "KRW-ETH"), known)
    with pytest.raises(ExchangeUnavailableError):
        universe(Silent(), "all-krw")


def test_a_delisting_is_noted(ledger):
    """With its last day, which later starts remember; one that is still listed has none."""
    register(ledger, SAMPLE, [BTC, STMX], START)
    with ledger.transaction() as connection:
        connection.execute("UPDATE symbols SET delisted_on = NULL")
    assert note_delistings(ledger, SAMPLE, [BTC, STMX]) == {STMX: date(2026, 3, 20)}
    found = {of.symbol: of.delisted_on for of in register(ledger, Silent(), [BTC, STMX], START)}
    assert found == {BTC: None, STMX: date(2026, 3, 20)}


class Forgetful(SampleExchange):
    """The sample market, which keeps nothing of what it lists no more."""

    def last_day(self, symbol):
        raise UnknownMarketError(symbol=symbol, venue="sample", hint="")


def test_a_venue_that_forgot_a_coin_is_helped_out(ledger):
    """The last day with candles is its end, else the last list it stood on; what was noted before stays."""
    register(ledger, SAMPLE, [BTC, ETH, STMX, BTT], START)
    listed = MarketListing(ETH, "이더리움", "Ethereum", is_warned=False)
    record_listings(ledger, date(2026, 5, 3), [listed, replace(listed, symbol=BTC)])
    with ledger.transaction() as connection:
        for day, rows in ((date(2026, 4, 7), 9), (date(2026, 4, 8), 0)):
            connection.execute(
                "INSERT INTO coverage (symbol, timeframe, day, answer, row_count, asked_at)"
                "VALUES ('KRW-BTC', '1m', %s, 'complete', %s, now())",
                [day, rows],
            )
    ended = {BTC: date(2026, 4, 7), ETH: date(2026, 5, 3), STMX: date(2026, 3, 20)}
    assert note_delistings(ledger, Forgetful(), [BTC, ETH, STMX, BTT]) == ended
    assert {of.symbol: of.delisted_on for of in registered_symbols(ledger)} == ended | {BTT: None}


def test_a_coin_that_is_listed_again_has_no_end(ledger):
    """Nor one that a wrong list left out for a day."""
    register(ledger, SAMPLE, [BTC], START)
    with ledger.transaction() as connection:
        connection.execute("UPDATE symbols SET delisted_on = '2026-02-01'")
    assert note_delistings(ledger, SAMPLE, [BTC]) == {}
    assert registered_symbols(ledger)[0].delisted_on is None


def test_the_anchor_is_the_later_of_start_and_first_bar(ledger):
    """A coin that was listed later begins later; one that is gone says when it ended."""
    found = {of.symbol: of for of in register(ledger, SAMPLE, [BTC, BTT, STMX], START)}
    assert found[BTC] == Registered(BTC, date(2025, 1, 1), START, None, is_active=True)
    assert found[BTT].anchor == found[BTT].first_day == date(2026, 1, 15)
    assert found[STMX].delisted_on == date(2026, 3, 20)
    assert [type(symbol) for symbol in found] == [Market] * 3


def test_a_symbol_is_never_forgotten(ledger):
    """No longer asked for it turns inactive; back again, it is what it was."""
    register(ledger, SAMPLE, [BTC, ETH], START)
    assert {of.symbol: of.is_active for of in register(ledger, SAMPLE, [ETH], START)} == {BTC: False, ETH: True}
    assert all(of.is_active for of in register(ledger, SAMPLE, [ETH, BTC], START))
    register(ledger, SAMPLE, [], START)
    assert [of.is_active for of in registered_symbols(ledger)] == [False, False]


def test_registering_twice_changes_nothing(ledger):
    """The order is that of the first time."""
    first = register(ledger, SAMPLE, [ETH], START)
    both = register(ledger, SAMPLE, [BTC, ETH], START)
    assert both[0] == first[0]
    assert register(ledger, SAMPLE, [ETH, BTC], START) == both == registered_symbols(ledger)


def test_a_moved_start_moves_the_anchors(ledger):
    """Later or earlier, but never before a symbol's first bar."""
    for start, anchors in ((date(2026, 2, 1), [date(2026, 2, 1)] * 2), (START, [START, date(2026, 1, 15)])):
        assert [of.anchor for of in register(ledger, SAMPLE, [BTC, BTT], start)] == anchors


@pytest.mark.parametrize(
    ("day", "delisted_on", "is_listed"),
    [
        (date(2025, 12, 31), None, False),
        (START, None, True),
        (date(2030, 1, 1), None, True),
        (date(2026, 3, 20), date(2026, 3, 20), True),
        (date(2026, 3, 21), date(2026, 3, 20), False),
    ],
)
def test_a_symbol_is_listed_from_its_anchor_to_its_last_day(day, delisted_on, is_listed):
    """Both included."""
    assert Registered(BTC, date(2025, 1, 1), START, delisted_on, is_active=True).is_listed_on(day) is is_listed
