import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.figures import measure
from coinhts_core.backtests.round_trips import RoundTrips
from coinhts_core.backtests.sweep_figures import columns_in, columns_of, table_of
from coinhts_core.backtests.tallies import beginning

NO_TRADES = RoundTrips(np.empty(0), np.empty(0), np.empty(0), np.empty(0))
worth = st.floats(1e-300, 1e300) | st.sampled_from([0.0, 1.0, 1e7]) | st.floats(0.9, 1.1)


def of_daily(curves):
    """Give the figures of accounts that never traded, but had these curves."""
    standings, tallies = beginning([curve[0] for curve in curves], len(curves[0]) - 1)
    tallies.daily[:] = np.array(curves)
    return table_of(columns_of(standings, tallies, np.array([10])))


@given(
    st.integers(1, 120).flatmap(
        lambda days: st.lists(st.lists(worth, min_size=days, max_size=days), min_size=1, max_size=4)
    )
)
def test_figures_of_equity_are_those_of_a_run(curves):
    """To the last bit, and null where a run has a reason; ruin and a single day included."""
    curves = [[1.0, *curve] for curve in curves]
    columns = of_daily(curves)
    for row, curve in enumerate(curves):
        expected = measure(np.array(curve), NO_TRADES).values
        found = {name: value for name, value in columns.row(row, named=True).items() if name in expected}
        assert found == {**{name: expected[name] for name in found}, "exposure_time": 0.0}


def test_without_a_trade_or_a_bar_there_is_no_figure():
    """Null, never NaN: neither a rate of wins nor a time in the market."""
    standings, tallies = beginning([1_000.0], 0)
    table = table_of(columns_of(standings, tallies, np.array([0])))
    known = {name: value for name, value in table.row(0, named=True).items() if value is not None}
    assert known == {"fees_krw": 0.0, "trades": 0, "ambiguous": 0, "final_equity_krw": 1_000.0}
    assert table_of(columns_in(table)).equals(table)


@pytest.mark.parametrize(("lost", "factor"), [(0.0, None), (-4.0, 1.5)])
def test_what_was_won_over_what_was_lost(lost, factor):
    """Undefined where nothing was lost."""
    standings, tallies = beginning([1_000.0], 1)
    tallies.daily[:], tallies.trades[:], tallies.wins[:], tallies.won[:], tallies.lost[:] = 1.0, 4, 3, 6.0, lost
    columns = table_of(columns_of(standings, tallies, np.array([10])))
    assert (columns["profit_factor"][0], columns["win_rate"][0]) == (factor, 0.75)
