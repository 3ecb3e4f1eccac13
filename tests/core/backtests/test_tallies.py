from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.engine import NO_SPANS, knobs_of, prices_of
from coinhts_core.backtests.tallies import Stretch, beginning, lead_together
from coinhts_core.rules import rules_on
from coinhts_core.signals import Turns, turns_of
from tests.core.backtests.test_engine import accounts, bars_of, walks

RULES = rules_on(date(2026, 1, 2))


def led(walk, of, cuts):
    """Lead accounts of one rule book through the hours, cut at some of them; a day ends at every fifth."""
    bars, decisions = bars_of(walk[0]), np.array(walk[1], dtype=np.int8)
    day_ends = np.arange(4, len(bars), 5)
    standings, tallies = beginning([account.cash for account in of], len(day_ends))
    knobs = np.array([knobs_of(one.costs(RULES), one.limits(), is_optimistic=False) for one in of], dtype=float)
    costs, which = of[0].costs(RULES), np.zeros(len(of), dtype=np.int64)
    for first, end in zip([0, *cuts], [*cuts, len(bars)], strict=True):
        days = np.searchsorted(day_ends, [first, end])
        prices = prices_of(bars[first:end])
        stretch = Stretch(prices, prices, NO_SPANS, first, days[0], day_ends[slice(*days)] - first)
        fractions = np.tile(np.array(walk[2][first:end], dtype=float), (len(of), 1))
        turns = Turns.of([turns_of(decisions[first:end])])
        lead_together(standings, tallies, stretch, turns, which, fractions, knobs, costs.tick_bounds, costs.tick_sizes)
    return standings, tallies


@settings(max_examples=60)
@given(walks(), st.lists(accounts, min_size=1, max_size=3), st.lists(st.integers(0, 25), max_size=4))
def test_a_stretch_goes_on_where_the_one_before_ended(walk, of, cuts):
    """To the last bit: cut anywhere, accounts stand and have been counted the same."""
    alike = [account.model_copy(update={"rules": of[0].rules}) for account in of]
    edges = sorted(min(cut, len(walk[0])) for cut in cuts)
    for whole, parts in zip(led(walk, alike, []), led(walk, alike, edges), strict=True):
        for name, one, other in zip(whole._fields, whole, parts, strict=True):
            assert one.tolist() == other.tolist(), name


def test_what_is_counted():
    """A win of ten in a hundred over two bars, a loss of ten over one, an even trade; and what each day ends with."""
    prices = [100.0, 100.0, 105.0, 110.0, 100.0, 90.0, 90.0, 90.0]
    walk = [(price,) * 4 for price in prices], [1, 0, -1, 1, -1, 1, -1, 0], [1.0] * 8
    standings, tallies = led(walk, [Account(cash=1_000.0, fee_rate=0.0, rules=None)], [])
    assert (tallies.trades[0], tallies.wins[0], tallies.bars_held[0], tallies.ambiguous[0]) == (3, 1, 4, 0)
    assert (tallies.won[0], tallies.lost[0], tallies.fees[0]) == (100.0, -110.0, 0.0)
    assert np.allclose([tallies.best[0], tallies.worst[0]], [0.1, -0.1])
    assert tallies.daily[0].tolist() == [1_000.0, 1_100.0]
    assert (standings.cash[0], standings.volume[0]) == (990.0, 0.0)
