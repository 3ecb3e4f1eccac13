import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coinhts_core.errors import BadMarketError, BadTimeframeError
from coinhts_core.markets import Market, Timeframe


@pytest.mark.parametrize("text", ["KRW-BTC", "krw-btc", "BTC_KRW", "btc/krw", " KRW_BTC ", "KRW/BTC"])
def test_every_usual_spelling_is_the_venues_own(text):
    """Whatever a person types, inside there is one spelling."""
    assert Market.parse(text) == "KRW-BTC"


@pytest.mark.parametrize("text", ["KRW-1INCH", "BTC-ETH", "USDT-BTC", "KRW-A", "KRW-ABCDEFGHIJKLMNOP"])
def test_codes_of_the_agreed_shape_are_taken_as_they_are(text):
    """A code is its own spelling and a plain string."""
    assert Market(text) == Market.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *["", "BTC", "KRW-", "-BTC", "K-BTC", "KRW-BTC-ETH", "KRW-ABCDEFGHIJKLMNOPQ", "KRW-" + "A" * 10_000],
        *["x|y", "2026-01-02|KRW-BTC", "../../etc", "KRW-BTC/../x", "KRW-BTC\n", "KRW-BTC\0"],
        *["KRW-비트", "KRW-\uff22\uff34\uff23", "KRW-\u0392TC"],
    ],
)
def test_anything_else_is_refused(text):
    """A code becomes a path and a partition key, so nothing that is not wholly one gets in."""
    with pytest.raises(BadMarketError, match="is not a market code; write it like KRW-BTC"):
        Market(text)


@given(st.text(max_size=40))
@example("KRW-BTC\n")
@example("KRW-\u017fOL")
def test_parsing_ends_with_a_code_or_a_refusal(text):
    """There is no third way out, and what comes out parses to itself."""
    try:
        market = Market.parse(text)
    except BadMarketError:
        return
    assert Market(market) == Market.parse(market) == market


def test_timeframes_know_their_length():
    """From a minute to a week."""
    assert [frame.minutes for frame in Timeframe] == [1, 3, 5, 10, 15, 30, 60, 240, 1_440, 10_080]


def test_a_timeframe_is_read_in_any_case():
    """`1H` is `1h`."""
    assert Timeframe.parse(" 1H ") is Timeframe.H1


@pytest.mark.parametrize("text", ["2h", "", "1", "h1", "1mo", "60"])
def test_an_unknown_timeframe_is_refused_with_the_choices(text):
    """The sentence lists what there is."""
    with pytest.raises(BadTimeframeError, match="1m, 3m, 5m, 10m, 15m, 30m, 1h, 4h, 1d, 1w"):
        Timeframe.parse(text)
