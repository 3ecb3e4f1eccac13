from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pydantic import ValidationError

from coinhts_core.backtests.account import Account, Limits
from coinhts_core.candles.bars import Bars
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
    assert Account().facts() == {
        "cash": 1e7,
        "fee_rate": None,
        "slippage_bps": 0.0,
        "rules": "upbit",
        "sizing": "all_in",
        "fraction": None,
        "fixed_krw": None,
        "target_volatility": None,
        "volatility_bars": 20,
        "stop_loss": None,
        "take_profit": None,
        "trailing_stop": None,
        "max_hold_bars": None,
    }


def test_the_shorter_holding_time_counts():
    """The account's or the strategy's; nothing said means never."""
    assert Account().limits() == Limits()
    assert [
        Account(max_hold_bars=own).limits(theirs).hold_bars for own, theirs in ((3, 5), (5, 3), (3, None), (None, 4))
    ] == [3, 3, 3, 4]
    stops = Account(stop_loss=0.1, take_profit=0.2, trailing_stop=0.3, sizing="fixed", fixed_krw=7.0)
    assert stops.limits() == Limits(7.0, 0.1, 0.2, 0.3, 0)


def test_a_wilder_market_gets_less():
    """Target over realised volatility of the last closes, as pandas has it; 0 while they are too few, never above 1."""
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 300)))
    frame = pl.DataFrame({"opened_at": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=at) for at in range(300)],
                          **dict.fromkeys(("open", "high", "low", "close", "volume"), closes)})  # fmt: skip
    bars = Bars.from_frame(frame, timedelta(hours=1))
    account = Account(sizing="volatility", target_volatility=0.9, volatility_bars=24)
    realised = pd.Series(closes).pct_change().rolling(24).std() * np.sqrt(365 * 24)
    expected = (0.9 / realised).clip(upper=1.0).fillna(0.0)
    assert account.fractions(bars) == pytest.approx(expected.to_numpy(), rel=1e-9)
    assert {0.0, 1.0} < set(account.fractions(bars))
    tail = account.fractions(bars[100:])
    assert tail[24:].tolist() == account.fractions(bars)[124:].tolist()
    assert account.fractions(bars[:0]).size == 0


@pytest.mark.parametrize(
    "options",
    [
        {"sizing": "fraction"},
        {"sizing": "fixed"},
        {"sizing": "volatility"},
        {"fraction": 0.5},
        {"sizing": "fixed", "fixed_krw": 1.0, "fraction": 0.5},
    ],
)
def test_an_account_sizes_in_one_way(options):
    """What is given must be what is used."""
    with pytest.raises(ValidationError, match="sizing"):
        Account(**options)


@pytest.mark.parametrize(
    "name", ["cash", "fee_rate", "slippage_bps", "fraction", "stop_loss", "take_profit", "trailing_stop"]
)
@pytest.mark.parametrize("value", [-1, 1e16, float("nan"), float("inf")])
def test_an_impossible_account_is_refused(name, value):
    """No negative, endless or undefined money."""
    with pytest.raises(ValidationError, match=name):
        Account(**{name: value})
