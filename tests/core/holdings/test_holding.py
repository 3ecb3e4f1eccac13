from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadPositionError
from coinhts_core.holdings.holding import in_won, plain
from tests.core.holdings.kept import NOON, held

_PRICES = st.decimals("0.00000001", "999999999999", places=8)
_VOLUMES = st.decimals("0.00000001", "999999999999999", places=8)
_RATES = st.decimals("0", "0.09999999", places=8)
_AMOUNTS = st.decimals("0", "999999999999999", places=8)
_BITCOIN = {"entry_price_krw": "95000000", "volume_base": "0.1"}
_SOLD = {"exit_price_krw": "97000000"}


def test_a_position_earns_what_came_in_less_what_went_out():
    """To the won, with the fee of both sides and the slippage."""
    closed = held(**_BITCOIN, **_SOLD, slippage_krw="12.5")
    assert (closed.entry_fee_krw, closed.paid_krw) == (4_750, 9_504_750)
    assert (closed.exit_fee_krw, closed.received_krw) == (4_850, Decimal("9695137.5"))
    assert closed.realised_krw == Decimal("190387.5")
    assert in_won(closed.realised_krw) == 190_388
    assert held(**_BITCOIN).received_krw is held(**_BITCOIN).realised_krw is None


@given(
    st.fixed_dictionaries(
        {
            "entry_price_krw": _PRICES,
            "exit_price_krw": _PRICES,
            "volume_base": _VOLUMES,
            "entry_fee_rate": _RATES,
            "exit_fee_rate": _RATES,
            "slippage_krw": _AMOUNTS,
        }
    )
)
def test_cash_in_less_cash_out_is_the_profit(facts):
    """Exactly, whatever the digits; what is shown is off by half a won at most."""
    closed = held(**facts)
    exact = {name: Fraction(number) for name, number in facts.items()}
    paid = exact["entry_price_krw"] * exact["volume_base"] * (1 + exact["entry_fee_rate"])
    received = exact["exit_price_krw"] * exact["volume_base"] * (1 - exact["exit_fee_rate"]) - exact["slippage_krw"]
    assert (Fraction(closed.paid_krw), Fraction(closed.received_krw)) == (paid, received)
    assert Fraction(closed.realised_krw) == received - paid
    assert abs(in_won(closed.realised_krw) - (received - paid)) <= Fraction(1, 2)
    assert Fraction(Decimal(plain(closed.realised_krw))) == received - paid


@given(_PRICES, _PRICES, _VOLUMES)
def test_without_costs_a_way_there_and_back_earns_nothing(price, other, volume):
    """And whoever earns one way loses as much the other."""
    free = {"volume_base": volume, "entry_fee_rate": 0, "exit_fee_rate": 0}
    there = held(entry_price_krw=price, exit_price_krw=other, **free).realised_krw
    back = held(entry_price_krw=other, exit_price_krw=price, **free).realised_krw
    assert there + back == 0


@pytest.mark.parametrize(("entry", "left", "volume"), [("100", "110", "0.1"), ("95000000", "94000000.5", "0.1")])
def test_coin_hts_simulation_comes_out_when_its_costs_are_said(entry, left, volume):
    """Its fee is 0.1 % of the entry alone, its slippage 0.02 % of the exit unless given, negative ones are 0."""
    entry, left, volume = Decimal(entry), Decimal(left), Decimal(volume)
    theirs = volume * (left - entry) - entry * volume * Decimal("0.001")
    bought = {"entry_price_krw": entry, "volume_base": volume, "entry_fee_rate": "0.001"}
    assert held(**bought).unrealised_krw(left) == theirs
    slippage = left * volume * Decimal("0.0002")
    closed = held(**bought, exit_price_krw=left, exit_fee_rate="0", slippage_krw=slippage)
    assert closed.realised_krw == theirs - slippage


def test_coin_hts_backtest_design_comes_out_when_its_fee_is_said():
    """0.1 % of both sides, no slippage: size x (exit - entry) - 0.001 x size x (entry + exit)."""
    fees = {"entry_fee_rate": "0.001", "exit_fee_rate": "0.001"}
    closed = held(entry_price_krw="95000000", exit_price_krw="97000000", volume_base="0.01", **fees)
    assert closed.realised_krw == Decimal("0.01") * 2_000_000 - Decimal("0.00001") * (95_000_000 + 97_000_000)


def test_what_differs_from_coin_hts_differs_on_purpose():
    """Fees of both sides, no slippage that nobody saw, and a share of what was paid, fee included."""
    ours = held(**_BITCOIN, **_SOLD)
    theirs_by_default = 200_000 - Decimal(9_500_000) * Decimal("0.001") - Decimal(9_700_000) * Decimal("0.0002")
    assert (ours.realised_krw, theirs_by_default) == (190_400, 188_560)
    assert ours.slippage_krw == 0
    assert ours.realised_krw / ours.paid_krw != ours.realised_krw / 9_500_000


@pytest.mark.parametrize(
    ("facts", "field", "told"),
    [
        ({"opened_at": NOON + timedelta(seconds=1)}, "opened_at", "in the future"),
        (_SOLD | {"closed_at": NOON + timedelta(seconds=1)}, "closed_at", "in the future"),
        (_SOLD | {"closed_at": NOON - timedelta(days=4)}, "closed_at", "before opened_at"),
        (_SOLD | {"slippage_krw": "9700000.00000001"}, "slippage_krw", "more than all"),
        ({"volume_base": "10526315"}, "volume_base", "1,000,000,000,000,000 KRW or more"),
        ({"exit_price_krw": "900000000000", "volume_base": "2000"}, "exit_price_krw", "KRW or more"),
    ],
)
def test_what_cannot_have_happened_is_refused_by_its_field(facts, field, told):
    """One sentence, and the field as a fact of its own."""
    with pytest.raises(BadPositionError, match=told) as refused:
        held(**facts).judge(NOON)
    assert refused.value.field == field
    assert held(**_BITCOIN, **_SOLD, slippage_krw="9700000").judge(NOON) is None


@pytest.mark.parametrize(
    ("number", "told"), [("0E-8", "0"), ("1E+3", "1000"), ("1.2300", "1.23"), ("-0.5", "-0.5"), ("9" * 40, "9" * 40)]
)
def test_numbers_are_told_digit_by_digit(number, told):
    """Without an exponent, and without a nought that says nothing."""
    assert plain(Decimal(number)) == told
