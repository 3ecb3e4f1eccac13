from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from coinhts_core.backtests.figures import measure
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.performance import PERFORMANCE, common_window, standing, table

FEE = 0.0005


@pytest.fixture
def current(desk):
    """Give a desk whose days are all done."""
    desk.collect(desk.days)
    desk.run(desk.days)
    return desk


def stands(desk):
    return standing(desk.lake, desk.entry, desk.registered)


def test_a_current_chain_stands_as_a_whole(current):
    """From the anchor to its end, nothing lagging, its head the last link."""
    found = stands(current)
    assert (list(found.days), found.lagging) == (current.days, ())
    assert found.head == current.stored("backtests")[current.days[-1]].data_version
    equity = found.equity(current.days[0], current.days[-1])
    assert (len(equity), equity[0]) == (9, 1e7)


def test_figures_are_those_of_its_equity_and_trades(current):
    """Counted by hand from the stored rows."""
    found = stands(current)
    figures = found.figures(current.days[0], current.days[-1], FEE)
    equity = np.array(found.equity(current.days[0], current.days[-1]))
    rows = current.lake.read("backtests/sma_cross", current.registered.symbol, current.days[0], current.days[-1])
    sold = "".join(rows["fills"]).count('"side":"sell"')
    assert (figures["days"], figures["trades"]) == (8, sold)
    assert sold > 2
    trades = found.trades(current.days[0], current.days[-1])
    expected = measure(equity, RoundTrips.from_frame(trades)).values
    assert {name: figures[name] for name in expected if name in figures} == {
        name: value for name, value in expected.items() if name in figures
    }
    assert figures["total_return"] == equity[-1] / 1e7 - 1
    open_profit = rows["equity_close_krw"][-1] - 1e7 - trades["profit_krw"].sum()
    if '"position":null' in rows["state"][-1]:
        assert open_profit == pytest.approx(0, abs=1e-4)


def test_buying_and_holding_pays_one_fee(current):
    """In at the first open behind the warm-up, marked at the last close, over the same days."""
    found = stands(current)
    first, last = current.days[2], current.days[5]
    figures = found.figures(first, last, FEE)
    minutes = [current.lake.read("candles/minute", current.registered.symbol, day, day) for day in (first, last)]
    bought, marked = minutes[0]["open"][0], minutes[1]["close"][-1]
    assert figures["buy_and_hold"] == pytest.approx((1e7 / (bought * 1.0005) * marked) / 1e7 - 1, rel=1e-12)
    assert (figures["first_day"], figures["last_day"], figures["days"]) == (str(first), str(last), 4)
    assert figures["total_return"] == found.equity(first, last)[-1] / found.equity(first, last)[0] - 1
    hours = found.bars
    whole = found.figures(current.days[0], current.days[-1], FEE)["buy_and_hold"]
    assert whole == pytest.approx(hours.close[-1] / hours.open[6] / 1.0005 - 1, rel=1e-12)


def test_a_stale_day_ends_the_standing(current):
    """What comes behind it is named, not counted."""
    current.collect([current.days[4]], asked_at=None, cut=100)
    found = stands(current)
    assert (list(found.days), list(found.lagging)) == (current.days[:4], current.days[4:])
    assert found.head == current.stored("backtests")[current.days[3]].data_version
    assert found.rows.height == 4


def test_a_day_that_is_not_stored_ends_the_standing(desk):
    """A gap in the backtests is where certainty ends."""
    desk.collect(desk.days)
    desk.run([day for day in desk.days if day != desk.days[2]])
    found = stands(desk)
    assert (list(found.days), list(found.lagging)) == (desk.days[:2], desk.days[3:])


def test_waiting_days_lag(desk):
    """They are stored, and say nothing yet."""
    desk.collect(desk.days[:3])
    desk.run(desk.days)
    found = stands(desk)
    assert (list(found.days), list(found.lagging)) == (desk.days[:3], desk.days[3:])


def test_days_that_are_not_listed_neither_count_nor_lag(desk):
    """There was nothing to trade."""
    desk.change(anchor=desk.days[2], delisted_on=desk.days[5], is_active=False)
    desk.collect(desk.days)
    desk.run(desk.days)
    found = stands(desk)
    assert (list(found.days), found.lagging) == (desk.days[2:6], ())
    assert found.figures(desk.days[0], desk.days[-1], FEE)["is_active"] is False


def test_nothing_stored_is_an_empty_standing(desk):
    """One row without figures, not an error."""
    found = stands(desk)
    assert (found.days, found.lagging, found.head) == ((), (), "")
    (row,) = table([found], FEE).rows(named=True)
    assert (row["strategy"], row["symbol"], row["days"], row["trades"]) == ("sma_cross", "KRW-BTC", 0, 0)
    assert row["first_day"] is row["total_return"] is row["buy_and_hold"] is None


def test_the_table_has_a_row_a_standing(current):
    """Over its own days, or over one window for all."""
    found = stands(current)
    late = replace(found, days=found.days[3:])
    window = common_window([found, late])
    assert window == (current.days[3], current.days[-1])
    assert table([found, late], FEE)["days"].to_list() == [8, 5]
    assert table([found, late], FEE, window)["days"].to_list() == [5, 5]
    assert table([], FEE).schema == table([found], FEE).schema == PERFORMANCE.empty().schema


def test_standings_without_common_days_share_no_window(current):
    """Nor do those without any day; they are left aside."""
    found = stands(current)
    elsewhere = SimpleNamespace(days=tuple(day + timedelta(days=100) for day in current.days))
    assert common_window([found, elsewhere]) is None
    assert common_window([]) is None
    assert common_window([found, replace(found, days=())]) == (current.days[0], current.days[-1])
