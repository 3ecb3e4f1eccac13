import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.figures import FEWEST_TRADES, FIGURES, measure
from coinhts_core.backtests.round_trips import RoundTrips

NO_TRADES = RoundTrips(np.empty(0), np.empty(0), np.empty(0), np.empty(0))
positive = st.floats(min_value=0.0, max_value=1e308, exclude_min=True)
curves = st.one_of(
    st.lists(positive, max_size=130),
    st.builds(lambda worth, days: [worth] * days, positive, st.integers(0, 130)),
    st.lists(positive, min_size=1, max_size=60).map(lambda curve: [*curve, 0.0, 0.0]),
    st.lists(st.sampled_from([1e-300, 1.0, 1e7, 1e300]), max_size=130),
)
amounts = st.floats(-1e308, 1e308)


@given(curves, curves, st.lists(st.tuples(amounts, amounts, amounts), max_size=50), st.lists(amounts, max_size=50))
def test_every_figure_is_a_number_or_has_a_reason(equity, benchmark, trades, fills):
    """Whatever happened: nothing, a moment, ruin, amounts at the end of what a number holds."""
    columns = [np.array(column) for column in zip(*trades, strict=True)] or [np.empty(0)] * 3
    figures = measure(
        np.array(equity, dtype=float),
        RoundTrips(*columns, np.ones(len(trades))),
        benchmark=np.array(benchmark, dtype=float),
        fill_values=np.array(fills),
        exposure=np.array(fills),
    )
    assert json.loads(json.dumps(figures.as_json(), allow_nan=False)).keys() == {*FIGURES, "too_few_trades"}
    assert {name for name, value in figures.values.items() if value is None} == figures.reasons.keys()
    assert all(type(value) is float for value in figures.values.values() if value is not None)
    assert all(figures.reasons.values())


def test_what_was_not_recorded_is_undefined():
    """A figure without what it is made of has a reason, not a 0."""
    figures = measure(np.array([100.0, 110.0, 100.0]), RoundTrips(*[np.ones(1)] * 3))
    missing = {"alpha", "beta", "information_ratio", "benchmark_return", "exposure", "exposure_time", "turnover"}
    assert missing | {"average_bars_held"} <= figures.reasons.keys()
    assert figures.reasons["beta"] == "there is no benchmark"
    assert "beta is undefined: there is no benchmark" in figures.warnings()


def test_exposure_turnover_and_fees():
    """Half of two bars held one time in two; bought and sold 100 each at a mean worth of 100 over 2 of 365 days."""
    figures = measure(
        np.array([100.0, 100.0, 100.0]),
        RoundTrips(np.array([1.0]), np.array([0.1]), np.array([2.0]), np.array([1.0])),
        fill_values=np.array([100.0, 100.0]),
        exposure=np.array([0.5, 0.0]),
        open_fees_krw=0.5,
    )
    expected = {"exposure_time": 0.5, "exposure": 0.25, "turnover": 365.0, "fees_krw": 2.5, "average_bars_held": 1.0}
    assert {name: figures.values[name] for name in expected} == expected


@pytest.mark.parametrize(("count", "is_too_few"), [(0, True), (FEWEST_TRADES - 1, True), (FEWEST_TRADES, False)])
def test_few_trades_are_flagged(count, is_too_few):
    """In the figures and as a warning."""
    frame = pl.DataFrame({"profit_krw": [1.0] * count, "return": [0.1] * count, "fees_krw": [0.0] * count})
    figures = measure(np.array([1.0, 1.0]), RoundTrips.from_frame(frame.cast(pl.Float64)))
    assert figures.as_json()["too_few_trades"] is is_too_few
    assert figures.as_json()["trades"] == count
    assert type(figures.as_json()["trades"]) is int
    assert any("closed trades" in warning for warning in figures.warnings()) is is_too_few


def test_every_figure_is_explained():
    """People read a label, a unit and a meaning; `measure` gives exactly the figures of the list."""
    assert measure(np.empty(0), NO_TRADES).values.keys() == FIGURES.keys()
    assert all(figure.label and figure.meaning for figure in FIGURES.values())
    assert len({figure.label for figure in FIGURES.values()}) == len(FIGURES)
