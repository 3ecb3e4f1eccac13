from coinhts_core.backtests import Account, run
from coinhts_core.backtests.sheets import days_of, sheet_of
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk

ACCOUNT = Account(cash=1e6, stop_loss=0.01, take_profit=0.01, rules=None)


def test_a_sheet_says_what_the_result_says():
    """Days, equity, both bounds, trades, candles, hashes."""
    result = run({"KRW-BTC": candles(walk(500), spread=0.01)}, load("sma_cross", fast=3, slow=8), ACCOUNT)
    sheet = sheet_of(result)
    assert (sheet.strategy, list(sheet.symbols), sheet.timeframe) == ("sma_cross", ["KRW-BTC"], "1h")
    assert len(sheet.days) == 21 == len(sheet.equity) - 1
    assert sheet.equity[-1] == result.equity["equity"][-1]
    assert sheet.has_two_bounds
    assert sheet.trades.height == result.trades.height > 0
    assert sheet.candles.height == 500
    assert sheet.facts["result"] == result.id
    assert set(sheet.benchmarks) == {"buy and hold", "cash"}
    assert result.id in tearsheet(sheet)


def test_several_coins_name_theirs_in_each_trade():
    """And are drawn without candles."""
    coins = {"KRW-BTC": candles(walk(300, 1)), "KRW-ETH": candles(walk(300, 2))}
    sheet = sheet_of(run(coins, load("sma_cross", fast=3, slow=8), Account(sizing="fraction", fraction=0.5)))
    assert set(sheet.trades["symbol"]) == set(coins)
    assert sheet.candles.is_empty()
    assert "KRW-ETH" in tearsheet(sheet)


def test_no_bar_is_a_sheet_without_days():
    """It can be drawn all the same."""
    result = run(candles([]), load("sma_cross"))
    assert days_of(result.outcome) == []
    assert "no day" in tearsheet(sheet_of(result))
