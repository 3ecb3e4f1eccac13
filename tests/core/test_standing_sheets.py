from dataclasses import replace

import numpy as np
import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.candles.frame import MINUTES
from coinhts_core.markets import Market
from coinhts_core.performance import standing
from coinhts_core.standing_sheets import sheet_of


@pytest.fixture
def rehearsed(desk):
    """Give a desk whose strategy trades, with stops."""
    desk.entry = desk.entry_of(Account(stop_loss=0.01, take_profit=0.02), fast=2, slow=5)
    desk.collect(desk.days)
    desk.run(desk.days)
    return desk


def test_a_standing_is_drawn_from_what_is_stored(rehearsed):
    """The same equity, trades and reasons as one run over the same candles tells."""
    of = standing(rehearsed.lake, rehearsed.entry, rehearsed.registered)
    sheet = sheet_of(rehearsed.entry, of, [of], 0.0005)
    minutes = rehearsed.lake.read(MINUTES, rehearsed.registered.symbol, rehearsed.days[0], rehearsed.days[-1])
    result = run(minutes, rehearsed.entry.strategy, rehearsed.entry.account, timeframe="1h")
    assert sheet.equity.tolist() == result.outcome.daily.tolist()
    assert sheet.trades.columns == result.trades.columns[: len(sheet.trades.columns)]
    assert sheet.trades["profit_krw"].to_list() == pytest.approx(result.trades["profit_krw"].to_list())
    assert sheet.trades["reason"].to_list() == result.trades["reason"].to_list()
    assert len(set(sheet.trades["reason"])) > 1
    assert np.allclose(sheet.benchmarks["buy and hold"], result.outcome.benchmarks["buy and hold"])
    assert sheet.figures.values["total_return"] == result.metrics["total_return"]


def test_other_coins_are_benchmarks(rehearsed):
    """Bitcoin stands beside every other coin, and the universe in equal parts."""
    bitcoin = standing(rehearsed.lake, rehearsed.entry, rehearsed.registered)
    other = replace(bitcoin, registered=replace(bitcoin.registered, symbol=Market("KRW-ETH")))
    assert set(sheet_of(rehearsed.entry, bitcoin, [bitcoin, other], 0.0).benchmarks) == {
        "buy and hold",
        "equal parts",
        "cash",
    }
    assert "KRW-BTC" in sheet_of(rehearsed.entry, other, [bitcoin, other], 0.0).benchmarks
