from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import RefusedError
from coinhts_core.hashes import digest
from coinhts_core.rules import Rules, _in_force, rules_on

RULES = rules_on(date(2026, 1, 2))
prices = st.decimals(min_value="0.00000001", max_value="1000000000", places=12)


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("1000000", "1000"),
        ("999999.99999999", "500"),
        ("500000", "500"),
        ("499999.9", "100"),
        ("100000", "100"),
        ("99999.99", "50"),
        ("50000", "50"),
        ("49999", "10"),
        ("10000", "10"),
        ("9999", "5"),
        ("5000", "5"),
        ("4999", "1"),
        ("100", "1"),
        ("99.9", "0.1"),
        ("10", "0.1"),
        ("9.99", "0.01"),
        ("1", "0.01"),
        ("0.999", "0.001"),
        ("0.1", "0.001"),
        ("0.0999", "0.0001"),
        ("0.01", "0.0001"),
        ("0.00999", "0.00001"),
        ("0.001", "0.00001"),
        ("0.000999", "0.000001"),
        ("0.0001", "0.000001"),
        ("0.0000999", "0.0000001"),
        ("0.00001", "0.0000001"),
        ("0.00000999", "0.00000001"),
    ],
)
def test_a_tick_begins_exactly_at_its_threshold(price, tick):
    """The published KRW table, read from both sides of every threshold."""
    assert Decimal(tick) == RULES.tick_at(Decimal(price))


@given(prices)
def test_a_limit_is_never_worsened(price):
    """A buyer's limit only falls, a seller's only rises, both by less than a tick and onto the grid."""
    down, up = RULES.round_down(price), RULES.round_up(price)
    tick = RULES.tick_at(price)
    assert price - tick < down <= price <= up < price + tick
    assert RULES.round_down(down) == RULES.round_up(down) == down
    assert RULES.round_down(up) == RULES.round_up(up) == up
    assert RULES.is_on_tick(up)
    assert RULES.is_on_tick(price) == (down == up == price)


def test_the_price_above_the_highest_of_a_band_opens_the_next_band():
    """Rounding up across a threshold lands on it."""
    assert Decimal(1_000_000) == RULES.round_up(Decimal("999500.01"))
    assert Decimal(1_000_000) == RULES.round_down(Decimal("1000999.99"))


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity", "-1", "1e15", "1e400"])
def test_what_is_no_price_is_refused(price):
    """Nonsense never becomes a tick."""
    with pytest.raises(RefusedError, match="is not a price"):
        RULES.round_down(Decimal(price))


def test_zero_is_not_on_the_grid():
    """Nothing trades at 0, and a price below the smallest tick rounds down to it."""
    assert not RULES.is_on_tick(RULES.round_down(Decimal("0.000000001")))


def test_the_compiled_loop_reads_the_same_table():
    """Highest price first, and each double is the decimal's own."""
    assert RULES.tick_bounds.dtype == RULES.tick_sizes.dtype == np.float64
    assert [float(from_price) for from_price, _ in RULES.ticks] == RULES.tick_bounds.tolist()
    assert [float(tick) for _, tick in RULES.ticks] == RULES.tick_sizes.tolist()
    assert sorted(RULES.tick_bounds, reverse=True) == RULES.tick_bounds.tolist()


def test_an_entry_is_in_force_from_its_day_until_the_next():
    """The days before the first entry use the first, whatever the order in the file."""
    entries = [
        {"effective_from": date(2026, 6, 1), "value": "later"},
        {"effective_from": date(2025, 7, 31), "value": "first"},
    ]
    days = [date(2020, 1, 1), date(2025, 7, 31), date(2026, 5, 31), date(2026, 6, 1), date(2030, 1, 1)]
    assert [_in_force(entries, day) for day in days] == ["first", "first", "first", "later", "later"]


def test_the_facts_of_a_day_never_change():
    """They are part of stored identities: a change here would make every chain stale."""
    assert RULES.as_facts()["fee_rate"] == "0.0005"
    assert RULES.as_facts()["minimum_krw"] == "5000"
    assert RULES.as_facts()["ticks"][-1] == ["0", "0.00000001"]
    assert digest(RULES.as_facts()) == "df0dfb2d6f4cc58177d84825dff5be8f5901091b920be1fade3734b5b67bc708"


def test_the_spelling_of_a_number_is_no_fact():
    """0.00050 and 5E+3 are 0.0005 and 5000."""
    respelt = Rules(Decimal("0.00050"), Decimal("5E+3"), RULES.ticks)
    assert respelt.as_facts() == RULES.as_facts()
