import json

import pytest

from coinhts_core.positions import Position

OPEN = Position(1, "2026-01-01T00:00:00+00:00", 100.0, 2.0, 0.5)
CLOSED = OPEN.closed("2026-01-02T00:00:00+00:00", 110.0, 0.6)


def test_a_position_is_open_until_it_is_closed():
    """Closing keeps the entry and adds the exit."""
    assert (OPEN.is_open, CLOSED.is_open) == (True, False)
    assert (CLOSED.entry_price_krw, CLOSED.exit_price_krw, CLOSED.exit_fee_krw) == (100.0, 110.0, 0.6)


@pytest.mark.parametrize("price", [0.0, 90.0, 1e9])
def test_profit_counts_the_fees(price):
    """Open, it follows the price and has paid one fee; closed, it is settled, whatever the price."""
    assert OPEN.profit_krw(price) == pytest.approx(2 * (price - 100) - 0.5)
    assert CLOSED.profit_krw(price) == pytest.approx(2 * 10 - 1.1)


@pytest.mark.parametrize("position", [OPEN, CLOSED])
def test_facts_travel_through_json(position):
    """As in the lake, to the last bit."""
    assert Position.from_facts(json.loads(json.dumps(position.facts()))) == position
