from datetime import date

import pytest
from pydantic import ValidationError

from coinhts_core.backtests.account import Account
from coinhts_core.rules import rules_on

RULES = rules_on(date(2026, 1, 2))


def test_the_rule_book_is_what_trading_costs_unless_said_otherwise():
    """Fee, minimum and ticks come from the venue; slippage is nothing."""
    costs = Account().costs(RULES)
    assert (costs.fee_rate, costs.slippage, costs.minimum_krw) == (0.0005, 0.0, 5_000.0)
    assert costs.tick_bounds.tolist() == RULES.tick_bounds.tolist()
    assert costs.tick_sizes.tolist() == RULES.tick_sizes.tolist()


def test_an_accounts_own_costs_win():
    """A fee of zero is a fee; basis points are parts of ten thousand; no rules means no ticks and no minimum."""
    costs = Account(fee_rate=0, slippage_bps=25, rules=None).costs(RULES)
    assert (costs.fee_rate, costs.slippage, costs.minimum_krw) == (0.0, 0.0025, 0.0)
    assert costs.tick_bounds.size == costs.tick_sizes.size == 0


def test_an_account_is_spelled_as_facts():
    """They are part of every chain, so their spelling is final."""
    assert Account().facts() == {"cash": 1e7, "fee_rate": None, "slippage_bps": 0.0, "rules": "upbit"}


@pytest.mark.parametrize("name", ["cash", "fee_rate", "slippage_bps"])
@pytest.mark.parametrize("value", [-1, 1e16, float("nan"), float("inf")])
def test_an_impossible_account_is_refused(name, value):
    """No negative, endless or undefined money."""
    with pytest.raises(ValidationError, match=name):
        Account(**{name: value})
