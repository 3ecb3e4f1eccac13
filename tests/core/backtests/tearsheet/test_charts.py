import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests import metrics
from coinhts_core.backtests.tearsheet import charts
from coinhts_core.backtests.tearsheet.plots import HEIGHT, WIDTH


def test_equity_is_drawn_with_its_benchmarks(make_sheet, tree):
    """A line and a key for each; ours is drawn last, above the others."""
    of = make_sheet(days=10, trades=0)
    figure = tree(charts.equity(of))
    assert _kinds(figure) == ["line benchmark-0", "line main"]
    assert [key.text for key in figure.findall("ul/li")] == ["sma_cross +8.96%", "KRW-BTC held +1.00%"]
    heights = _heights(figure.find(".//path[@class='line main']"))
    assert len(heights) == 11
    assert np.argmin(heights) == np.argmax(of.equity)
    assert "From 2026-01-01 to 2026-01-10: sma_cross +8.96%" in figure.find(".//title").text


def test_both_bounds_are_drawn_where_they_differ(make_sheet, tree):
    """The pessimistic one is the result."""
    of = make_sheet(days=10, trades=0)
    two = make_sheet(days=10, trades=0, optimistic=of.equity * 1.1)
    assert _kinds(tree(charts.equity(two))) == ["line benchmark-0", "line optimistic", "line main"]
    same = make_sheet(days=10, trades=0, optimistic=of.equity)
    assert _kinds(tree(charts.equity(same))) == ["line benchmark-0", "line main"]


def test_a_benchmark_may_have_our_name(make_sheet, tree):
    """Two lines, two keys."""
    of = make_sheet(days=3, trades=0, benchmarks={"sma_cross": np.ones(4)})
    assert len(_kinds(tree(charts.equity(of)))) == 2


def test_drawdown_hangs_from_zero(make_sheet, tree):
    """Its deepest point is where the figure is, and the sentence names the day."""
    of = make_sheet(days=3, trades=0, equity=np.array([100.0, 120.0, 60.0, 90.0]))
    figure = tree(charts.falls(of))
    heights = _heights(figure.find(".//path[@class='line loss']"))
    assert heights[:2] == [0.0, 0.0]
    assert heights[2] == max(heights)
    assert figure.find(".//title").text == "Deepest drawdown -50.00% at the end of 2026-01-02"


@given(st.integers(91, 200), st.integers(0, 2**32 - 1))
def test_the_rolling_sharpe_is_the_sharpe_of_each_window(days, seed):
    """Where a window does not differ, there is none."""
    daily = np.random.default_rng(seed).normal(0, 0.01, days)
    daily[:95] = 0.0
    equity = np.cumprod(np.concatenate(([1e7], 1.0 + daily)))
    rolling = charts._rolling(metrics.returns(equity))
    for end, value in enumerate(rolling.tolist(), start=charts.ROLLING_DAYS):
        expected = metrics.sharpe(equity[end - charts.ROLLING_DAYS : end + 1])
        assert np.isnan(value) if isinstance(expected, str) else value == pytest.approx(expected)


def test_the_rolling_sharpe_ends_at_the_last_day(make_sheet, tree):
    """It begins where the first window is full."""
    figure = tree(charts.rolling_sharpe(make_sheet(days=120, trades=0)))
    points = figure.find(".//path[@class='line main']").get("d")
    across = [float(x) for x in re.findall(r"[ML]([\d.]+) ", points)]
    assert across[0] == pytest.approx(90 / 120 * WIDTH, abs=0.1)
    assert across[-1] == WIDTH


@pytest.mark.parametrize(
    ("days", "equity", "reason"),
    [
        (90, None, "There are 90 days; 91 are needed."),
        (2, [1.0, 0.0, 0.0], "Undefined: the equity fell to 0, and nothing has no return."),
    ],
)
def test_without_enough_there_is_no_rolling_sharpe(make_sheet, tree, days, equity, reason):
    """The reason stands there."""
    changes = {} if equity is None else {"equity": np.array(equity), "benchmarks": {}}
    assert tree(charts.rolling_sharpe(make_sheet(days=days, trades=0, **changes))).find("p").text == reason


@given(st.lists(st.floats(-0.99, 5.0).map(lambda value: round(value, 4)), min_size=1, max_size=300))
def test_every_trade_is_counted_on_its_side_of_zero(returned):
    """Bars of a round width, one of which begins at 0; few enough for a phone."""
    found = np.array(returned)
    edges = charts._edges(found)
    assert 0.0 in edges
    assert 2 <= len(edges) <= charts.MOST_BARS + 3
    counts = np.histogram(np.clip(found, edges[0], edges[-1]), edges)[0]
    assert counts.sum() == len(found)
    low, high = np.percentile(found, [1, 99])
    assert edges[0] <= low <= high <= edges[-1]


def test_the_distribution_has_a_bar_where_trades_are(make_sheet, tree):
    """Losses in one colour, gains in the other, all standing on the ground."""
    of = make_sheet(days=40, trades=40)
    figure = tree(charts.distribution(of))
    bars = [path for path in figure.iter("path") if path.get("class") in {"gain-fill", "loss-fill"}]
    assert {bar.get("class") for bar in bars} == {"gain-fill", "loss-fill"}
    assert all(f"V{HEIGHT}z" in bar.get("d") for bar in bars)
    assert figure.find(".//title").text.startswith("40 trades between ")


def test_without_days_or_trades_a_reason_stands(make_sheet, tree):
    """An empty result has a page, too."""
    of = make_sheet(days=0, trades=0)
    parts = (charts.equity, charts.falls, charts.rolling_sharpe, charts.distribution)
    assert all(tree(part(of)).find("svg") is None and tree(part(of)).find("p").text for part in parts)


def _kinds(figure):
    return [path.get("class") for path in figure.iter("path") if path.get("class").startswith("line")]


def _heights(path):
    return [float(height) for height in re.findall(r"[ML][\d.]+ ([\d.]+)", path.get("d"))]
