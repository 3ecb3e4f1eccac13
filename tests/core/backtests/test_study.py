import json
from datetime import UTC, date, datetime, timedelta
from math import inf, isfinite

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.study import study
from coinhts_core.backtests.undefined import Undefined
from coinhts_core.candles.bars import Bars

START = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = {"samples": 0, "win_rate": 0.0, "avg_return": 0.0, "max_drawdown": 0.0, "avg_hold_bars": 0.0}
bars_and_decisions = st.lists(
    st.tuples(st.sampled_from([1.0, 90.0, 100.0, 100.0, 110.0, 1e8]), st.sampled_from([-1, 0, 1, 1])), max_size=40
)


@given(bars_and_decisions, st.integers(1, 50))
def test_figures_are_those_of_plain_loops(rows, hold):
    """The same formulas, written a second time without arrays."""
    closes, decisions = [close for close, _ in rows], [side for _, side in rows]
    found = study(_bars(closes), np.array(decisions, np.int8), hold)
    expected = _in_plain_python(closes, decisions, hold)
    assert found.coin_hts() == pytest.approx(expected)
    equity, peak = 1.0, 1.0
    for row in found.trades.iter_rows(named=True):
        equity *= 1.0 + row["return"]
        peak = max(peak, equity)
        assert row["equity"] == pytest.approx(equity)
        assert row["drawdown"] == pytest.approx(equity / peak - 1.0)
        assert row["closed_at"] - row["opened_at"] == timedelta(days=row["bars_held"])
        assert row["profit_krw"] == row["exit_price"] - row["entry_price"]


def test_a_study_of_four_bars():
    """Entries are independent and overlap; the last one has no bar left and counts as no win."""
    found = study(_bars([100.0, 110.0, 99.0, 99.0]), np.array([1, 1, -1, 1], np.int8), 2)
    assert found.trades.select("bar", "entry_price", "exit_price", "bars_held", "reason").rows() == [
        (0, 100.0, 99.0, 2, "time"),
        (1, 110.0, 99.0, 2, "time"),
        (3, 99.0, 99.0, 0, "end"),
    ]
    assert found.trades["return"].to_list() == pytest.approx([-0.01, -0.1, 0.0])
    assert found.trades["date"].to_list() == [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 4)]
    assert found.trades["opened_at"][0] == datetime(2026, 1, 2, tzinfo=UTC)
    assert found.trades["equity"].to_list() == pytest.approx([0.99, 0.891, 0.891])
    assert found.trades["drawdown"].to_list() == pytest.approx([-0.01, -0.109, -0.109])
    assert found.coin_hts() == pytest.approx(
        {"samples": 3, "win_rate": 0.0, "avg_return": -11 / 3, "max_drawdown": 10.0, "avg_hold_bars": 2.0}
    )


def test_the_first_loss_is_no_drawdown_and_a_sum_may_exceed_a_hundred():
    """Quirks of the figures, kept: the first peak is the first sum, and percents are added."""
    falling = study(_bars([100.0, 10.0, 1.0, 0.1]), np.array([1, 1, 1, 0], np.int8), 1)
    assert falling.coin_hts()["max_drawdown"] == pytest.approx(180.0)
    once = study(_bars([100.0, 10.0]), np.array([1, 0], np.int8), 1)
    assert once.coin_hts()["max_drawdown"] == 0.0


@pytest.mark.parametrize(("closes", "decisions"), [([], []), ([1.0], [0]), ([1.0, 2.0], [-1, 0])])
def test_without_a_signal_all_is_zero(closes, decisions):
    """In its own units; our own figures say why there are none."""
    found = study(_bars(closes), np.array(decisions, np.int8), 3)
    assert found.coin_hts() == NOTHING
    assert found.trades.is_empty()
    assert {name for name, value in found.measured().items() if not isinstance(value, Undefined)} == {"trades"}


def test_ties_are_no_wins():
    """Over flat prices nothing is won, lost or undefined; zero volume is no matter here."""
    found = study(_bars([5.0] * 6, volume=0.0), np.ones(6, np.int8), 2)
    assert found.coin_hts() == {**NOTHING, "samples": 6, "avg_hold_bars": 2.0}
    assert found.measured()["average_bars_held"] == pytest.approx(9 / 6)
    assert found.measured()["profit_factor"] == "no trade lost"


def test_our_figures_are_fractions():
    """Of what was held, not of what was asked for."""
    found = study(_bars([100.0, 120.0, 90.0]), np.array([1, 1, 0], np.int8), 1).measured()
    assert found == pytest.approx(
        {
            "trades": 2,
            "win_rate": 0.5,
            "average_return": (0.2 - 0.25) / 2,
            "profit_factor": 0.8,
            "best_trade": 0.2,
            "worst_trade": -0.25,
            "average_bars_held": 1.0,
        }
    )


def test_a_curve_beyond_numbers_is_null():
    """Compounding overlapping trades leaves the doubles sooner or later; JSON has no infinity."""
    closes = [1.0 if bar % 2 == 0 else 1e8 for bar in range(100)]
    found = study(_bars(closes), np.array([1, 0] * 50, np.int8), 1)
    assert found.trades["equity"].null_count() == found.trades["drawdown"].null_count() > 0
    assert all(isfinite(value) for value in found.trades["equity"].drop_nulls())
    json.dumps(found.trades.select("equity", "drawdown").rows(), allow_nan=False)


def _bars(closes, volume=1.0):
    moments = [START + timedelta(days=day) for day in range(len(closes))]
    frame = pl.DataFrame({"opened_at": moments, "close": closes}, schema=_SCHEMA)
    prices = frame.with_columns(open="close", high="close", low="close", volume=pl.lit(volume))
    return Bars.from_frame(prices, timedelta(days=1))


def _in_plain_python(closes, decisions, hold):
    total, wins, count = 0.0, 0, 0
    peak, deepest = -inf, 0.0
    for bar, side in enumerate(decisions):
        if side != 1:
            continue
        exit_price = closes[min(bar + hold, len(closes) - 1)]
        percent = (exit_price - closes[bar]) / closes[bar] * 100
        count, total, wins = count + 1, total + percent, wins + (percent > 0)
        peak = max(peak, total)
        deepest = min(deepest, total - peak)
    if not count:
        return NOTHING
    return {
        "samples": count,
        "win_rate": wins / count,
        "avg_return": total / count,
        "max_drawdown": -deepest,
        "avg_hold_bars": hold,
    }


_SCHEMA = {"opened_at": pl.Datetime("us", "UTC"), "close": pl.Float64}
